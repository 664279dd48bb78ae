/* SPDX-License-Identifier: MIT */
/*
 * Names and attributes: what of the view needs no compile.
 */
#include "content_i.h"

#include "pycfs/log.h"

#include <stdio.h>

/* 1980-01-01: zip archives cannot hold an earlier time. */
#define EARLIEST_MTIME 315532800

/* What directories measure differs between file systems. */
#define DIRECTORY_SIZE 4096

uint64_t px_content_source(const struct px_fingerprint *fp)
{
	const uint64_t source[] = {fp->dev, fp->ino};

	return px_hash64(1, source, sizeof(source)) | 1;
}

/* A umask or a checkout must not show: what is executable, and nothing else. */
static uint32_t mode_of(const struct px_content *c, enum px_kind kind,
			uint32_t mode)
{
	if (!c->o.normal_modes || kind == PX_KIND_LINK)
		return mode;
	return px_kind_is_dir(kind) || (mode & 0111) ? 0755 : 0644;
}

/* Times are whole seconds: builders round them, each in its own way. */
void px_content_fill_attr(const struct px_content *c, const struct px_stat *st,
			  enum px_kind kind, uint64_t size, struct px_attr *ret)
{
	int64_t mtime =
		c->o.mtime >= 0 ? c->o.mtime : st->fp.mtime_ns / 1000000000;

	*ret = (struct px_attr){
		.kind = kind,
		.source = px_content_source(&st->fp),
		.mode = mode_of(c, kind, st->mode),
		.uid = c->o.uid >= 0 ? (uint32_t)c->o.uid : st->uid,
		.gid = c->o.gid >= 0 ? (uint32_t)c->o.gid : st->gid,
		.mtime = mtime < EARLIEST_MTIME ? EARLIEST_MTIME : mtime,
		.size = px_kind_is_dir(kind) ? DIRECTORY_SIZE : size,
	};
}

int px_content_attr(struct px_content *c, const char *path,
		    const struct px_stat *known, enum px_kind kind,
		    struct px_attr *ret)
{
	struct px_stat st;
	int r;

	if (known) {
		px_content_fill_attr(c, known, kind, known->fp.size, ret);
		return 0;
	}
	r = kind == PX_KIND_FILE ? px_tree_stat_file(c->o.tree, path, &st)
				 : px_tree_stat(c->o.tree, path, &st);
	if (r < 0)
		return r;
	if ((px_kind_is_dir(kind) && st.type != PX_TYPE_DIR) ||
	    (kind == PX_KIND_LINK && st.type != PX_TYPE_LNK))
		return -ESTALE;
	px_content_fill_attr(c, &st, kind, st.fp.size, ret);
	return 0;
}

static void log_notes(struct px_content *c, const char *dir,
		      const struct px_view *v)
{
	size_t i;

	for (i = 0; i < px_view_n_notes(v); i++) {
		const struct px_note *note = px_view_note(v, i);
		PX_AUTOFREE char *path = px_path_join(dir, note->source);

		if (path && px_content_first_time(c, path, 1))
			px_log(PX_LOG_WARNING, "%s: %s", path, note->text);
	}
}

static int list(struct px_content *c, const char *path, enum px_kind kind,
		bool stats, struct px_view **ret, struct px_fingerprint *ret_fp,
		bool *ret_young)
{
	const struct px_view_options o = {
		.rules = c->o.rules,
		.cache_tag = c->o.python->cache_tag,
	};
	struct px_listing l;
	int r = px_tree_list(c->o.tree, path, stats, &l);

	if (r < 0)
		return r;
	r = kind == PX_KIND_PYCACHE ? px_view_pycache(&l, path, &o, ret)
				    : px_view_new(&l, path, &o, ret);
	*ret_fp = l.dir.fp;
	*ret_young = l.young;
	px_listing_fini(&l);
	return r;
}

/* Whether exclusion leaves nothing of a directory: it was not empty, and is
 * now. Ends at the first thing that is shipped. */
static bool is_void(struct px_content *c, const char *path)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool young, gone;
	size_t i;

	if (list(c, path, PX_KIND_DIR, false, &v, &fp, &young) < 0)
		return false;
	gone = px_view_n_excluded(v) > 0 || px_view_count(v) > 0;
	for (i = 0; gone && i < px_view_count(v); i++) {
		const struct px_entry *e = px_view_at(v, i);
		PX_AUTOFREE char *below = NULL;

		gone = e->kind == PX_KIND_DIR;
		if (gone) {
			below = px_path_join(path, e->source);
			gone = below && is_void(c, below);
		}
	}
	px_view_unref(v);
	return gone;
}

/* Takes void directories out. 1 if there were any. */
static int drop_void(struct px_content *c, const char *path, struct px_view **v)
{
	const size_t n = px_view_count(*v);
	PX_AUTOFREE bool *gone = calloc(n + 1, sizeof(*gone));
	struct px_view *rest;
	bool any = false;
	size_t i;
	int r;

	if (!gone)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct px_entry *e = px_view_at(*v, i);
		PX_AUTOFREE char *below = NULL;

		if (e->kind != PX_KIND_DIR)
			continue;
		below = px_path_join(path, e->source);
		gone[i] = below && is_void(c, below);
		any |= gone[i];
	}
	if (!any)
		return 0;
	r = px_view_without(*v, gone, &rest);
	if (r < 0)
		return r;
	px_view_unref(*v);
	*v = rest;
	return 1;
}

/* RECORDs and whoever walks the tree look at the same directories. */
#define N_BUCKETS   4096
#define MAX_ENTRIES 500000

static struct kept_view **bucket(struct px_content *c, const char *path,
				 enum px_kind kind)
{
	return &c->views[px_hash64(kind, path, strlen(path)) % N_BUCKETS];
}

/* -ENOENT: it is not among those kept. */
static int get_kept(struct px_content *c, const char *path, enum px_kind kind,
		    struct px_view **ret, struct px_fingerprint *ret_fp,
		    bool *ret_stable)
{
	const struct kept_view *k;

	if (!c->o.immutable)
		return -ENOENT;
	pthread_mutex_lock(&c->lock);
	k = c->views ? *bucket(c, path, kind) : NULL;
	while (k && (k->kind != kind || strcmp(k->path, path) != 0))
		k = k->next;
	if (k) {
		*ret = px_view_ref(k->view);
		*ret_fp = k->fp;
		*ret_stable = k->stable;
	}
	pthread_mutex_unlock(&c->lock);
	return k ? 0 : -ENOENT;
}

static void keep(struct px_content *c, const char *path, enum px_kind kind,
		 struct px_view *v, const struct px_fingerprint *fp,
		 bool stable)
{
	const size_t n = strlen(path) + 1;
	struct kept_view *k, **at;

	k = c->o.immutable ? calloc(1, sizeof(*k) + n) : NULL;
	if (!k)
		return;
	*k = (struct kept_view){.fp = *fp, .stable = stable, .kind = kind};
	memcpy(k->path, path, n);
	pthread_mutex_lock(&c->lock);
	if (!c->views)
		c->views = calloc(N_BUCKETS, sizeof(struct kept_view *));
	if (c->views && c->n_kept < MAX_ENTRIES) {
		k->view = px_view_ref(v);
		c->n_kept += px_view_count(v) + 1;
		at = bucket(c, path, kind);
		k->next = *at;
		*at = k;
		k = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	free(k);
}

void px_content_forget_views(struct px_content *c)
{
	struct kept_view *next;
	size_t i;

	for (i = 0; c->views && i < N_BUCKETS; i++)
		for (; c->views[i]; c->views[i] = next) {
			next = c->views[i]->next;
			px_view_unref(c->views[i]->view);
			free(c->views[i]);
		}
	free(c->views);
}

int px_content_view(struct px_content *c, const char *path, enum px_kind kind,
		    struct px_view **ret, struct px_fingerprint *ret_fp,
		    bool *ret_stable)
{
	struct px_view *v;
	bool young;
	int r;

	if (get_kept(c, path, kind, ret, ret_fp, ret_stable) == 0)
		return 0;
	r = list(c, path, kind, c->o.immutable, &v, ret_fp, &young);
	if (r < 0)
		return r;
	if (px_rules_hide(c->o.rules) && kind == PX_KIND_DIR)
		r = drop_void(c, path, &v);
	if (r < 0) {
		px_view_unref(v);
		return r;
	}
	log_notes(c, path, v);
	*ret_stable = !young && r == 0;
	keep(c, path, kind, v, ret_fp, *ret_stable);
	*ret = v;
	return 0;
}

void px_content_check_pyc(struct px_content *c, const char *path, int fd)
{
	const size_t n = strlen(path);
	uint8_t magic[4];

	if (n < 4 || strcmp(path + n - 4, ".pyc") != 0)
		return;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    px_get_le32(magic) == c->o.python->magic)
		return;
	if (px_content_first_time(c, path, 2))
		px_log(PX_LOG_WARNING,
		       "%s: shipped as it is, but it is not bytecode of %s: "
		       "that Python cannot import it",
		       path, c->o.python->cache_tag);
}
