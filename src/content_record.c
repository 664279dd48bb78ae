/* SPDX-License-Identifier: MIT */
/*
 * RECORD as the view has it: what is not shipped has no row, X.py is X.pyc,
 * and the generated .pyc of kept sources have rows. First a plan is made, row
 * by row; then those modules are asked for whose row depends on whether they
 * compile; then the plan is written.
 */
#include "content_i.h"

#include "pycfs/log.h"

#include <limits.h>
#include <stdio.h>

/* The largest RECORD seen has some 20,000 rows and 2 MB. */
#define RECORD_MAX (64u << 20)

struct row {
	char *name;
	const char *rest; /* into the source; NULL: no hash and size */
	size_t n_rest;
	/* If this does not compile, there is no such row, or one for the
	 * source. NULL: it is certain. */
	char *ask;
	enum px_kind ask_kind;
	bool rejected;
	bool or_source;
};

/* A directory that is shipped. What is not in its view is not looked for. */
struct seen_dir {
	struct seen_dir *next;	  /* of all */
	struct px_view *view;	  /* NULL: it cannot be listed */
	struct seen_dir *below[]; /* by the view's entries; NULL: not seen */
};

struct record {
	struct px_content *c;
	px_content_done done;
	void *arg;
	struct px_stat st;
	struct px_buf source;
	const char *path;
	char *site;	       /* the directory that rows are relative to */
	struct seen_dir *root; /* NULL: not seen */
	struct seen_dir *dirs; /* all of them */
	struct row *rows;
	size_t n;
	size_t capacity;
	_Atomic size_t left; /* answers still to come */
	_Atomic int err;
	char text[];
};

static void record_free(struct record *rec)
{
	struct seen_dir *d, *next;
	size_t i;

	for (i = 0; i < rec->n; i++) {
		free(rec->rows[i].name);
		free(rec->rows[i].ask);
	}
	for (d = rec->dirs; d; d = next) {
		next = d->next;
		px_view_unref(d->view);
		free(d);
	}
	free(rec->rows);
	free(rec->site);
	px_buf_fini(&rec->source);
	free(rec);
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path)) : strdup("");
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Row `name` as a path in SOURCE, without . and ..; false if it leads out, or
 * is too long to be opened: then nothing of it is shipped. */
static bool resolve(const char *site, const char *name, char path[PATH_MAX])
{
	char *end, *cut;
	size_t n;

	if (*name == '/' || strlen(site) + strlen(name) + 2 > PATH_MAX)
		return false;
	end = stpcpy(path, site);
	for (; *name; name += n, name += *name == '/') {
		n = strcspn(name, "/");
		if (n == 0 || (n == 1 && *name == '.'))
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			if (end == path)
				return false;
			cut = strrchr(path, '/');
			end = cut ? cut : path;
			*end = '\0';
			continue;
		}
		if (end != path)
			*end++ = '/';
		memcpy(end, name, n);
		end += n;
		*end = '\0';
	}
	return true;
}

/* NULL: out of memory. */
static struct seen_dir *see(struct record *rec, const char *dir)
{
	struct px_view *v = NULL;
	struct px_fingerprint fp;
	struct seen_dir *d;
	bool stable;
	size_t n = 0;

	if (px_content_view(rec->c, dir, PX_KIND_DIR, &v, &fp, &stable) == 0)
		n = px_view_count(v);
	d = calloc(1, sizeof(*d) + n * sizeof(d->below[0]));
	if (!d) {
		px_view_unref(v);
		return NULL;
	}
	d->view = v;
	d->next = rec->dirs;
	rec->dirs = d;
	return d;
}

/* Directory `name`, whose whole path is `path`, of `d`; NULL: none. */
static struct seen_dir *step_down(struct record *rec, struct seen_dir *d,
				  const char *name, const char *path)
{
	const struct px_entry *e = d->view ? px_view_find(d->view, name) : NULL;
	struct seen_dir **below;

	if (!e || e->kind != PX_KIND_DIR)
		return NULL;
	below = &d->below[e - px_view_at(d->view, 0)];
	if (!*below)
		*below = see(rec, path);
	return *below;
}

/* The view of the directory that `path` is in, borrowed; NULL if that is not
 * shipped. Goes down from the root and no further than what is shipped: the
 * work follows the tree, whatever a RECORD names. */
static const struct px_view *view_around(struct record *rec, char *path)
{
	char *name = path, *slash;
	struct seen_dir *d;

	if (!rec->root)
		rec->root = see(rec, "");
	for (d = rec->root; d && (slash = strchr(name, '/'));
	     name = slash + 1) {
		*slash = '\0';
		d = step_down(rec, d, name, path);
		*slash = '/';
	}
	return d ? d->view : NULL;
}

static int add_row(struct record *rec, char *name, const char *rest,
		   size_t n_rest, struct row **ret)
{
	struct row *rows;
	size_t capacity;

	if (name && rec->n == rec->capacity) {
		capacity = rec->capacity ? rec->capacity * 2 : 64;
		rows = reallocarray(rec->rows, capacity, sizeof(*rows));
		if (!rows) {
			free(name);
			return -ENOMEM;
		}
		rec->rows = rows;
		rec->capacity = capacity;
	}
	if (!name)
		return -ENOMEM;
	*ret = &rec->rows[rec->n++];
	**ret = (struct row){.name = name, .rest = rest, .n_rest = n_rest};
	return 0;
}

static int make_doubtful(struct row *row, const char *path, enum px_kind kind)
{
	row->ask = strdup(path);
	row->ask_kind = kind;
	return row->ask ? 0 : -ENOMEM;
}

static int plan_module(struct record *rec, const char *name, const char *path,
		       const char *rest, size_t n_rest)
{
	const enum px_on_error how = rec->c->o.on_error;
	struct row *row;
	char *shipped;
	int r;

	if (asprintf(&shipped, "%sc", name) < 0)
		return -ENOMEM;
	r = add_row(rec, shipped, NULL, 0, &row);
	if (r < 0 || how == PX_ON_ERROR_FAIL)
		return r;
	row->or_source = how == PX_ON_ERROR_SOURCE;
	row->rest = rest;
	row->n_rest = n_rest;
	return make_doubtful(row, path, PX_KIND_MODULE);
}

/* The generated .pyc of a kept source. */
static int plan_kept(struct record *rec, const char *name, const char *path)
{
	const int dir = (int)(base_of(name) - name);
	char cached[NAME_MAX + 1];
	struct row *row;
	char *row_name;
	int r;

	if (!px_view_cached_name(base_of(name), rec->c->o.python->cache_tag,
				 cached))
		return 0;
	if (asprintf(&row_name, "%.*s__pycache__/%s", dir, name, cached) < 0)
		return -ENOMEM;
	r = add_row(rec, row_name, NULL, 0, &row);
	return r < 0 ? r : make_doubtful(row, path, PX_KIND_KEPT);
}

/* Whether `e`, which is there by its own name, is a kept source. */
static bool is_kept(const struct px_view *v, const struct px_entry *e)
{
	const struct px_entry *cache = px_view_find(v, "__pycache__");
	const size_t n = strlen(e->name);

	return cache && cache->kind == PX_KIND_PYCACHE &&
	       e->kind == PX_KIND_FILE && n >= 3 &&
	       strcmp(e->name + n - 3, ".py") == 0;
}

static int plan_path(struct record *rec, const char *name, char *path,
		     const char *rest, size_t n_rest)
{
	const struct px_view *v = view_around(rec, path);
	const char *base = base_of(path);
	const struct px_entry *e;
	struct row *row;
	int r;

	if (!v)
		return 0;
	e = px_view_find(v, base);
	if (e && strcmp(e->source, base) == 0) {
		r = add_row(rec, strdup(name), rest, n_rest, &row);
		if (r == 0 && is_kept(v, e))
			r = plan_kept(rec, name, path);
		return r;
	}
	e = px_view_find_source(v, base);
	return e ? plan_module(rec, name, path, rest, n_rest) : 0;
}

static int make_plan(struct record *rec)
{
	struct px_record_reader reader = {(const char *)rec->source.data,
					  rec->source.size, 0};
	PX_AUTO(px_buf_fini) struct px_buf name = {.max = RECORD_MAX};
	char path[PATH_MAX];
	const char *rest;
	size_t n_rest;
	int r;

	while ((r = px_record_next(&reader, &name, &rest, &n_rest)) > 0) {
		if (resolve(rec->site, (const char *)name.data, path))
			r = plan_path(rec, (const char *)name.data, path, rest,
				      n_rest);
		if (r < 0)
			return r;
	}
	return r;
}

static int write_rows(struct record *rec, struct px_buf *out)
{
	size_t i;
	int r = 0;

	for (i = 0; i < rec->n && r == 0; i++) {
		struct row *row = &rec->rows[i];

		if (row->rejected && !row->or_source)
			continue;
		if (row->rejected) /* X.py, not X.pyc */
			row->name[strlen(row->name) - 1] = '\0';
		r = px_record_put(out, row->name,
				  row->ask && !row->rejected ? NULL : row->rest,
				  row->n_rest);
	}
	return r;
}

static void hand_over(struct px_content *c, const struct px_stat *st,
		      struct px_blob *b, px_content_done done, void *arg)
{
	struct px_module m = {
		.kind = PX_BLOB_CODE,
		.tag = px_hash64(b->size, b->data, b->size) | 1,
		.source_size = st->fp.size,
		.blob = b,
	};

	px_content_fill_attr(c, st, PX_KIND_RECORD, b->size, &m.attr);
	done(arg, 0, &m);
}

/* In a source that does not change, neither does what it lists. */
static void remember(struct record *rec, struct px_blob *b)
{
	const size_t n = strlen(rec->path) + 1;
	struct px_content *c = rec->c;
	struct made_record *made;

	made = c->o.immutable ? calloc(1, sizeof(*made) + n) : NULL;
	if (!made)
		return;
	made->st = rec->st;
	made->blob = px_blob_ref(b);
	memcpy(made->path, rec->path, n);
	pthread_mutex_lock(&c->lock);
	made->next = c->records;
	c->records = made;
	pthread_mutex_unlock(&c->lock);
}

/* What was remembered is never changed or freed before the content is. */
static const struct made_record *recall(struct px_content *c, const char *path)
{
	const struct made_record *made;

	pthread_mutex_lock(&c->lock);
	made = c->records;
	pthread_mutex_unlock(&c->lock);
	while (made && strcmp(made->path, path) != 0)
		made = made->next;
	return made;
}

void px_content_forget_records(struct px_content *c)
{
	struct made_record *next;

	for (; c->records; c->records = next) {
		next = c->records->next;
		px_blob_unref(c->records->blob);
		free(c->records);
	}
}

static void deliver(struct record *rec, const struct px_buf *bytes)
{
	struct px_blob *b =
		px_blob_new(PX_BLOB_CODE, 0, 0, bytes->data, bytes->size);

	if (!b) {
		rec->done(rec->arg, -ENOMEM, NULL);
		return;
	}
	remember(rec, b);
	hand_over(rec->c, &rec->st, b, rec->done, rec->arg);
	px_blob_unref(b);
}

static void finish(struct record *rec)
{
	PX_AUTO(px_buf_fini) struct px_buf out = {.max = RECORD_MAX};
	int r = rec->err;

	if (r == 0)
		r = write_rows(rec, &out);
	if (r < 0)
		rec->done(rec->arg, r, NULL);
	else
		deliver(rec, &out);
	record_free(rec);
}

static void put(struct record *rec)
{
	if (atomic_fetch_sub(&rec->left, 1) == 1)
		finish(rec);
}

struct question {
	struct record *rec;
	size_t i;
};

static void on_module(void *arg, int err, const struct px_module *m)
{
	struct question *q = arg;
	struct record *rec = q->rec;

	if (err == -ECANCELED || err == -ENOMEM)
		rec->err = err;
	else if (err == 0)
		rec->rows[q->i].rejected = m->kind != PX_BLOB_CODE;
	free(q);
	put(rec);
}

static void ask_all(struct record *rec)
{
	size_t i;

	rec->left = 1; /* ours */
	for (i = 0; i < rec->n; i++) {
		const struct row *row = &rec->rows[i];
		struct question *q;

		if (!row->ask)
			continue;
		q = malloc(sizeof(*q));
		if (!q) {
			rec->err = -ENOMEM;
			break;
		}
		*q = (struct question){rec, i};
		atomic_fetch_add(&rec->left, 1);
		px_content_get(rec->c, row->ask, NULL, row->ask_kind,
			       PX_WANT_SIZE, on_module, q);
	}
	put(rec);
}

static int prepare(struct record *rec)
{
	char *dist_info;

	rec->source.max = RECORD_MAX;
	dist_info = parent_of(rec->path);
	rec->site = dist_info ? parent_of(dist_info) : NULL;
	free(dist_info);
	if (!rec->site)
		return -ENOMEM;
	return px_tree_read(rec->c->o.tree, rec->path, &rec->source, &rec->st);
}

void px_content_record(struct px_content *c, const char *path,
		       px_content_done done, void *arg)
{
	const struct made_record *made = recall(c, path);
	const size_t n = strlen(path) + 1;
	struct record *rec;
	int r;

	if (made) {
		hand_over(c, &made->st, made->blob, done, arg);
		return;
	}
	rec = calloc(1, sizeof(*rec) + n);
	if (!rec) {
		done(arg, -ENOMEM, NULL);
		return;
	}
	memcpy(rec->text, path, n);
	rec->path = rec->text;
	rec->c = c;
	rec->done = done;
	rec->arg = arg;
	r = prepare(rec);
	if (r == 0)
		r = make_plan(rec);
	if (r == 0) {
		ask_all(rec);
		return;
	}
	if (r == -EBADMSG) {
		if (px_content_first_time(c, path, 3))
			px_log(PX_LOG_WARNING,
			       "%s: no RECORD that can be "
			       "read: shipped as it is",
			       path);
		deliver(rec, &rec->source);
	} else {
		done(arg, r, NULL);
	}
	record_free(rec);
}
