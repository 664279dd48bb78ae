/* SPDX-License-Identifier: MIT */
#include "module.h"

#include "reply.h"

/* A module that is asked for: what it is, and the state of its source. */
struct look {
	struct px_module_id id;
	struct px_stat st;
};

static void look_fini(struct look *l)
{
	px_module_id_fini(&l->id);
}

/* The first look at the source; `st` as px_content_get has it. -errno. */
static int look_at(const struct px_modules *ms, const char *path,
		   const struct px_stat *st, enum px_kind kind,
		   struct look *ret)
{
	int r = 0;

	if (st)
		ret->st = *st;
	else
		r = px_tree_stat_file(ms->o->tree, path, &ret->st);
	if (r < 0)
		return r;
	return px_module_id_init(ms->keys, path, kind, &ret->st.fp, &ret->id);
}

/* What the cache's index has for the fingerprint. -ENOENT. */
static int find_index(const struct px_modules *ms, const struct look *l,
		      struct px_cache_entry *ret)
{
	/* A source over the limit is refused even if another mount, with
	 * another limit, has put it into the cache. */
	if (l->st.fp.size > ms->o->max_source)
		return -ENOENT;
	return px_cache_index_get(ms->o->cache, l->id.index, ret);
}

int px_module_peek(const struct px_modules *ms, const char *path,
		   const struct px_stat *st, enum px_kind kind,
		   enum px_want want, struct px_module *ret)
{
	PX_AUTO(look_fini) struct look l = {0};
	struct px_cache_entry e = {0};
	struct px_blob *b = NULL, *whole = NULL;
	int r = look_at(ms, path, st, kind, &l);

	if (r == 0)
		r = find_index(ms, &l, &e);
	if (r == 0 && want == PX_WANT_BYTES)
		r = px_cache_get(ms->o->cache, e.key, &b);
	if (r < 0)
		return r;
	if (b) {
		whole = px_blob_with_name(b, l.id.name);
		if (!whole)
			return -ENOMEM;
	}
	px_stats_add(ms->o->stats, PX_COUNT_stat_hits, 1);
	px_reply_fill(ms->o, &l.id, &l.st, &e, ret);
	ret->blob = whole;
	return 0;
}

/* Answers from the cache alone. False: it does not have all that is wanted. Of
 * a module that does not compile that is the message, too. */
static bool answer_from_cache(const struct px_modules *ms, const struct look *l,
			      enum px_want want, px_content_done done,
			      void *arg)
{
	struct px_cache_entry e;
	struct px_module m;
	struct px_blob *b;

	if (find_index(ms, l, &e) < 0)
		return false;
	if (want == PX_WANT_SIZE && e.kind == PX_BLOB_CODE) {
		px_stats_add(ms->o->stats, PX_COUNT_stat_hits, 1);
		px_reply_fill(ms->o, &l->id, &l->st, &e, &m);
		done(arg, 0, &m);
		return true;
	}
	if (px_cache_get(ms->o->cache, e.key, &b) < 0)
		return false;
	px_stats_add(ms->o->stats, PX_COUNT_stat_hits, 1);
	px_reply_log(ms->o, ms->said, l->id.path, e.key, b);
	px_reply_blob(ms->o, &l->id, &l->st, e.key, b, done, arg);
	return true;
}

void px_module_get(const struct px_modules *ms, const char *path,
		   const struct px_stat *st, enum px_kind kind,
		   enum px_want want, px_content_done done, void *arg)
{
	PX_AUTO(look_fini) struct look l = {0};
	int r = look_at(ms, path, st, kind, &l);

	if (r == 0 && answer_from_cache(ms, &l, want, done, arg))
		return;
	if (r == 0)
		r = px_flights_join(ms->flights, &l.id, &l.st, done, arg);
	if (r < 0)
		done(arg, r, NULL);
}

void px_module_start_async(const struct px_modules *ms, const char *path,
			   const struct px_stat *st, enum px_kind kind)
{
	PX_AUTO(look_fini) struct look l = {0};
	struct px_cache_entry e;

	if (look_at(ms, path, st, kind, &l) == 0 && find_index(ms, &l, &e) < 0)
		px_flights_join(ms->flights, &l.id, &l.st, NULL, NULL);
}
