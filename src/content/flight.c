/* SPDX-License-Identifier: MIT */
#include "flight.h"

#include "mark.h"
#include "reply.h"

#include "pycfs/map.h"

struct px_flights {
	struct px_flights_options o;
	pthread_mutex_t lock;
	struct px_map map;     /* under lock: by index key */
	struct px_map leaders; /* under lock: by blob key */
};

struct waiter {
	struct waiter *next;
	px_content_done done;
	void *arg;
};

struct flight {
	struct px_room_ticket ticket;
	struct px_map_node node;  /* under lock */
	struct px_map_node leads; /* under lock, if is_leader */
	struct px_flights *fs;
	unsigned refs;		/* under lock: the compile and its starter */
	struct px_module_id id; /* as the first asker found it */
	struct px_stat st;	/* as the first asker found it; then as read */
	uint8_t key[PX_DIGEST_SIZE]; /* the blob key, once it was read */
	int64_t read_at_ns;	     /* CLOCK_REALTIME */
	unsigned level;		     /* once it was read */
	/* Until it was given to the pool. */
	struct px_buf source;
	/* Under lock: of the flights with one blob key the first is the leader,
	 * which compiles. The others follow: they wait for it. */
	bool is_leader;
	struct flight *leader; /* of a follower */
	struct flight *followers;
	struct flight *next;	/* of the same leader */
	struct px_wait wait;	/* for the remote */
	uint64_t job;		/* under lock: the pool's; 0: not queued yet */
	bool is_apple_double;	/* known once the source was read */
	bool wanted;		/* under lock: somebody waits */
	struct waiter *waiters; /* under lock */
};

static uint64_t hash_of(const struct px_module_id *id)
{
	return px_get_le64(id->index);
}

/* Under lock. NULL: none for this module. Two paths may have one index key,
 * hard links of one file, and then differ in their names. */
static struct flight *find(const struct px_flights *fs,
			   const struct px_module_id *id)
{
	struct px_map_node *n;
	struct flight *f;

	for (n = px_map_first(&fs->map, hash_of(id)); n; n = px_map_next(n)) {
		f = PX_CONTAINER(n, struct flight, node);
		if (f->id.kind == id->kind &&
		    memcmp(f->id.index, id->index, PX_DIGEST_SIZE) == 0 &&
		    strcmp(f->id.name, id->name) == 0)
			return f;
	}
	return NULL;
}

/* Under lock. NULL: nobody compiles what has this blob key. */
static struct flight *find_leader(const struct px_flights *fs,
				  const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_map_node *n = px_map_first(&fs->leaders, px_get_le64(key));
	struct flight *f;

	for (; n; n = px_map_next(n)) {
		f = PX_CONTAINER(n, struct flight, leads);
		if (memcmp(f->key, key, PX_DIGEST_SIZE) == 0)
			return f;
	}
	return NULL;
}

/* Under lock: somebody waits for `f`. Returns a reference to the flight that
 * has to hasten for that (hasten); NULL: none. */
static struct flight *want(struct flight *f)
{
	struct flight *compiles = f->leader ? f->leader : f;
	const bool was_wanted = compiles->wanted;

	f->wanted = compiles->wanted = true;
	if (was_wanted)
		return NULL;
	compiles->refs++;
	return compiles;
}

static void destroy(struct flight *f)
{
	px_module_id_fini(&f->id);
	px_buf_fini(&f->source);
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

/* Takes the reference over; NULL is fine. */
static void hasten(struct flight *f)
{
	struct px_flights *fs;
	uint64_t job;

	if (!f)
		return;
	fs = f->fs;
	pthread_mutex_lock(&fs->lock);
	job = f->job;
	pthread_mutex_unlock(&fs->lock);
	if (job != 0)
		px_pool_promote(fs->o.o->pool, job);
	else if (fs->o.plan)
		px_plan_hurry(fs->o.plan, &f->wait);
	flight_unref(f);
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
		px_reply_log(fs->o.o, fs->o.said, f->id.path, f->key, b);
	for (; w; w = next) {
		next = w->next;
		if (err < 0)
			w->done(w->arg, err, NULL);
		else
			px_reply_blob(fs->o.o, &f->id, &f->st, f->key,
				      px_blob_ref(b), w->done, w->arg);
		free(w);
	}
	px_room_resize(fs->o.room, &f->ticket, 0);
	flight_unref(f);
}

/* Puts into the cache what was found for the fingerprint, and the blob itself
 * if it is new. */
static void store(struct flight *f, struct px_blob *b, bool is_new)
{
	const struct px_flights_options *o = &f->fs->o;
	struct px_cache_entry entry;
	uint8_t index[PX_DIGEST_SIZE];
	const bool named = px_keys_need_name(o->keys, b);
	/* The fingerprint of a file that was changed just now does not prove
	 * later that the file is the same: see px_tree_young. */
	const bool has_index =
		!named && !px_tree_young(&f->st.fp, f->read_at_ns);

	if (!has_index && !is_new)
		return;
	entry = px_reply_entry(b, f->key, true);
	if (has_index)
		px_module_id_index(o->keys, &f->id, &f->st.fp, index);
	px_cache_put(o->o->cache, f->key, is_new ? b : NULL,
		     px_keys_cache_profile(o->keys, f->level),
		     has_index ? index : NULL, has_index ? &entry : NULL);
}

/* Whether these are the bytes of a file in which macOS keeps what another file
 * system cannot hold of the file beside it. */
static bool is_apple_double(const struct px_buf *source)
{
	/* The magic number of RFC 1740, appendix A. */
	static const uint8_t magic[] = {0x00, 0x05, 0x16, 0x07};

	return source->size >= sizeof(magic) &&
	       memcmp(source->data, magic, sizeof(magic)) == 0;
}

/* What the compiler says of such a file (null bytes) helps nobody. NULL: no
 * memory. */
static struct px_blob *reject_apple_double(void)
{
	static const char text[] =
		"no Python, but an AppleDouble file, in which macOS keeps "
		"attributes of the file beside it; --exclude '._*' leaves out "
		"all that have the names macOS gives them";

	return px_blob_new(PX_BLOB_REJECTED, 0, 0, text, sizeof(text) - 1);
}

static int compile(struct flight *f);

/* Takes the followers from `f`, which leads no longer. */
static struct flight *dismiss(struct flight *f)
{
	struct px_flights *fs = f->fs;
	struct flight *followers, *g;

	pthread_mutex_lock(&fs->lock);
	if (f->is_leader)
		px_map_remove(&fs->leaders, &f->leads);
	f->is_leader = false;
	followers = PX_STEAL(f->followers);
	for (g = followers; g; g = g->next)
		g->leader = NULL;
	pthread_mutex_unlock(&fs->lock);
	return followers;
}

/* A follower whose leader has ended with `b`, or `err`. */
static void end_follower(struct flight *f, int err, struct px_blob *b)
{
	if (err == 0 && px_keys_need_name(f->fs->o.keys, b)) {
		err = compile(f);
		if (err == 0)
			return;
	} else if (err == 0) {
		px_stats_add(f->fs->o.o->stats, PX_COUNT_blob_hits, 1);
		store(f, b, false);
	}
	land(f, err, b);
}

/* The flight ends with a blob, `is_new` if the cache does not have it; or with
 * `err`. */
static void end(struct flight *f, int err, struct px_blob *b, bool is_new)
{
	struct flight *g, *next;
	uint8_t named[PX_DIGEST_SIZE];
	const bool needs_name = err == 0 && px_keys_need_name(f->fs->o.keys, b);

	/* First into the cache: whoever comes when the flight leads no longer
	 * finds it there. One that needs its name was no help to others. */
	if (err == 0 && !needs_name)
		store(f, b, is_new);
	g = dismiss(f);
	if (needs_name) {
		px_module_id_named(f->fs->o.keys, &f->id, f->key, named);
		memcpy(f->key, named, sizeof(f->key));
		store(f, b, is_new);
	}
	land(f, err, b);
	for (; g; g = next) {
		next = g->next;
		end_follower(g, err, b);
	}
}

static void on_compiled(void *arg, int err, struct px_blob *b)
{
	struct flight *f = arg;
	struct px_blob *said = NULL;

	if (err == 0 && b->kind == PX_BLOB_REJECTED && f->is_apple_double) {
		said = b = reject_apple_double();
		err = b ? 0 : -ENOMEM;
	}
	end(f, err, b, true);
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

/* Gives the flight to the pool, which ends it; 0. Or the pool did not take it;
 * -errno. */
static int compile(struct flight *f)
{
	struct px_flights *fs = f->fs;
	const struct px_module_id *id = &f->id;
	const struct px_frame_compile task = {
		.group = px_hash64(4, id->path, strcspn(id->path, "/")) | 1,
		.optimize = f->level,
		.mode = id->form.mode,
		.canonical = fs->o.o->canonical,
		.mtime = px_form_header_mtime(&id->form, &f->st),
		.co_filename = {(const uint8_t *)id->name, strlen(id->name)},
		.source = {f->source.data, f->source.size},
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
	px_buf_fini(&f->source);
	if (r == 0)
		on_queued(f, priority, job);
	flight_unref(f);
	return r;
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
	px_module_id_index(o->keys, &f->id, &f->st.fp, f->key);
	land(f, b ? 0 : -ENOMEM, b);
	px_blob_unref(b);
}

/* Makes the flight follow the one that compiles the same already; true. Or
 * makes it the leader of those to come; false. */
static bool follow(struct flight *f)
{
	struct px_flights *fs = f->fs;
	struct flight *leader, *late = NULL;

	pthread_mutex_lock(&fs->lock);
	leader = find_leader(fs, f->key);
	if (leader) {
		f->leader = leader;
		f->next = leader->followers;
		leader->followers = f;
		if (f->wanted)
			late = want(f);
	} else {
		px_map_add(&fs->leaders, &f->leads, px_get_le64(f->key));
		f->is_leader = true;
	}
	pthread_mutex_unlock(&fs->lock);
	hasten(late);
	return leader != NULL;
}

/* Ends the flight with the blob that the cache has under its blob key, or under
 * the key with its name; true. */
static bool end_from_cache(struct flight *f)
{
	const struct px_flights_options *o = &f->fs->o;
	uint8_t named[PX_DIGEST_SIZE];
	struct px_blob *b;

	if (px_cache_get(o->o->cache, f->key, &b) < 0 &&
	    (!px_module_id_named(o->keys, &f->id, f->key, named) ||
	     px_cache_get(o->o->cache, named, &b) < 0))
		return false;
	px_stats_add(o->o->stats, PX_COUNT_blob_hits, 1);
	end(f, 0, b, false);
	px_blob_unref(b);
	return true;
}

static void compile_or_end(struct flight *f)
{
	int r = compile(f);

	if (r < 0)
		end(f, r, NULL, false);
}

/* It has come from the remote, or will not. */
static void on_waited_enough(struct px_wait *w)
{
	struct flight *f = PX_CONTAINER(w, struct flight, wait);

	if (!end_from_cache(f))
		compile_or_end(f);
}

static bool is_wanted(struct flight *f)
{
	struct px_flights *fs = f->fs;
	bool wanted;

	pthread_mutex_lock(&fs->lock);
	wanted = f->wanted;
	pthread_mutex_unlock(&fs->lock);
	return wanted;
}

/* True: the flight waits for the remote, or has ended with what came from it.
 */
static bool wait_for_remote(struct flight *f)
{
	struct px_flights *fs = f->fs;
	bool was_wanted, waits;

	pthread_mutex_lock(&fs->lock);
	was_wanted = f->wanted;
	f->refs++; /* it may land before px_plan_wait returns */
	pthread_mutex_unlock(&fs->lock);
	waits = px_plan_wait(fs->o.plan, f->id.path, f->key, was_wanted,
			     &f->wait);
	/* Whoever has come meanwhile hastened what did not wait yet. */
	if (waits && !was_wanted && is_wanted(f))
		px_plan_hurry(fs->o.plan, &f->wait);
	flight_unref(f);
	/* What had not come when the cache was asked may have come by now. */
	return waits || end_from_cache(f);
}

/* Reads and hashes the source, and compiles it unless the cache has a blob for
 * these bytes, or will have one, or it may come from the remote. */
static void read_source(struct flight *f)
{
	const struct px_flights_options *o = &f->fs->o;
	int r;

	f->read_at_ns = px_wall_ns();
	f->source = (struct px_buf){.max = (size_t)o->o->max_source};
	r = px_tree_read(o->o->tree, f->id.path, &f->source, &f->st);
	if (r == -EFBIG) {
		refuse(f);
		return;
	}
	if (r < 0) {
		land(f, r, NULL);
		return;
	}
	px_room_resize(o->room, &f->ticket, f->source.size);
	px_stats_add(o->o->stats, PX_COUNT_source_reads, 1);
	f->is_apple_double = is_apple_double(&f->source);
	f->level = px_form_level(&f->id.form, &f->source);
	px_module_id_blob(o->keys, &f->id, f->level, &f->source, &f->st,
			  f->key);
	if (follow(f) || end_from_cache(f))
		return;
	if (o->plan && wait_for_remote(f))
		return;
	compile_or_end(f);
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
	f->wait.go = on_waited_enough;
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
	struct flight *f, *late = NULL;

	pthread_mutex_lock(&fs->lock);
	f = find(fs, &fresh->id);
	if (f && w)
		late = want(f);
	add_waiter(f ? f : fresh, w);
	if (!f)
		px_map_add(&fs->map, &fresh->node, hash_of(&fresh->id));
	pthread_mutex_unlock(&fs->lock);
	hasten(late);
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
	if (px_map_reserve(&fs->map) < 0 || px_map_reserve(&fs->leaders) < 0) {
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
	px_map_fini(&fs->leaders);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}
