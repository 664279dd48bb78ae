/* SPDX-License-Identifier: MIT */
#include "content_i.h"

#include "pycfs/log.h"

#include <limits.h>
#include <stdio.h>

#define N_BUCKETS 1024

struct waiter {
	struct waiter *next;
	px_content_done done;
	void *arg;
};

/* One module being found out, for everybody who asked meanwhile. */
struct flight {
	struct room_ticket ticket; /* the first member */
	struct flight *next;	   /* in its bucket, under lock */
	struct px_content *c;
	unsigned refs;	   /* under lock: the compile and its starter */
	struct px_stat st; /* what the first asker saw; then what was read */
	struct px_fingerprint asked;
	struct px_form form;
	enum px_kind kind;
	uint8_t key[PX_DIGEST_SIZE];
	int64_t read_at_ns;
	uint64_t job;		/* under lock; 0 until queued */
	bool wanted;		/* under lock: somebody waits */
	struct waiter *waiters; /* under lock */
	char path[];
};

static uint64_t tag_of(const uint8_t key[PX_DIGEST_SIZE])
{
	return px_get_le64(key) | 1; /* 0 means unknown to others */
}

/* True the first time that `what` is said of `path`. */
bool px_content_first_time(struct px_content *c, const char *path,
			   uint64_t what)
{
	bool again;

	pthread_mutex_lock(&c->lock);
	again = px_seen_add(&c->reported, px_hash64(what, path, strlen(path)));
	pthread_mutex_unlock(&c->lock);
	return !again;
}

/* Says once per mount and content what does not compile, and where. */
static void report(struct px_content *c, const char *path,
		   const uint8_t key[PX_DIGEST_SIZE], const struct px_blob *b)
{
	const char *hint = "";
	char where[48] = "";

	if (c->o.silent || !px_content_first_time(c, path, tag_of(key)))
		return;
	if (!atomic_exchange(&c->hinted, true))
		hint = " [--on-error source ships such a file as it is, "
		       "--on-error omit leaves it out]";
	if (b->line > 0 && b->column > 0)
		snprintf(where, sizeof(where), ":%u:%u", b->line, b->column);
	else if (b->line > 0)
		snprintf(where, sizeof(where), ":%u", b->line);
	px_log(PX_LOG_WARNING, "%s%s: %.*s%s", path, where, px_blob_shown(b),
	       (const char *)b->data, hint);
}

static void fill(const struct px_content *c, enum px_kind kind,
		 const struct px_stat *st, const struct px_cache_entry *e,
		 struct px_module *ret)
{
	*ret = (struct px_module){
		.kind = e->kind,
		.tag = tag_of(e->key),
		.source_size = st->fp.size,
	};
	memcpy(ret->key, e->key, sizeof(ret->key));
	px_content_fill_attr(c, st, kind, e->kind == PX_BLOB_CODE ? e->size : 0,
			     &ret->attr);
}

static void deliver(struct px_content *c, const char *path, enum px_kind kind,
		    const struct px_stat *st, const uint8_t *key,
		    struct px_blob *b, px_content_done done, void *arg)
{
	struct px_cache_entry e = {.kind = b->kind, .size = b->size};
	struct px_module m;

	memcpy(e.key, key, sizeof(e.key));
	fill(c, kind, st, &e, &m);
	m.blob = b;
	if (b->kind != PX_BLOB_CODE)
		report(c, path, key, b);
	done(arg, 0, &m);
}

static struct flight **bucket(struct px_content *c, const char *path)
{
	return &c->flights[px_hash64(0, path, strlen(path)) % N_BUCKETS];
}

/* Under lock. */
static struct flight *find_flight(struct px_content *c, const char *path,
				  enum px_kind kind,
				  const struct px_fingerprint *fp)
{
	struct flight *f;

	for (f = *bucket(c, path); f; f = f->next)
		if (f->kind == kind && strcmp(f->path, path) == 0 &&
		    px_fingerprint_equal(&f->asked, fp))
			return f;
	return NULL;
}

/* Under lock. */
static void add_waiter(struct flight *f, struct waiter *w)
{
	if (!w)
		return;
	w->next = f->waiters;
	f->waiters = w;
	f->wanted = true;
}

static void flight_unref(struct flight *f)
{
	struct px_content *c = f->c;
	unsigned left;

	pthread_mutex_lock(&c->lock);
	left = --f->refs;
	pthread_mutex_unlock(&c->lock);
	if (left == 0)
		free(f);
}

/* Takes the flight off the table and tells everybody. */
static void land(struct flight *f, int err, struct px_blob *b)
{
	struct px_content *c = f->c;
	struct waiter *w, *next;
	struct flight **at;

	pthread_mutex_lock(&c->lock);
	for (at = bucket(c, f->path); *at != f; at = &(*at)->next)
		;
	*at = f->next;
	w = f->waiters;
	f->waiters = NULL;
	pthread_mutex_unlock(&c->lock);
	if (err == 0 && b->kind != PX_BLOB_CODE)
		report(c, f->path, f->key, b);
	for (; w; w = next) {
		next = w->next;
		if (err < 0)
			w->done(w->arg, err, NULL);
		else
			deliver(c, f->path, f->kind, &f->st, f->key, b, w->done,
				w->arg);
		free(w);
	}
	px_room_resize(c, &f->ticket, 0);
	flight_unref(f);
}

/* Remembers under the fingerprint what was found, and stores it if new. */
static void store(struct flight *f, struct px_blob *b, bool is_new)
{
	struct px_cache_entry entry = {.kind = b->kind, .size = b->size};
	struct px_content *c = f->c;
	uint8_t index[PX_DIGEST_SIZE];
	PX_AUTOFREE char *name = px_content_co_filename(c, f->path);
	/* See px_tree_young: such a fingerprint proves nothing tomorrow. */
	const bool keep = name && !px_tree_young(&f->st.fp, f->read_at_ns);

	memcpy(entry.key, f->key, sizeof(entry.key));
	if (keep)
		px_content_index_key(c, &f->form, name, &f->st.fp, index);
	if (keep || is_new)
		px_cache_put(c->o.cache, f->key, is_new ? b : NULL,
			     c->profile_id[f->form.optimize],
			     keep ? index : NULL, keep ? &entry : NULL);
}

static void on_compiled(void *arg, int err, struct px_blob *b)
{
	struct flight *f = arg;

	if (err == 0)
		store(f, b, true);
	land(f, err, b);
}

static void submit(struct flight *f, const char *name,
		   const struct px_buf *source)
{
	struct px_content *c = f->c;
	const struct px_frame_compile task = {
		.optimize = f->form.optimize,
		.mode = f->form.mode,
		.canonical = c->o.canonical,
		.mtime = px_content_header_mtime(&f->form, &f->st),
		.co_filename = {(const uint8_t *)name, strlen(name)},
		.source = {source->data, source->size},
	};
	enum px_priority priority;
	uint64_t job;
	int r;

	pthread_mutex_lock(&c->lock);
	priority = f->wanted ? PX_PRIORITY_WAITED : PX_PRIORITY_AHEAD;
	f->refs++; /* it may land before px_pool_submit returns */
	pthread_mutex_unlock(&c->lock);
	r = px_pool_submit(c->o.pool, &task, priority, on_compiled, f, &job);
	if (r < 0) {
		land(f, r, NULL);
	} else {
		pthread_mutex_lock(&c->lock);
		f->job = job;
		r = f->wanted && priority == PX_PRIORITY_AHEAD;
		pthread_mutex_unlock(&c->lock);
		if (r)
			px_pool_promote(c->o.pool, job);
		else if (priority == PX_PRIORITY_WAITED)
			px_content_ahead_touch(c, f->path);
	}
	flight_unref(f);
}

/* What a worker can be sent. */
#define MAX_SOURCE (PX_FRAME_MAX - PATH_MAX - 64)

static uint64_t max_source(const struct px_content *c)
{
	const uint64_t n = c->o.max_source;

	return n > 0 && n < MAX_SOURCE ? n : MAX_SOURCE;
}

/* Nothing of this is stored: it is true of the option, not of the source. */
static void refuse(struct flight *f, const char *name)
{
	struct px_content *c = f->c;
	struct px_why why;
	struct px_blob *b;

	px_because(&why, 0,
		   "the source has %llu bytes, and --max-source allows %llu: "
		   "allow more, or --exclude it",
		   (unsigned long long)f->st.fp.size,
		   (unsigned long long)max_source(c));
	b = px_blob_new(PX_BLOB_FAILED, 0, 0, why.text, strlen(why.text));
	px_content_index_key(c, &f->form, name, &f->st.fp, f->key);
	land(f, b ? 0 : -ENOMEM, b);
	px_blob_unref(b);
}

/* Reads and hashes the source; compiles it unless its content is known. */
static void read_source(struct flight *f)
{
	struct px_content *c = f->c;
	PX_AUTO(px_buf_fini)
	struct px_buf source = {.max = (size_t)max_source(c)};
	PX_AUTOFREE char *name = px_content_co_filename(c, f->path);
	struct px_blob *b;
	int r;

	f->read_at_ns = px_wall_ns();
	r = name ? px_tree_read(c->o.tree, f->path, &source, &f->st) : -ENOMEM;
	if (r == -EFBIG) {
		refuse(f, name);
		return;
	}
	if (r < 0) {
		land(f, r, NULL);
		return;
	}
	px_room_resize(c, &f->ticket, source.size);
	px_stats_add(c->o.stats, PX_COUNT_source_reads, 1);
	px_content_blob_key(c, &f->form, name, &source, &f->st, f->key);
	if (px_cache_get(c->o.cache, f->key, &b) == 0) {
		px_stats_add(c->o.stats, PX_COUNT_blob_hits, 1);
		store(f, b, false);
		land(f, 0, b);
		px_blob_unref(b);
		return;
	}
	submit(f, name, &source);
}

static void go(struct room_ticket *t, int err)
{
	struct flight *f = (struct flight *)t;

	if (err < 0)
		land(f, err, NULL);
	else
		read_source(f);
}

static struct flight *flight_new(struct px_content *c, const char *path,
				 enum px_kind kind, const struct px_stat *st)
{
	const size_t n = strlen(path) + 1;
	struct flight *f = calloc(1, sizeof(*f) + n);

	if (!f)
		return NULL;
	f->c = c;
	f->refs = 1;
	f->ticket.go = go;
	/* One that is too large is not read. */
	f->ticket.bytes = st->fp.size <= max_source(c) ? st->fp.size : 0;
	f->st = *st;
	f->asked = st->fp;
	f->kind = kind;
	f->form = px_content_form(c, path, kind);
	memcpy(f->path, path, n);
	return f;
}

/* Joins the flight for this module, or starts one. `w` (may be NULL) is owned
 * by the flight from here on; -ENOMEM leaves it with the caller. */
static int join(struct px_content *c, const char *path, enum px_kind kind,
		const struct px_stat *st, struct waiter *w)
{
	struct flight *f, *fresh = flight_new(c, path, kind, st);
	struct flight **at;
	uint64_t job = 0;

	if (!fresh)
		return -ENOMEM;
	pthread_mutex_lock(&c->lock);
	f = find_flight(c, path, kind, &st->fp);
	if (f) {
		if (w && !f->wanted)
			job = f->job;
		add_waiter(f, w);
		pthread_mutex_unlock(&c->lock);
		free(fresh);
		px_stats_add(c->o.stats, PX_COUNT_joined, w != NULL);
		if (job != 0)
			px_pool_promote(c->o.pool, job);
		return 0;
	}
	add_waiter(fresh, w);
	at = bucket(c, path);
	fresh->next = *at;
	*at = fresh;
	pthread_mutex_unlock(&c->lock);
	px_room_enter(c, &fresh->ticket);
	return 0;
}

/* The index's answer for a file that can be trusted to be as it was. */
static int find_index(struct px_content *c, const char *path, enum px_kind kind,
		      const struct px_stat *st, struct px_cache_entry *ret)
{
	const struct px_form form = px_content_form(c, path, kind);
	PX_AUTOFREE char *name = px_content_co_filename(c, path);
	uint8_t index[PX_DIGEST_SIZE];

	if (!name)
		return -ENOMEM;
	/* Whether it is refused must not depend on what the cache has. */
	if (st->fp.size > max_source(c))
		return -ENOENT;
	px_content_index_key(c, &form, name, &st->fp, index);
	return px_cache_index_get(c->o.cache, index, ret);
}

int px_content_peek(struct px_content *c, const char *path,
		    const struct px_stat *known, enum px_kind kind,
		    enum px_want want, struct px_module *ret)
{
	struct px_cache_entry e = {0};
	struct px_blob *b = NULL;
	struct px_stat st;
	int r = 0;

	if (kind == PX_KIND_RECORD)
		return -ENOENT;
	if (known)
		st = *known;
	else
		r = px_tree_stat_file(c->o.tree, path, &st);
	if (r == 0)
		r = find_index(c, path, kind, &st, &e);
	if (r == 0 && want == PX_WANT_BYTES)
		r = px_cache_get(c->o.cache, e.key, &b);
	if (r < 0)
		return r;
	px_stats_add(c->o.stats, PX_COUNT_stat_hits, 1);
	fill(c, kind, &st, &e, ret);
	ret->blob = b;
	return 0;
}

/* Answers from the cache alone. False: it has to be found out. */
static bool answer_known(struct px_content *c, const char *path,
			 enum px_kind kind, const struct px_stat *st,
			 enum px_want want, px_content_done done, void *arg)
{
	struct px_cache_entry e;
	struct px_module m;
	struct px_blob *b;

	if (find_index(c, path, kind, st, &e) < 0)
		return false;
	if (want == PX_WANT_SIZE && e.kind == PX_BLOB_CODE) {
		px_stats_add(c->o.stats, PX_COUNT_stat_hits, 1);
		fill(c, kind, st, &e, &m);
		done(arg, 0, &m);
		return true;
	}
	if (px_cache_get(c->o.cache, e.key, &b) < 0)
		return false;
	px_stats_add(c->o.stats, PX_COUNT_stat_hits, 1);
	deliver(c, path, kind, st, e.key, b, done, arg);
	px_blob_unref(b);
	return true;
}

int px_content_bytes(struct px_content *c, const uint8_t key[PX_DIGEST_SIZE],
		     struct px_blob **ret)
{
	return px_cache_get(c->o.cache, key, ret) < 0 ? -ENOENT : 0;
}

void px_content_get(struct px_content *c, const char *path,
		    const struct px_stat *known, enum px_kind kind,
		    enum px_want want, px_content_done done, void *arg)
{
	struct waiter *w;
	struct px_stat st;
	int r = 0;

	if (kind == PX_KIND_RECORD) {
		px_content_record(c, path, done, arg);
		return;
	}
	if (known)
		st = *known;
	else
		r = px_tree_stat_file(c->o.tree, path, &st);
	if (r < 0) {
		done(arg, r, NULL);
		return;
	}
	if (answer_known(c, path, kind, &st, want, done, arg))
		return;
	w = calloc(1, sizeof(*w));
	if (w) {
		w->done = done;
		w->arg = arg;
	}
	if (!w || join(c, path, kind, &st, w) < 0) {
		free(w);
		done(arg, -ENOMEM, NULL);
	}
}

void px_content_start_ahead(struct px_content *c, const char *path,
			    const struct px_stat *known, enum px_kind kind)
{
	struct px_cache_entry e;
	struct px_stat st;

	if (known)
		st = *known;
	else if (px_tree_stat_file(c->o.tree, path, &st) < 0)
		return;
	if (find_index(c, path, kind, &st, &e) < 0)
		join(c, path, kind, &st, NULL);
}

int px_content_new(const struct px_content_options *o, struct px_content **ret)
{
	struct px_content *c = calloc(1, sizeof(*c));
	int r, ahead;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->flights = calloc(N_BUCKETS, sizeof(*c->flights));
	pthread_mutex_init(&c->lock, NULL);
	px_content_make_profile(c);
	r = px_room_start(c);
	ahead = px_content_ahead_start(c);
	if (r == 0)
		r = c->flights ? ahead : -ENOMEM;
	if (r < 0) {
		px_content_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int px_content_flush(struct px_content *c)
{
	return px_cache_flush(c->o.cache);
}

void px_content_quiet(struct px_content *c)
{
	px_content_ahead_quiet(c);
}

void px_content_stop(struct px_content *c)
{
	px_room_close(c); /* the other thread may wait for room */
	px_content_ahead_stop(c);
	px_room_stop(c);
}

void px_content_free(struct px_content *c)
{
	if (!c)
		return;
	px_content_stop(c);
	px_content_ahead_fini(c);
	px_room_fini(c);
	px_content_forget_records(c);
	px_content_forget_views(c);
	px_seen_fini(&c->reported);
	px_seen_fini(&c->touched);
	pthread_mutex_destroy(&c->lock);
	free(c->flights);
	free(c);
}
