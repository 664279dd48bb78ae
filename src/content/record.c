/* SPDX-License-Identifier: MIT */
/*
 * A RECORD is generated in three steps. First a plan is made, row by row: what
 * is not shipped has no row, X.py becomes X.pyc, and the .pyc that are
 * generated for kept sources get rows. Then those modules are asked for whose
 * row depends on whether they compile. Then the rows are written.
 */
#include "record.h"

#include "attr.h"
#include "mark.h"
#include "verdict.h"

#include "pycfs/log.h"
#include "pycfs/map.h"
#include "pycfs/record.h"

#include <limits.h>
#include <stdio.h>

/* In bytes. The largest RECORD seen has some 20,000 rows and 2 MB. */
#define RECORD_MAX (64u << 20)

/* A RECORD that was generated; never changed or freed before px_records_free.
 */
struct cached_record {
	struct px_map_node node;
	struct px_stat st;
	struct px_blob *blob;
	char path[];
};

struct px_records {
	struct px_records_options o;
	pthread_mutex_t lock;
	struct px_map cached; /* under lock: by path */
};

/* A row of the RECORD that is planned. */
struct row {
	char *name;
	const char *rest; /* into the source; NULL: no hash and size */
	size_t n_rest;
	/* The module that decides: if it does not compile, there is no such
	 * row, or one for the source. NULL: nothing depends on a compile. */
	char *module;
	enum px_kind module_kind;
	bool or_source;
};

/* A directory that is shipped and that rows lead to. */
struct listed_dir {
	struct listed_dir *next;    /* of all */
	struct px_view *view;	    /* NULL: it cannot be listed */
	struct listed_dir *below[]; /* by the view's entries; NULL: not yet */
};

/* One RECORD while it is being generated. */
struct record {
	struct px_records *rs;
	px_content_done done;
	void *arg;
	struct px_stat st;
	struct px_buf source;
	char *site;		 /* the directory that rows are relative to */
	struct listed_dir *root; /* NULL: not listed yet */
	struct listed_dir *dirs; /* all of them */
	struct row *rows;
	size_t n;
	size_t capacity;
	char path[];
};

static void record_free(struct record *rec)
{
	struct listed_dir *d, *next;
	size_t i;

	for (i = 0; i < rec->n; i++) {
		free(rec->rows[i].name);
		free(rec->rows[i].module);
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

/* The path in SOURCE that row `name` stands for, without "." and "..". False if
 * it leads out of SOURCE or is too long to be opened: then it is not shipped.
 */
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

/* Lists directory `dir` of the source, once for this RECORD. NULL: no memory.
 */
static struct listed_dir *list_dir(struct record *rec, const char *dir)
{
	struct px_view *v = NULL;
	struct px_fingerprint fp;
	struct listed_dir *d;
	bool stable;
	size_t n = 0;

	if (px_dirs_view(rec->rs->o.dirs, dir, PX_KIND_DIR, &v, &fp, &stable) ==
	    0)
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

/* Directory `name` of `d`, whose path in the source is `path`. NULL: it is not
 * shipped, or no memory. */
static struct listed_dir *step_down(struct record *rec, struct listed_dir *d,
				    const char *name, const char *path)
{
	const struct px_entry *e = d->view ? px_view_find(d->view, name) : NULL;
	struct listed_dir **below;

	if (!e || e->kind != PX_KIND_DIR)
		return NULL;
	below = &d->below[e - px_view_at(d->view, 0)];
	if (!*below)
		*below = list_dir(rec, path);
	return *below;
}

/* The view of the directory that `path` is in, borrowed; NULL if that is not
 * shipped. Goes down from the root, only through directories that are shipped,
 * so that a RECORD that names what is not there costs nothing. `path` is
 * unchanged afterwards. */
static const struct px_view *view_around(struct record *rec, char *path)
{
	char *name = path, *slash;
	struct listed_dir *d;

	if (!rec->root)
		rec->root = list_dir(rec, "");
	for (d = rec->root; d && (slash = strchr(name, '/'));
	     name = slash + 1) {
		*slash = '\0';
		d = step_down(rec, d, name, path);
		*slash = '/';
	}
	return d ? d->view : NULL;
}

/* Adds a row and hands it back, to be filled in. `name` is taken over; NULL
 * stands for no memory. */
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

static int set_module(struct row *row, const char *path, enum px_kind kind)
{
	row->module = strdup(path);
	row->module_kind = kind;
	return row->module ? 0 : -ENOMEM;
}

/* X.pyc in place of X.py. */
static int plan_module(struct record *rec, const char *name, const char *path,
		       const char *rest, size_t n_rest)
{
	const enum px_on_error how = rec->rs->o.o->on_error;
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
	return set_module(row, path, PX_KIND_MODULE);
}

/* The generated .pyc beside a source that a rule keeps. */
static int plan_kept(struct record *rec, const char *name, const char *path)
{
	const int dir = (int)(px_path_name(name) - name);
	char cached[NAME_MAX + 1];
	struct row *row;
	char *row_name;
	int r;

	if (!px_view_cached_name(px_path_name(name), rec->rs->o.o->cache_tag,
				 cached))
		return 0;
	if (asprintf(&row_name, "%.*s__pycache__/%s", dir, name, cached) < 0)
		return -ENOMEM;
	r = add_row(rec, row_name, NULL, 0, &row);
	return r < 0 ? r : set_module(row, path, PX_KIND_KEPT);
}

/* Whether `e`, which is shipped under its own name, is a source that a rule
 * keeps, so that a generated __pycache__ has its .pyc. */
static bool is_kept_source(const struct px_view *v, const struct px_entry *e)
{
	const struct px_entry *pycache = px_view_find(v, "__pycache__");

	return pycache && pycache->kind == PX_KIND_PYCACHE &&
	       e->kind == PX_KIND_FILE && px_ends_in(e->name, ".py");
}

/* Whether the file `path` ships with other bytes than it has in the source.
 * -ENOMEM. Where that cannot be found out, it does not ship either. */
static int is_stripped(const struct record *rec, const char *path,
		       const struct px_entry *e, bool *ret)
{
	const struct px_records_options *o = &rec->rs->o;
	struct px_shipped shipped = {0};
	struct px_stat st;
	int r = 0;

	if (e->st)
		st = *e->st;
	else
		r = px_tree_stat_file(o->o->tree, path, &st);
	if (r == 0)
		r = px_strips_get(o->strips, path, &st, &shipped);
	*ret = shipped.stripped;
	return r == -ENOMEM ? r : 0;
}

/* Plans the rows for row `name` of the source, which stands for `path`: none if
 * nothing of it is shipped. */
static int plan_path(struct record *rec, const char *name, char *path,
		     const char *rest, size_t n_rest)
{
	const struct px_view *v = view_around(rec, path);
	const char *base = px_path_name(path);
	const struct px_entry *e;
	bool stripped = false;
	struct row *row;
	int r = 0;

	if (!v)
		return 0;
	e = px_view_find(v, base);
	if (e && e->kind == PX_KIND_FILE && rec->rs->o.o->strip)
		r = is_stripped(rec, path, e, &stripped);
	if (r < 0)
		return r;
	if (e && strcmp(e->source, base) == 0) {
		r = add_row(rec, strdup(name), stripped ? NULL : rest, n_rest,
			    &row);
		if (r == 0 && is_kept_source(v, e))
			r = plan_kept(rec, name, path);
		return r;
	}
	e = px_view_find_source(v, base);
	return e ? plan_module(rec, name, path, rest, n_rest) : 0;
}

/* Whether `path` is where a script was made, which has a row of its own. */
static bool is_script(const struct record *rec, const char *path)
{
	const struct px_scripts *s = rec->rs->o.o->scripts;
	size_t i;

	for (i = 0; i < px_scripts_count(s); i++)
		if (strcmp(px_scripts_at(s, i)->source, path) == 0)
			return true;
	return false;
}

/* Plans the rows of the scripts that were made of this distribution. */
static int plan_scripts(struct record *rec)
{
	const struct px_scripts *s = rec->rs->o.o->scripts;
	const size_t n = px_path_parent_length(rec->path);
	struct row *row;
	size_t i;
	int r = 0;

	for (i = 0; i < px_scripts_count(s) && r == 0; i++) {
		const struct px_script *script = px_scripts_at(s, i);

		if (strlen(script->dist_info) == n &&
		    memcmp(script->dist_info, rec->path, n) == 0)
			r = add_row(rec, strdup(script->row), script->rest,
				    strlen(script->rest), &row);
	}
	return r;
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
		if (resolve(rec->site, (const char *)name.data, path) &&
		    !is_script(rec, path))
			r = plan_path(rec, (const char *)name.data, path, rest,
				      n_rest);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : plan_scripts(rec);
}

static int write_rows(struct record *rec, const bool *rejected,
		      struct px_buf *out)
{
	size_t i;
	int r = 0;

	for (i = 0; i < rec->n && r == 0; i++) {
		struct row *row = &rec->rows[i];

		if (rejected[i] && !row->or_source)
			continue;
		if (rejected[i]) /* X.py, not X.pyc */
			row->name[strlen(row->name) - 1] = '\0';
		/* The hash and size in the source are those of X.py. */
		r = px_record_put(out, row->name,
				  row->module && !rejected[i] ? NULL
							      : row->rest,
				  row->n_rest);
	}
	return r;
}

static void answer(const struct px_records *rs, const struct px_stat *st,
		   struct px_blob *b, px_content_done done, void *arg)
{
	struct px_module m = {
		.kind = PX_BLOB_CODE,
		.tag = px_hash64(b->size, b->data, b->size) | 1,
		.source_size = st->fp.size,
		.blob = b,
	};

	px_attr_fill(rs->o.o, st, PX_KIND_RECORD, b->size,
		     px_mark_bytes(b->data, b->size), &m.attr);
	done(arg, 0, &m);
}

static uint64_t hash_of(const char *path)
{
	return px_hash64(0, path, strlen(path));
}

/* A RECORD depends on all that it lists, so it is cached only where the source
 * does not change. */
static void put_cached(struct record *rec, struct px_blob *b)
{
	const size_t n = strlen(rec->path) + 1;
	struct px_records *rs = rec->rs;
	struct cached_record *c;

	c = rs->o.o->immutable ? calloc(1, sizeof(*c) + n) : NULL;
	if (!c)
		return;
	c->st = rec->st;
	memcpy(c->path, rec->path, n);
	pthread_mutex_lock(&rs->lock);
	if (px_map_add(&rs->cached, &c->node, hash_of(c->path)) == 0) {
		c->blob = px_blob_ref(b);
		c = NULL;
	}
	pthread_mutex_unlock(&rs->lock);
	free(c);
}

/* NULL: it is not cached. */
static const struct cached_record *find_cached(struct px_records *rs,
					       const char *path)
{
	const struct cached_record *c = NULL;
	struct px_map_node *n;

	pthread_mutex_lock(&rs->lock);
	for (n = px_map_first(&rs->cached, hash_of(path)); n;
	     n = px_map_next(n)) {
		c = PX_CONTAINER(n, struct cached_record, node);
		if (strcmp(c->path, path) == 0)
			break;
	}
	pthread_mutex_unlock(&rs->lock);
	return n ? c : NULL;
}

static void deliver(struct record *rec, const struct px_buf *bytes)
{
	struct px_blob *b =
		px_blob_new(PX_BLOB_CODE, 0, 0, bytes->data, bytes->size);

	if (!b) {
		rec->done(rec->arg, -ENOMEM, NULL);
		return;
	}
	put_cached(rec, b);
	answer(rec->rs, &rec->st, b, rec->done, rec->arg);
	px_blob_unref(b);
}

static void on_verdicts(void *arg, int err, const bool *rejected)
{
	PX_AUTO(px_buf_fini) struct px_buf out = {.max = RECORD_MAX};
	struct record *rec = arg;

	if (err == 0)
		err = write_rows(rec, rejected, &out);
	if (err < 0)
		rec->done(rec->arg, err, NULL);
	else
		deliver(rec, &out);
	record_free(rec);
}

/* Asks for all modules that a row depends on. `rec` may be freed when this
 * returns 0. -ENOMEM. */
static int ask_all(struct record *rec)
{
	const size_t n = rec->n;
	struct px_verdicts *v;
	size_t i;

	if (px_verdicts_new(rec->rs->o.modules, n, on_verdicts, rec, &v) < 0)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (rec->rows[i].module)
			px_verdicts_ask(v, i, rec->rows[i].module,
					rec->rows[i].module_kind);
	px_verdicts_finish(v);
	return 0;
}

/* X.dist-info/RECORD lists paths that are relative to what X.dist-info is in.
 */
static int read_source(struct record *rec)
{
	PX_AUTOFREE char *dist_info = px_path_parent(rec->path);

	rec->source.max = RECORD_MAX;
	rec->site = dist_info ? px_path_parent(dist_info) : NULL;
	if (!rec->site)
		return -ENOMEM;
	return px_tree_read(rec->rs->o.o->tree, rec->path, &rec->source,
			    &rec->st);
}

static struct record *record_new(struct px_records *rs, const char *path,
				 px_content_done done, void *arg)
{
	const size_t n = strlen(path) + 1;
	struct record *rec = calloc(1, sizeof(*rec) + n);

	if (!rec)
		return NULL;
	memcpy(rec->path, path, n);
	rec->rs = rs;
	rec->done = done;
	rec->arg = arg;
	return rec;
}

static void generate(struct record *rec)
{
	int r = read_source(rec);

	if (r == 0)
		r = make_plan(rec);
	if (r == 0)
		r = ask_all(rec);
	if (r == 0)
		return;
	if (r == -EBADMSG) {
		if (px_said_first_time(rec->rs->o.said, rec->path,
				       PX_SAID_BAD_RECORD))
			px_log(PX_LOG_WARNING,
			       "%s: no RECORD that can be "
			       "read: shipped as it is",
			       rec->path);
		deliver(rec, &rec->source);
	} else {
		rec->done(rec->arg, r, NULL);
	}
	record_free(rec);
}

void px_records_get(struct px_records *rs, const char *path,
		    px_content_done done, void *arg)
{
	const struct cached_record *c = find_cached(rs, path);
	struct record *rec;

	if (c) {
		answer(rs, &c->st, c->blob, done, arg);
		return;
	}
	rec = record_new(rs, path, done, arg);
	if (rec)
		generate(rec);
	else
		done(arg, -ENOMEM, NULL);
}

int px_records_new(const struct px_records_options *o, struct px_records **ret)
{
	struct px_records *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return -ENOMEM;
	rs->o = *o;
	pthread_mutex_init(&rs->lock, NULL);
	*ret = rs;
	return 0;
}

void px_records_free(struct px_records *rs)
{
	struct px_map_node *n, *next;
	struct cached_record *c;

	if (!rs)
		return;
	for (n = px_map_each(&rs->cached, NULL); n; n = next) {
		next = px_map_each(&rs->cached, n);
		c = PX_CONTAINER(n, struct cached_record, node);
		px_blob_unref(c->blob);
		free(c);
	}
	px_map_fini(&rs->cached);
	pthread_mutex_destroy(&rs->lock);
	free(rs);
}
