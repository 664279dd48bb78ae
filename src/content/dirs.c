/* SPDX-License-Identifier: MIT */
#include "dirs.h"

#include "pycfs/log.h"
#include "pycfs/map.h"
#include "pycfs/mark.h"
#include "pycfs/stray.h"

/* Of all cached views together; bounds the memory of a mount of a large
 * tree. */
#define MAX_CACHED_ENTRIES 500000

struct cached_view {
	struct px_map_node node;
	struct px_view *view;
	struct px_fingerprint fp;
	bool stable;
	enum px_kind kind;
	char path[];
};

struct px_dirs {
	const struct px_content_options *o;
	struct px_said *said;
	struct px_owners *owners;
	struct px_strays *strays; /* NULL: they are logged at once */
	pthread_mutex_t lock;
	struct px_map cached; /* under lock: by kind and path */
	size_t n_entries;     /* under lock: in all cached views */
};

static void log_notes(struct px_dirs *d, const char *dir,
		      const struct px_view *v)
{
	size_t i;

	for (i = 0; i < px_view_n_notes(v); i++) {
		const struct px_note *note = px_view_note(v, i);
		PX_AUTOFREE char *path = px_path_join(dir, note->source);

		if (path && px_said_first_time(d->said, path, PX_SAID_NOTE))
			px_log(PX_LOG_WARNING, "%s: %s", path, note->text);
	}
}

/* Looks once for what is astray in a directory, and collects or logs it. */
static int find_strays(const struct px_dirs *d, const char *path,
		       const struct px_listing *l, const struct px_view *v)
{
	struct px_strays *found = d->strays;
	int r;

	if (!px_said_first_time(d->said, path, PX_SAID_STRAYS))
		return 0;
	r = found ? 0 : px_strays_new(&found);
	if (r == 0)
		r = px_strays_look(found, d->o->tree, path, l, v,
				   !d->o->normal_modes);
	if (r == 0 && !d->strays)
		px_strays_log(found, d->o->may_lose);
	if (!d->strays)
		px_strays_free(found);
	return r;
}

/* With `shown` the view is one that somebody sees, and not only asked whether
 * there is anything in it. */
static int list(const struct px_dirs *d, const char *path, enum px_kind kind,
		bool shown, struct px_view **ret, struct px_fingerprint *ret_fp,
		bool *ret_young)
{
	const struct px_view_options o = {
		.rules = d->o->rules,
		.cache_tag = d->o->cache_tag,
	};
	struct px_listing l = {.n = 0};
	int r = px_tree_list(
		d->o->tree, path,
		shown && d->o->immutable ? PX_LIST_STATS : PX_LIST_KINDS, &l);

	*ret = NULL;
	if (r < 0)
		return r;
	r = px_mark_scripts(d->owners, d->o->tree, path, &l);
	if (r == 0 && shown && kind == PX_KIND_DIR)
		r = px_mark_lost(d->o->tree, path, &l);
	if (r == 0)
		r = kind == PX_KIND_PYCACHE ? px_view_pycache(&l, path, &o, ret)
					    : px_view_new(&l, path, &o, ret);
	if (r == 0 && shown && kind == PX_KIND_DIR) {
		r = find_strays(d, path, &l, *ret);
		if (r < 0)
			px_view_unref(*ret);
	}
	*ret_fp = l.dir.fp;
	*ret_young = l.young;
	px_listing_fini(&l);
	return r;
}

/* Whether exclusion leaves nothing of a directory that is not empty in the
 * source. Stops at the first thing that is shipped. */
static bool is_emptied(const struct px_dirs *d, const char *path)
{
	struct px_fingerprint fp;
	struct px_view *v = NULL;
	bool young, emptied;
	size_t i;

	if (list(d, path, PX_KIND_DIR, false, &v, &fp, &young) < 0)
		return false;
	emptied = px_view_n_excluded(v) > 0 || px_view_count(v) > 0;
	for (i = 0; emptied && i < px_view_count(v); i++) {
		const struct px_entry *e = px_view_at(v, i);
		PX_AUTOFREE char *below = NULL;

		emptied = e->kind == PX_KIND_DIR;
		if (emptied) {
			below = px_path_join(path, e->source);
			emptied = below && is_emptied(d, below);
		}
	}
	px_view_unref(v);
	return emptied;
}

/* Takes out of *v the directories that exclusion leaves empty. 1 if there were
 * any. */
static int drop_emptied(const struct px_dirs *d, const char *path,
			struct px_view **v)
{
	const size_t n = px_view_count(*v);
	PX_AUTOFREE bool *emptied = calloc(n + 1, sizeof(*emptied));
	struct px_view *rest;
	bool any = false;
	size_t i;
	int r;

	if (!emptied)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct px_entry *e = px_view_at(*v, i);
		PX_AUTOFREE char *below = NULL;

		if (e->kind != PX_KIND_DIR)
			continue;
		below = px_path_join(path, e->source);
		emptied[i] = below && is_emptied(d, below);
		any |= emptied[i];
	}
	if (!any)
		return 0;
	r = px_view_without(*v, emptied, &rest);
	if (r < 0)
		return r;
	px_view_unref(*v);
	*v = rest;
	return 1;
}

static uint64_t hash_of(const char *path, enum px_kind kind)
{
	return px_hash64(kind, path, strlen(path));
}

/* Under lock. NULL: it is not cached. */
static const struct cached_view *find(const struct px_dirs *d, const char *path,
				      enum px_kind kind)
{
	struct px_map_node *n = px_map_first(&d->cached, hash_of(path, kind));

	for (; n; n = px_map_next(n)) {
		const struct cached_view *c =
			PX_CONTAINER(n, struct cached_view, node);

		if (c->kind == kind && strcmp(c->path, path) == 0)
			return c;
	}
	return NULL;
}

/* -ENOENT: it is not cached. */
static int get_cached(struct px_dirs *d, const char *path, enum px_kind kind,
		      struct px_view **ret, struct px_fingerprint *ret_fp,
		      bool *ret_stable)
{
	const struct cached_view *c;

	if (!d->o->immutable)
		return -ENOENT;
	pthread_mutex_lock(&d->lock);
	c = find(d, path, kind);
	if (c) {
		*ret = px_view_ref(c->view);
		*ret_fp = c->fp;
		*ret_stable = c->stable;
	}
	pthread_mutex_unlock(&d->lock);
	return c ? 0 : -ENOENT;
}

/* It is not cached where the source may change, where there are too many, or
 * for want of memory. */
static void put_cached(struct px_dirs *d, const char *path, enum px_kind kind,
		       struct px_view *v, const struct px_fingerprint *fp,
		       bool stable)
{
	const size_t n = strlen(path) + 1;
	struct cached_view *c;

	c = d->o->immutable ? calloc(1, sizeof(*c) + n) : NULL;
	if (!c)
		return;
	*c = (struct cached_view){.fp = *fp, .stable = stable, .kind = kind};
	memcpy(c->path, path, n);
	pthread_mutex_lock(&d->lock);
	if (d->n_entries < MAX_CACHED_ENTRIES &&
	    px_map_add(&d->cached, &c->node, hash_of(path, kind)) == 0) {
		c->view = px_view_ref(v);
		d->n_entries += px_view_count(v) + 1;
		c = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	free(c);
}

int px_dirs_view(struct px_dirs *d, const char *path, enum px_kind kind,
		 struct px_view **ret, struct px_fingerprint *ret_fp,
		 bool *ret_stable)
{
	struct px_view *v = NULL;
	bool young;
	int r;

	if (get_cached(d, path, kind, ret, ret_fp, ret_stable) == 0)
		return 0;
	r = list(d, path, kind, true, &v, ret_fp, &young);
	if (r < 0)
		return r;
	if (px_rules_hide(d->o->rules) && kind == PX_KIND_DIR)
		r = drop_emptied(d, path, &v);
	if (r < 0) {
		px_view_unref(v);
		return r;
	}
	log_notes(d, path, v);
	/* Whether a directory was emptied depends on what is below it, which
	 * does not change the fingerprint of the one that has it. */
	*ret_stable = !young && r == 0;
	put_cached(d, path, kind, v, ret_fp, *ret_stable);
	*ret = v;
	return 0;
}

int px_dirs_new(const struct px_content_options *o, struct px_said *said,
		struct px_dirs **ret)
{
	struct px_dirs *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->o = o;
	d->said = said;
	pthread_mutex_init(&d->lock, NULL);
	if (px_owners_new(&d->owners) < 0 ||
	    (o->gathers && px_strays_new(&d->strays) < 0)) {
		px_dirs_free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

struct px_strays *px_dirs_strays(struct px_dirs *d)
{
	return d->strays;
}

void px_dirs_free(struct px_dirs *d)
{
	struct px_map_node *n, *next;
	struct cached_view *c;

	if (!d)
		return;
	for (n = px_map_each(&d->cached, NULL); n; n = next) {
		next = px_map_each(&d->cached, n);
		c = PX_CONTAINER(n, struct cached_view, node);
		px_view_unref(c->view);
		free(c);
	}
	px_map_fini(&d->cached);
	px_owners_free(d->owners);
	px_strays_free(d->strays);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
