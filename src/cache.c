/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define DAY_NS (INT64_C(86400) * 1000000000)
int px_cache_err(int rc)
{
	if (rc == MDB_SUCCESS)
		return 0;
	if (rc > 0)
		return -rc;
	switch (rc) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PANIC:
	case MDB_PAGE_NOTFOUND:
		return -EUCLEAN;
	case MDB_VERSION_MISMATCH:
		return -EPROTONOSUPPORT;
	default:
		return -EIO;
	}
}

void px_cache_count_locked(struct px_cache *c, enum px_counter counter,
			   uint64_t n)
{
	if (c->stats)
		px_stats_add(c->stats, counter, n);
}

void px_cache_count(struct px_cache *c, enum px_counter counter, uint64_t n)
{
	pthread_mutex_lock(&c->lock);
	px_cache_count_locked(c, counter, n);
	pthread_mutex_unlock(&c->lock);
}

int px_cache_failed(struct px_cache *c, int r)
{
	px_cache_count(c, PX_COUNT_cache_errors, 1);
	if (r != -EUCLEAN || atomic_exchange(&c->broken, true))
		return r;
	/* What LMDB reads and writes next could be anything. Nobody shall
	 * find these files again; who has them open keeps them. */
	if (c->dir_fd >= 0)
		px_cache_dir_discard(c->dir_fd, c->sub_fd);
	return r;
}

uint32_t px_cache_today(const struct px_cache *c)
{
	if (c->tuning.today)
		return atomic_load(c->tuning.today);
	return (uint32_t)(px_wall_ns() / DAY_NS);
}

/* LMDB's file never gets shorter. Where somebody cuts it within a page, the
 * rest of that page is zeros, and LMDB aborts if a table's root is page 0. */
static bool is_cut(struct px_cache *c)
{
	struct stat st;
	uint64_t size, was = atomic_load(&c->file_bytes);
	int fd;

	if (mdb_env_get_fd(c->env, &fd) || fstat(fd, &st) < 0)
		return true;
	size = (uint64_t)st.st_size;
	while (size > was)
		if (atomic_compare_exchange_weak(&c->file_bytes, &was, size))
			return false;
	return size < was;
}

int px_cache_begin(struct px_cache *c, unsigned flags, MDB_txn **ret)
{
	if (!atomic_load(&c->broken) && is_cut(c))
		return -EUCLEAN;
	return px_cache_hold(c, flags, ret);
}

/* Without what it did. */
static void end(struct px_cache *c, MDB_txn *txn)
{
	if (!px_readers_put(c->readers, txn))
		mdb_txn_abort(txn);
}

int px_cache_hold(struct px_cache *c, unsigned flags, MDB_txn **ret)
{
	int rc = 0;

	for (int try = 0; try < 2; try++) {
		if (atomic_load(&c->broken))
			return -ESHUTDOWN;
		pthread_rwlock_rdlock(&c->map_lock);
		rc = flags & MDB_RDONLY
			     ? px_readers_take(c->readers, ret)
			     : mdb_txn_begin(c->env, NULL, flags, ret);
		/* There may be no meta page any more. */
		if (rc == 0 && px_bus_hit(c->bus)) {
			end(c, *ret);
			rc = MDB_CORRUPTED;
		}
		if (rc == 0)
			return 0;
		pthread_rwlock_unlock(&c->map_lock);
		if (rc != MDB_MAP_RESIZED || px_cache_remap(c) < 0)
			break;
	}
	return px_cache_err(rc);
}

void px_cache_abort(struct px_cache *c, MDB_txn *txn)
{
	end(c, txn);
	pthread_rwlock_unlock(&c->map_lock);
}

/*
 * A page taken at the end of the file and freed in the same transaction is
 * counted by the meta page but never written (mdb.c 0.9.24, mdb_page_flush
 * skips P_LOOSE), and the file may end before it. The next open takes a file
 * shorter than its meta page says for a truncated one, so make it long enough.
 * fallocate never shortens and never changes a byte, whatever another process
 * has written by now.
 */
static void complete_file(struct px_cache *c)
{
	MDB_envinfo info;
	struct stat st;
	MDB_stat s;
	off_t want;
	int fd;

	if (mdb_env_info(c->env, &info) || mdb_env_stat(c->env, &s) ||
	    mdb_env_get_fd(c->env, &fd) || fstat(fd, &st) < 0)
		return;
	want = (off_t)(info.me_last_pgno + 1) * (off_t)s.ms_psize;
	if (st.st_size < want && fallocate(fd, 0, want - 1, 1) < 0)
		px_cache_count(c, PX_COUNT_cache_errors, 1);
}

int px_cache_commit(struct px_cache *c, MDB_txn *txn)
{
	int rc;

	px_readers_forget(c->readers, txn);
	rc = mdb_txn_commit(txn);
	if (rc == 0)
		complete_file(c);
	px_bus_let_go(c->bus);
	pthread_rwlock_unlock(&c->map_lock);
	return px_cache_err(rc);
}

uint32_t px_cache_profile(struct px_cache *c, const char *text)
{
	const uint32_t id = (uint32_t)px_hash64(2, text, strlen(text)) | 1;
	struct px_cache_profile *p;
	bool fits = true;
	size_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < c->n_profiles && c->profile[i].id != id; i++)
		;
	if (i == PX_CACHE_MAX_PROFILES) {
		fits = false;
	} else if (i == c->n_profiles) {
		p = &c->profile[c->n_profiles++];
		p->id = id;
		strncat(p->text, text, sizeof(p->text) - 1);
	}
	pthread_mutex_unlock(&c->lock);
	return fits ? id : 0;
}

int px_cache_read_used(struct px_cache *c, MDB_txn *txn,
		       const uint8_t key[PX_DIGEST_SIZE], struct px_used *ret)
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	MDB_val v;
	int rc = mdb_get(txn, c->dbi[PX_TABLE_USED], &k, &v);

	return rc ? px_cache_err(rc) : px_used_decode(&v, ret);
}

int px_cache_read_blob(struct px_cache *c, MDB_txn *txn,
		       const uint8_t key[PX_DIGEST_SIZE], struct px_used *used,
		       struct px_blob **ret)
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	MDB_val v = {0};
	int r = px_cache_err(mdb_get(txn, c->dbi[PX_TABLE_BLOB], &k, &v));

	*used = (struct px_used){0};
	if (r < 0)
		return r;
	r = px_cache_read_used(c, txn, key, used);
	if (r == -ENOENT || (r == 0 && (used->bytes != v.mv_size ||
					v.mv_size < PX_BLOB_STORED_HEADER)))
		r = -EUCLEAN;
	if (r < 0 || !ret)
		return r;
	r = px_blob_decode(key, v.mv_data, v.mv_size, ret);
	return r == -EBADMSG ? px_cache_damage(v.mv_data, used->kind) : r;
}

/* Under lock. */
static void wake_writer(struct px_cache *c, uint64_t before)
{
	uint64_t now = c->pending.place[PX_PLACE_QUEUED].bytes;

	if (now != before && (before == 0 || now >= PX_CACHE_BATCH_BYTES))
		pthread_cond_signal(&c->wake);
}

/* Queues a touch or a drop unless one is under way or has been tried. Returns
 * whether it did. */
static bool queue_mark(struct px_cache *c, enum px_item_kind kind,
		       const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_pending *p = &c->pending;
	bool queued = false;
	uint64_t before;

	pthread_mutex_lock(&c->lock);
	before = p->place[PX_PLACE_QUEUED].bytes;
	if (!px_pending_find(p, kind, key))
		queued = px_pending_add(p, kind, key, NULL, NULL,
					PX_PLACE_QUEUED) != NULL;
	wake_writer(c, before);
	pthread_mutex_unlock(&c->lock);
	return queued;
}

/* A blob that is in memory, or NULL. */
static struct px_blob *get_pending(struct px_cache *c,
				   const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_blob *blob = NULL;
	struct px_item *it;

	pthread_mutex_lock(&c->lock);
	it = px_pending_find(&c->pending, PX_ITEM_BLOB, key);
	if (it) {
		blob = px_blob_ref(it->blob);
		if (it->place == PX_PLACE_KEPT)
			px_pending_move(&c->pending, it, PX_PLACE_KEPT);
	}
	pthread_mutex_unlock(&c->lock);
	return blob;
}

static int get_stored(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		      struct px_used *used, struct px_blob **ret)
{
	struct px_look l;
	int r = px_look_begin(c, &l);

	if (r < 0)
		return r;
	r = px_look_blob(&l, key, used, ret);
	px_look_end(c, &l);
	return r;
}

/* The rest of px_cache_get, where the database cannot answer. */
static void get_failed(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		       int r)
{
	if (r == -EBADMSG && queue_mark(c, PX_ITEM_DROP, key))
		px_cache_count(c, PX_COUNT_cache_damaged, 1);
	if (r == -EUCLEAN)
		px_cache_count(c, PX_COUNT_cache_damaged, 1);
	if (r != -EBADMSG && r != -ENOENT && r != -ESHUTDOWN)
		px_cache_failed(c, r);
}

int px_cache_check_stored(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_blob *b = NULL;
	struct px_used used;
	int r = get_stored(c, key, &used, &b);

	if (r == 0)
		px_blob_unref(b);
	else
		get_failed(c, key, r);
	return r;
}

static void count_served(struct px_cache *c, const struct px_blob *b)
{
	if (b->kind != PX_BLOB_CODE && b->kind != PX_BLOB_REJECTED)
		return;
	pthread_mutex_lock(&c->lock);
	c->served++;
	pthread_mutex_unlock(&c->lock);
}

static int get_seeded(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		      struct px_blob **ret)
{
	int r = c->seed ? px_seed_get(c->seed, key, ret) : -ENOENT;

	if (r == 0) {
		px_cache_count(c, PX_COUNT_seeded, 1);
		count_served(c, *ret);
	}
	return r;
}

int px_cache_get(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_blob **ret)
{
	struct px_blob *blob = get_pending(c, key);
	struct px_used used = {0};
	int r;

	if (blob) {
		*ret = blob;
		count_served(c, blob);
		return 0;
	}
	/* Memory first, then the transaction: an item leaves memory only after
	 * its commit, so one of the two has it. */
	r = get_stored(c, key, &used, ret);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		get_failed(c, key, r);
		return get_seeded(c, key, ret);
	}
	count_served(c, *ret);
	/* Another day, not only a later one: clocks go back. */
	if (used.day != px_cache_today(c))
		queue_mark(c, PX_ITEM_TOUCH, key);
	return 0;
}

/* Fills *e from the table unless `known`, and checks that its blob is there:
 * that has a `used` row. */
static int find_stored(struct px_cache *c, const uint8_t *index, bool known,
		       struct px_cache_entry *e)
{
	struct px_used used = {0};
	struct px_look l;
	int r = px_look_begin(c, &l);

	if (r < 0)
		return r;
	if (!known)
		r = px_look_index(&l, index, e);
	if (r == 0)
		r = px_look_used(&l, e->key, &used);
	px_look_end(c, &l);
	if (r == -ENOENT && c->seed && e->kind != 0)
		r = px_seed_find(c->seed, e->key, &used);
	if (r == 0 && (used.bytes != e->size + PX_BLOB_STORED_HEADER ||
		       used.kind != e->kind))
		return -ENOENT;
	return r;
}

static bool pending_has(struct px_cache *c, const struct px_cache_entry *e)
{
	const struct px_item *it;
	bool has;

	pthread_mutex_lock(&c->lock);
	it = px_pending_find(&c->pending, PX_ITEM_BLOB, e->key);
	has = it && it->blob->size == e->size && it->blob->kind == e->kind;
	pthread_mutex_unlock(&c->lock);
	return has;
}

int px_cache_index_get(struct px_cache *c, const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret)
{
	struct px_cache_entry e = {.size = 0};
	const struct px_item *it;
	bool known;
	int r;

	pthread_mutex_lock(&c->lock);
	it = px_pending_find(&c->pending, PX_ITEM_INDEX, index);
	known = it != NULL;
	if (it)
		e = it->entry;
	pthread_mutex_unlock(&c->lock);
	r = known && pending_has(c, &e) ? 0 : find_stored(c, index, known, &e);
	/* The row may be stored while its blob is (again) in memory. */
	if (r == -ENOENT && e.kind != 0 && pending_has(c, &e))
		r = 0;
	if (r == 0) {
		*ret = e;
		return 0;
	}
	if (r != -ENOENT && r != -ESHUTDOWN)
		px_cache_failed(c, r);
	return -ENOENT;
}

/* Under lock. */
static void put_blob(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		     struct px_blob *blob, uint32_t profile)
{
	struct px_pending *p = &c->pending;
	struct px_item *it = px_pending_find(p, PX_ITEM_BLOB, key);
	enum px_item_place place = PX_PLACE_QUEUED;

	if (blob->kind == PX_BLOB_FAILED)
		place = PX_PLACE_PINNED;
	else if (atomic_load(&c->broken))
		place = PX_PLACE_KEPT;
	if (it && it->blob->kind != PX_BLOB_FAILED) {
		/* The key names the content: it is the same blob. One that
		 * could not be stored is tried again. */
		if (it->place == PX_PLACE_KEPT && place == PX_PLACE_QUEUED)
			px_pending_move(p, it, place);
		return;
	}
	if (it)
		px_pending_remove(p, it);
	it = px_pending_add(p, PX_ITEM_BLOB, key, blob, NULL, place);
	if (it)
		it->profile = profile;
	else
		px_cache_count_locked(c, PX_COUNT_cache_errors, 1);
	c->added +=
		blob->kind == PX_BLOB_CODE || blob->kind == PX_BLOB_REJECTED;
}

/* Under lock. */
static void put_index(struct px_cache *c, const uint8_t index[PX_DIGEST_SIZE],
		      const struct px_cache_entry *entry)
{
	struct px_pending *p = &c->pending;
	struct px_item *it = px_pending_find(p, PX_ITEM_INDEX, index);
	enum px_item_place place = PX_PLACE_QUEUED;

	if (!px_cache_is_stored(entry->kind))
		place = PX_PLACE_PINNED;
	else if (atomic_load(&c->broken))
		place = PX_PLACE_KEPT;
	/* The writer reads a BUSY item without the lock. It is let go, not
	 * changed: the new one is found, and stored after it. */
	if (it && it->place == PX_PLACE_BUSY)
		px_pending_unlist(p, it);
	else if (it)
		px_pending_remove(p, it);
	if (!px_pending_add(p, PX_ITEM_INDEX, index, NULL, entry, place))
		px_cache_count_locked(c, PX_COUNT_cache_errors, 1);
}

/* Under lock. The newest stay queued: they are the likeliest to be read. */
static void bound_pending(struct px_cache *c)
{
	struct px_pending *p = &c->pending;
	struct px_item_list *queue = &p->place[PX_PLACE_QUEUED];
	const struct px_item_list *busy = &p->place[PX_PLACE_BUSY];

	while (queue->first &&
	       queue->bytes + busy->bytes > c->tuning.pending_bytes) {
		px_pending_give_up(p, queue->first);
		px_cache_count_locked(c, PX_COUNT_cache_errors, 1);
	}
}

void px_cache_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		  struct px_blob *blob, uint32_t profile, const uint8_t *index,
		  const struct px_cache_entry *entry)
{
	uint64_t before;

	pthread_mutex_lock(&c->lock);
	before = c->pending.place[PX_PLACE_QUEUED].bytes;
	if (blob)
		put_blob(c, key, blob, profile);
	if (index && entry)
		put_index(c, index, entry);
	bound_pending(c);
	wake_writer(c, before);
	pthread_mutex_unlock(&c->lock);
}

int px_cache_flush(struct px_cache *c)
{
	int64_t until = px_now_ms() + c->tuning.give_up_ms;
	struct timespec ts = {until / 1000, until % 1000 * 1000000};
	uint64_t from;
	uint64_t to;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	from = px_pending_oldest(&c->pending);
	to = c->pending.last_seq;
	if (c->flush_to < to)
		c->flush_to = to;
	pthread_cond_signal(&c->wake);
	while (r == 0 && px_pending_oldest(&c->pending) <= to)
		r = -pthread_cond_timedwait(&c->done, &c->lock, &ts);
	/* Ours are done if the batch given up last ended before them. */
	if (r == 0 && c->failed_seq >= from)
		r = c->failed_err;
	pthread_mutex_unlock(&c->lock);
	return r;
}

uint64_t px_cache_queued(struct px_cache *c)
{
	uint64_t n;

	pthread_mutex_lock(&c->lock);
	n = c->pending.place[PX_PLACE_QUEUED].bytes +
	    c->pending.place[PX_PLACE_BUSY].bytes;
	pthread_mutex_unlock(&c->lock);
	return n;
}

bool px_cache_was_rebuilt(const struct px_cache *c)
{
	return c->rebuilt;
}
