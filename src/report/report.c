/* SPDX-License-Identifier: MIT */
#include "report_i.h"

#include "pycfs/walk.h"

#include <ctype.h>
#include <pthread.h>

#define TICK_MS	    100
#define MAX_THREADS 16

/* A report that is being made. Several threads take items from the same walk
 * and add to the same report. */
struct making {
	const struct px_report_options *o;
	struct px_walk *walk;
	pthread_mutex_t lock;
	/* one thread at a time may have a large source in memory */
	pthread_mutex_t one_large;
	struct px_report *r;	   /* protected by `lock`, like `names` */
	struct px_set names;	   /* of the files that are not in the view */
	struct px_modules modules; /* likewise; protected by `lock` */
	size_t room_files, room_hidden, room_faults;
	int err; /* the first error; protected by `lock`, like err_path */
	char *err_path;
	_Atomic bool stop;
	_Atomic uint64_t done; /* files that were taken, without links */
};

/* ------------------------------------------------------------- collecting */

/* Returns the array with room for one more element, or NULL if out of memory,
 * and then the old array is still valid. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
	const size_t more = *room ? *room * 2 : 64;
	void *bigger;

	if (n < *room)
		return array;
	bigger = reallocarray(array, more, size);
	if (bigger)
		*room = more;
	return bigger;
}

static int add_file(struct making *m, const struct px_report_file *f)
{
	struct px_report *r = m->r;
	struct px_report_file *files =
		grow(r->files, r->n_files, &m->room_files, sizeof(*files));

	if (!files)
		return -ENOMEM;
	r->files = files;
	files[r->n_files++] = *f;
	return 0;
}

static int add_hidden(struct making *m, const struct px_report_hidden *h)
{
	struct px_report *r = m->r;
	struct px_report_hidden *all =
		grow(r->hidden, r->n_hidden, &m->room_hidden, sizeof(*all));

	if (!all)
		return -ENOMEM;
	r->hidden = all;
	all[r->n_hidden++] = *h;
	r->hidden_files += h->files;
	r->hidden_bytes += h->bytes;
	return 0;
}

static int add_fault(struct making *m, const struct px_report_fault *f)
{
	struct px_report *r = m->r;
	struct px_report_fault *all =
		grow(r->faults, r->n_faults, &m->room_faults, sizeof(*all));

	if (!all)
		return -ENOMEM;
	r->faults = all;
	all[r->n_faults++] = *f;
	return 0;
}

/* -------------------------------------------------------------- measuring */

static void add_name(struct making *m, const char *path,
		     const struct px_report_hidden *h)
{
	const bool by_rule = px_rules_excluded(m->o->rules, h->path, h->is_dir);

	pthread_mutex_lock(&m->lock);
	px_report_add_name(&m->names, px_path_name(path));
	if (m->err == 0 &&
	    px_modules_add_hidden(&m->modules, path, by_rule ? h->path : NULL,
				  h->is_dir) < 0)
		m->err = -ENOMEM;
	pthread_mutex_unlock(&m->lock);
}

/* Adds the number and size of the files at `path` and below it, and their
 * names. What cannot be read is not counted. */
static void sum_hidden(struct making *m, const char *path,
		       struct px_report_hidden *h)
{
	struct px_tree *t = m->o->tree;
	struct px_listing l;
	struct px_stat st;
	size_t i;

	if (px_tree_stat(t, path, &st) < 0)
		return;
	if (st.type != PX_TYPE_DIR) {
		h->files++;
		h->bytes += st.type == PX_TYPE_REG ? st.fp.size : 0;
		add_name(m, path, h);
		return;
	}
	h->is_dir = true;
	if (px_tree_list(t, path, PX_LIST_STATS, &l) < 0)
		return;
	for (i = 0; i < l.n; i++) {
		PX_AUTOFREE char *below = px_path_join(path, l.names[i].name);

		if (!below)
			continue;
		if (l.names[i].type == PX_TYPE_DIR) {
			sum_hidden(m, below, h);
			continue;
		}
		h->files++;
		add_name(m, below, h);
		if (l.names[i].st && l.names[i].type == PX_TYPE_REG)
			h->bytes += l.names[i].st->fp.size;
	}
	px_listing_fini(&l);
}

static int report_file(struct making *m, struct px_meter *meter,
		       const struct px_item *i)
{
	struct px_report_file f = {.kind = i->attr.kind,
				   .bytes = i->attr.size,
				   .saved_bytes = i->attr.unstripped > 0
							  ? i->attr.unstripped -
								    i->attr.size
							  : 0,
				   .pycache.at = -1,
				   .recipe.at = -1};
	const size_t n = strlen(i->path) + 1, k = strlen(i->source) + 1;
	int r = 0;

	if (i->attr.kind != PX_KIND_LINK)
		r = px_report_measure(m->o, meter, &m->one_large, i, &f);
	else
		f.bytes = 0;
	f.path = r < 0 ? NULL : malloc(n + k);
	if (!f.path) {
		free(f.findings);
		return r < 0 ? r : -ENOMEM;
	}
	memcpy(f.path, i->path, n);
	f.source = memcpy(f.path + n, i->source, k);
	pthread_mutex_lock(&m->lock);
	r = add_file(m, &f);
	pthread_mutex_unlock(&m->lock);
	if (r < 0) {
		free(f.path);
		free(f.findings);
	}
	return r;
}

static int report_hidden(struct making *m, const struct px_item *i)
{
	struct px_report_hidden h = {.path = strdup(i->source),
				     .why = i->hidden};
	int r;

	if (!h.path)
		return -ENOMEM;
	sum_hidden(m, i->source, &h);
	pthread_mutex_lock(&m->lock);
	r = add_hidden(m, &h);
	pthread_mutex_unlock(&m->lock);
	if (r < 0)
		free(h.path);
	return r;
}

static int report_fault(struct making *m, const struct px_item *i)
{
	struct px_report_fault f = {strdup(i->source), px_blob_ref(i->blob)};
	int r = -ENOMEM;

	if (f.path) {
		pthread_mutex_lock(&m->lock);
		r = add_fault(m, &f);
		pthread_mutex_unlock(&m->lock);
	}
	if (r < 0) {
		free(f.path);
		px_blob_unref(f.why);
	}
	return r;
}

static int report_item(struct making *m, struct px_meter *meter,
		       const struct px_item *i)
{
	if (i->err < 0)
		return i->err;
	if (i->hidden)
		return report_hidden(m, i);
	if (px_kind_is_dir(i->attr.kind))
		return 0;
	if (i->blob && i->blob->kind != PX_BLOB_CODE)
		return report_fault(m, i);
	atomic_fetch_add(&m->done, i->attr.kind != PX_KIND_LINK);
	return report_file(m, meter, i);
}

static void fail(struct making *m, int err, const char *path)
{
	pthread_mutex_lock(&m->lock);
	if (m->err == 0) {
		m->err = err;
		m->err_path = strdup(path);
	}
	pthread_mutex_unlock(&m->lock);
	m->stop = true;
}

static void *take_items(void *arg)
{
	struct making *m = arg;
	struct px_meter *meter;
	bool end = false;
	int r = px_meter_new(m->o->cache, &meter);

	if (r < 0) {
		fail(m, r, "");
		return NULL;
	}
	while (!end && !m->stop) {
		struct px_item *i = px_walk_fetch(m->walk, TICK_MS, &end);

		r = i ? report_item(m, meter, i) : 0;
		if (r < 0)
			fail(m, r, i->source);
		px_item_free(i);
	}
	px_meter_free(meter);
	return NULL;
}

/* ---------------------------------------------------------------- summing */

/* Whether this is a shared library: "x.so", or with version numbers behind it,
 * like "libx.so.1.2" in the *.libs directory of a wheel. The HTML page has the
 * same test (NATIVE in report/model.js). */
static bool is_native(const char *path)
{
	size_t n = strlen(path), m;

	while (n <= 3 || memcmp(path + n - 3, ".so", 3) != 0) {
		for (m = n; m > 0 && isdigit((unsigned char)path[m - 1]); m--)
			;
		if (m == n || m == 0 || path[m - 1] != '.')
			return false;
		n = m - 1;
	}
	return true;
}

void px_report_add_sizes(struct px_report_sizes *to,
			 const struct px_report_file *f)
{

	to->recipe_bytes += f->recipe.bytes;
	to->deflate_bytes += f->deflate_bytes;
	to->zstd_bytes += f->zstd_bytes;
	to->source_deflate_bytes += f->source_deflate_bytes;
	to->source_zstd_bytes += f->source_zstd_bytes;
	if (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT) {
		to->modules++;
		to->source_bytes += f->source_bytes;
		to->bytecode_bytes += f->bytes;
		to->pycache_bytes += f->pycache.bytes;
		return;
	}
	to->other_files++;
	to->other_bytes += f->bytes;
	to->stripped += f->saved_bytes > 0;
	to->saved_bytes += f->saved_bytes;
	if (is_native(f->path))
		to->native_bytes += f->bytes;
}

static int compare_files(const void *a, const void *b)
{
	const struct px_report_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int compare_hidden(const void *a, const void *b)
{
	const struct px_report_hidden *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int compare_faults(const void *a, const void *b)
{
	const struct px_report_fault *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int compare_digests(const void *a, const void *b, void *arg)
{
	const struct px_report *r = arg;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const int c =
		memcmp(r->files[x].digest, r->files[y].digest, PX_DIGEST_SIZE);

	return c ? c : (x > y) - (x < y);
}

static int compare_twins(const void *a, const void *b)
{
	const struct px_report_twins *x = a, *y = b;
	const uint64_t p = x->bytes * (x->n - 1), q = y->bytes * (y->n - 1);

	if (p != q)
		return p < q ? 1 : -1;
	return (x->files[0] > y->files[0]) - (x->files[0] < y->files[0]);
}

static int add_twins(struct px_report *r, const size_t *first, size_t n)
{
	struct px_report_twins *all =
		reallocarray(r->twins, r->n_twins + 1, sizeof(*all));
	struct px_report_twins *t;

	if (!all)
		return -ENOMEM;
	r->twins = all;
	t = &all[r->n_twins];
	*t = (struct px_report_twins){
		.bytes = r->files[*first].bytes,
		.n = n,
		.files = malloc(n * sizeof(*t->files)),
	};
	if (!t->files)
		return -ENOMEM;
	memcpy(t->files, first, n * sizeof(*t->files));
	r->n_twins++;
	r->twin_bytes += t->bytes * (n - 1);
	return 0;
}

static int find_twins(struct px_report *r)
{
	PX_AUTOFREE size_t *order = calloc(r->n_files + 1, sizeof(*order));
	size_t n = 0, i, k;
	int err = 0;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < r->n_files; i++)
		if (r->files[i].bytes > 0)
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), compare_digests, r);
	for (i = 0; i < n && err == 0; i = k) {
		for (k = i + 1; k < n && memcmp(r->files[order[i]].digest,
						r->files[order[k]].digest,
						PX_DIGEST_SIZE) == 0;
		     k++)
			;
		if (k - i > 1)
			err = add_twins(r, order + i, k - i);
	}
	if (r->n_twins > 1)
		qsort(r->twins, r->n_twins, sizeof(*r->twins), compare_twins);
	return err;
}

static void sort(void *array, size_t n, size_t size,
		 int (*compare)(const void *, const void *))
{
	if (n > 1)
		qsort(array, n, size, compare);
}

static int sum_up(struct making *m)
{
	const struct px_report_options *o = m->o;
	struct px_report *r = m->r;
	size_t i;
	int err;

	sort(r->files, r->n_files, sizeof(*r->files), compare_files);
	sort(r->hidden, r->n_hidden, sizeof(*r->hidden), compare_hidden);
	sort(r->faults, r->n_faults, sizeof(*r->faults), compare_faults);
	err = px_report_assign(r, o->tree);
	for (i = 0; i < r->n_files && err == 0; i++) {
		const struct px_report_file *f = &r->files[i];

		px_report_add_sizes(&r->total, f);
		px_report_add_sizes(&r->dists[f->dist].sizes, f);
	}
	if (err == 0)
		err = px_report_pack(r, o);
	if (err == 0)
		err = px_report_use_rules(r, o);
	if (err == 0)
		err = px_report_find_risks(r, o, &m->names, &m->modules);
	return err < 0 ? err : find_twins(r);
}

/* ---------------------------------------------------------------- running */

static int run(struct making *m, struct px_why *why)
{
	const struct px_report_options *o = m->o;
	pthread_t threads[MAX_THREADS];
	unsigned n = 0, i;
	const unsigned want = o->jobs < MAX_THREADS ? o->jobs : MAX_THREADS;
	const char *path = "";
	const struct px_walk_options walk = {
		.content = o->content,
		.tree = o->tree,
		.jobs = o->jobs,
		.want = PX_WANT_SIZE,
		.hidden = true,
	};
	int r = px_walk_start(&walk, &m->walk);

	while (r == 0 && n < want) {
		r = px_thread_start(&threads[n], take_items, m);
		n += r == 0;
	}
	if (r < 0)
		m->stop = true;
	/* This thread only calls tick until the others have ended. */
	for (i = 0; i < n;) {
		i += px_thread_ended(threads[i], TICK_MS);
		if (!o->tick(o->tick_arg, m->done))
			fail(m, -ECANCELED, "");
	}
	if (r == 0)
		r = m->err;
	if (r == 0)
		r = px_walk_error(m->walk, &path);
	else if (m->err_path)
		path = m->err_path;
	if (r == -ECANCELED)
		px_because(why, r, "interrupted");
	else if (r < 0)
		px_because(why, r, "%s: %s", *path ? path : "SOURCE",
			   strerror(-r));
	px_walk_free(m->walk);
	return r;
}

int px_report_make(const struct px_report_options *o, struct px_report *ret,
		   struct px_why *why)
{
	struct making m = {.o = o,
			   .r = ret,
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .one_large = PTHREAD_MUTEX_INITIALIZER};
	int r;

	*ret = (struct px_report){0};
	r = run(&m, why);
	free(m.err_path);
	pthread_mutex_destroy(&m.lock);
	if (r == 0) {
		r = sum_up(&m);
		if (r == -ECANCELED)
			px_because(why, r, "interrupted");
		else if (r < 0)
			px_because(why, r, "cannot sum up: %s", strerror(-r));
	}
	px_set_fini(&m.names);
	px_modules_fini(&m.modules);
	return r;
}

void px_report_fini(struct px_report *r)
{
	size_t i;

	for (i = 0; i < r->n_files; i++) {
		free(r->files[i].path);
		free(r->files[i].findings);
	}
	free(r->risks);
	for (i = 0; i < r->n_texts; i++)
		free(r->texts[i]);
	free(r->texts);
	for (i = 0; i < r->n_dists; i++) {
		free(r->dists[i].name);
		free(r->dists[i].version);
		free(r->dists[i].dir);
	}
	for (i = 0; i < r->n_hidden; i++)
		free(r->hidden[i].path);
	for (i = 0; i < r->n_rules; i++)
		free(r->rules[i].text);
	free(r->rules);
	for (i = 0; i < r->n_faults; i++) {
		free(r->faults[i].path);
		px_blob_unref(r->faults[i].why);
	}
	for (i = 0; i < r->n_twins; i++)
		free(r->twins[i].files);
	free(r->files);
	free(r->dists);
	free(r->hidden);
	free(r->faults);
	free(r->twins);
}
