/* SPDX-License-Identifier: MIT */
#include "flight.h"

#include "mark.h"
#include "reply.h"

#include "pycfs/map.h"

struct px_flights {
	struct px_flights_options o;
	pthread_mutex_t lock;
	struct px_map map; /* under lock: by index key */
};

struct waiter {
	struct waiter *next;
	px_content_done done;
	void *arg;
};

struct flight {
	struct px_room_ticket ticket;
	struct px_map_node node; /* under lock */
	struct px_flights *fs;
	unsigned refs;		/* under lock: the compile and its starter */
	struct px_module_id id; /* as the first asker found it */
	struct px_stat st;	/* as the first asker found it; then as read */
	/* The blob key, once the source was read; the rest once there is a
	 * blob. */
	struct px_cache_entry entry;
	int64_t read_at_ns;	/* CLOCK_REALTIME */
	uint64_t job;		/* under lock: the pool's; 0: not queued yet */
	bool is_apple_double;	/* known once the source was read */
	bool wanted;		/* under lock: somebody waits */
	struct waiter *waiters; /* under lock */
};

static uint64_t hash_of(const struct px_module_id *id)
{
	return px_get_le64(id->index);
}

/* Under lock. NULL: none for this module. */
static struct flight *find(const struct px_flights *fs,
			   const struct px_module_id *id)
{
	struct px_map_node *n;
	struct flight *f;

	for (n = px_map_first(&fs->map, hash_of(id)); n; n = px_map_next(n)) {
		f = PX_CONTAINER(n, struct flight, node);
		if (f->id.kind == id->kind &&
		    memcmp(f->id.index, id->index, PX_DIGEST_SIZE) == 0)
			return f;
	}
	return NULL;
}

static void destroy(struct flight *f)
{
	px_module_id_fini(&f->id);
	free(f);
}

static void flight_unref(struct flight *f)
{
	struct px_flights *fs = f->fs;
	unsigned left;

	pthread_mutex_lock(&fs->lock);
	left = --f->refs;
	pthread_mutex_unlock(&fs->lock);
	if (left == 0)
		destroy(f);
}

/* Takes the flight from the table and answers everybody who joined it. */
static void land(struct flight *f, int err, struct px_blob *b)
{
	struct px_flights *fs = f->fs;
	struct waiter *w, *next;

	pthread_mutex_lock(&fs->lock);
	px_map_remove(&fs->map, &f->node);
	w = PX_STEAL(f->waiters);
	pthread_mutex_unlock(&fs->lock);
	if (err == 0)
		px_reply_log(fs->o.o, fs->o.said, f->id.path, f->entry.key, b);
	for (; w; w = next) {
		next = w->next;
		if (err < 0)
			w->done(w->arg, err, NULL);
		else
			px_reply_blob(fs->o.o, f->id.kind, &f->st, &f->entry, b,
				      w->done, w->arg);
		free(w);
	}
	px_room_resize(fs->o.room, &f->ticket, 0);
	flight_unref(f);
}

/* The blob `b` is what the source comes to. */
static void found(struct flight *f, const struct px_blob *b)
{
	f->entry.kind = b->kind;
	f->entry.size = b->size;
	f->entry.mark = px_mark_bytes(b->data, b->size);
}

/* Puts into the cache what was found for the fingerprint, and the blob itself
 * if it is new. */
static void store(struct flight *f, struct px_blob *b, bool is_new)
{
	const struct px_flights_options *o = &f->fs->o;
	uint8_t index[PX_DIGEST_SIZE];
	/* The fingerprint of a file that was changed just now does not prove
	 * later that the file is the same: see px_tree_young. */
	const bool has_index = !px_tree_young(&f->st.fp, f->read_at_ns);

	if (!has_index && !is_new)
		return;
	if (has_index)
		px_module_id_index(o->keys, &f->id, &f->st.fp, index);
	px_cache_put(o->o->cache, f->entry.key, is_new ? b : NULL,
		     px_keys_cache_profile(o->keys, &f->id.form),
		     has_index ? index : NULL, has_index ? &f->entry : NULL);
}

/* Whether these are the bytes of a file in which macOS keeps what another file
 * system cannot hold of the file beside it. */
static bool is_apple_double(const char *path, const struct px_buf *source)
{
	/* The magic number of RFC 1740, appendix A. */
	static const uint8_t magic[] = {0x00, 0x05, 0x16, 0x07};

	return strncmp(px_path_name(path), "._", 2) == 0 &&
	       source->size >= sizeof(magic) &&
	       memcmp(source->data, magic, sizeof(magic)) == 0;
}

/* What the compiler says of such a file (null bytes) helps nobody. NULL: no
 * memory. */
static struct px_blob *reject_apple_double(const char *path)
{
	struct px_why why;

	px_because(
		&why, 0,
		"no Python, but an AppleDouble file, in which macOS keeps "
		"what belongs to %.100s: --exclude '._*' leaves out all such "
		"files",
		px_path_name(path) + 2);
	return px_blob_new(PX_BLOB_REJECTED, 0, 0, why.text, strlen(why.text));
}

static void on_compiled(void *arg, int err, struct px_blob *b)
{
	struct flight *f = arg;
	struct px_blob *said = NULL;

	if (err == 0 && b->kind == PX_BLOB_REJECTED && f->is_apple_double) {
		said = b = reject_apple_double(f->id.path);
		err = b ? 0 : -ENOMEM;
	}
	if (err == 0) {
		found(f, b);
		store(f, b, true);
	}
	land(f, err, b);
	px_blob_unref(said);
}

/* The pool took the flight at `priority`, as number `job`. Whoever joins from
 * now on can promote it; for whoever joined since the priority was chosen it is
 * promoted here. */
static void on_queued(struct flight *f, enum px_priority priority, uint64_t job)
{
	struct px_flights *fs = f->fs;
	bool promote;

	pthread_mutex_lock(&fs->lock);
	f->job = job;
	promote = f->wanted && priority == PX_PRIORITY_AHEAD;
	pthread_mutex_unlock(&fs->lock);
	if (promote)
		px_pool_promote(fs->o.o->pool, job);
	else if (priority == PX_PRIORITY_WAITED)
		fs->o.on_waited(fs->o.arg, f->id.path);
}

static void compile(struct flight *f, const struct px_buf *source)
{
	struct px_flights *fs = f->fs;
	const struct px_module_id *id = &f->id;
	const struct px_frame_compile task = {
		.optimize = id->form.optimize,
		.mode = id->form.mode,
		.canonical = fs->o.o->canonical,
		.mtime = px_form_header_mtime(&id->form, &f->st),
		.co_filename = {(const uint8_t *)id->name, strlen(id->name)},
		.source = {source->data, source->size},
	};
	enum px_priority priority;
	uint64_t job;
	int r;

	pthread_mutex_lock(&fs->lock);
	priority = f->wanted ? PX_PRIORITY_WAITED : PX_PRIORITY_AHEAD;
	f->refs++; /* it may land before px_pool_submit returns */
	pthread_mutex_unlock(&fs->lock);
	r = px_pool_submit(fs->o.o->pool, &task, priority, on_compiled, f,
			   &job);
	if (r < 0)
		land(f, r, NULL);
	else
		on_queued(f, priority, job);
	flight_unref(f);
}

/* The source is larger than allowed. That depends on an option, which is not
 * part of any key, so nothing of it is stored. */
static void refuse(struct flight *f)
{
	const struct px_flights_options *o = &f->fs->o;
	struct px_why why;
	struct px_blob *b;

	px_because(&why, 0,
		   "the source has %llu bytes, and --max-source allows %llu: "
		   "allow more, or --exclude it",
		   (unsigned long long)f->st.fp.size,
		   (unsigned long long)o->o->max_source);
	b = px_blob_new(PX_BLOB_FAILED, 0, 0, why.text, strlen(why.text));
	px_module_id_index(o->keys, &f->id, &f->st.fp, f->entry.key);
	if (b)
		found(f, b);
	land(f, b ? 0 : -ENOMEM, b);
	px_blob_unref(b);
}

/* Reads and hashes the source, and compiles it unless the cache has a blob for
 * these bytes. */
static void read_source(struct flight *f)
{
	const struct px_flights_options *o = &f->fs->o;
	PX_AUTO(px_buf_fini)
	struct px_buf source = {.max = (size_t)o->o->max_source};
	struct px_blob *b;
	int r;

	f->read_at_ns = px_wall_ns();
	r = px_tree_read(o->o->tree, f->id.path, &source, &f->st);
	if (r == -EFBIG) {
		refuse(f);
		return;
	}
	if (r < 0) {
		land(f, r, NULL);
		return;
	}
	px_room_resize(o->room, &f->ticket, source.size);
	px_stats_add(o->o->stats, PX_COUNT_source_reads, 1);
	f->is_apple_double = is_apple_double(f->id.path, &source);
	px_module_id_blob(o->keys, &f->id, &source, &f->st, f->entry.key);
	if (px_cache_get(o->o->cache, f->entry.key, &b) < 0) {
		compile(f, &source);
		return;
	}
	px_stats_add(o->o->stats, PX_COUNT_blob_hits, 1);
	found(f, b);
	store(f, b, false);
	land(f, 0, b);
	px_blob_unref(b);
}

static void on_room(struct px_room_ticket *t, int err)
{
	struct flight *f = PX_CONTAINER(t, struct flight, ticket);

	if (err < 0)
		land(f, err, NULL);
	else
		read_source(f);
}

static struct flight *flight_new(struct px_flights *fs, struct px_module_id *id,
				 const struct px_stat *st)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fs = fs;
	f->refs = 1;
	f->ticket.start = on_room;
	/* One that is too large is refused without being read. */
	f->ticket.bytes = st->fp.size <= fs->o.o->max_source ? st->fp.size : 0;
	f->st = *st;
	f->id = *id;
	*id = (struct px_module_id){0};
	return f;
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

/* Joins the flight for the module that is under way; true. Or enters `fresh` in
 * the table; false. */
static bool join_or_enter(struct px_flights *fs, struct flight *fresh,
			  struct waiter *w)
{
	struct flight *f;
	uint64_t job = 0;

	pthread_mutex_lock(&fs->lock);
	f = find(fs, &fresh->id);
	if (f && w && !f->wanted)
		job = f->job;
	add_waiter(f ? f : fresh, w);
	if (!f)
		px_map_add(&fs->map, &fresh->node, hash_of(&fresh->id));
	pthread_mutex_unlock(&fs->lock);
	if (job != 0)
		px_pool_promote(fs->o.o->pool, job);
	return f != NULL;
}

int px_flights_join(struct px_flights *fs, struct px_module_id *id,
		    const struct px_stat *st, px_content_done done, void *arg)
{
	struct flight *fresh = flight_new(fs, id, st);
	struct waiter *w = NULL;

	if (!fresh)
		return -ENOMEM;
	if (done) {
		w = malloc(sizeof(*w));
		if (!w) {
			destroy(fresh);
			return -ENOMEM;
		}
		*w = (struct waiter){.done = done, .arg = arg};
	}
	if (join_or_enter(fs, fresh, w)) {
		px_stats_add(fs->o.o->stats, PX_COUNT_joined, done != NULL);
		destroy(fresh);
	} else {
		px_room_enter(fs->o.room, &fresh->ticket);
	}
	return 0;
}

int px_flights_new(const struct px_flights_options *o, struct px_flights **ret)
{
	struct px_flights *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->o = *o;
	pthread_mutex_init(&fs->lock, NULL);
	/* A map that has a table once never fails to add. */
	if (px_map_reserve(&fs->map) < 0) {
		px_flights_free(fs);
		return -ENOMEM;
	}
	*ret = fs;
	return 0;
}

void px_flights_free(struct px_flights *fs)
{
	if (!fs)
		return;
	px_map_fini(&fs->map);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}
