/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include <sys/statvfs.h>

/* What one transaction takes at most: it holds the writer mutex that all
 * processes on this cache share, and keeps its pages in memory. */
#define TXN_BYTES (16u << 20)

struct batch {
	struct px_item *first; /* the BUSY items */
	uint64_t last_seq;
	uint64_t bytes;
	uint64_t target; /* what eviction leaves */
	uint64_t n_stored;
	uint64_t n_evicted;
};

int px_cache_get_number(struct px_cache *c, MDB_txn *txn, const char *name,
			uint64_t *ret)
{
	MDB_val k = px_val(name, strlen(name));
	MDB_val v;
	int rc = mdb_get(txn, c->dbi[PX_TABLE_META], &k, &v);

	*ret = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return px_cache_err(rc);
	if (v.mv_size != 8)
		return -EUCLEAN;
	*ret = px_get_le64(v.mv_data);
	return 0;
}

int px_cache_set_number(struct px_cache *c, MDB_txn *txn, const char *name,
			uint64_t v)
{
	MDB_val k = px_val(name, strlen(name));
	uint8_t bytes[8];
	MDB_val data = px_val(bytes, sizeof(bytes));

	px_put_le64(bytes, v);
	return px_cache_err(mdb_put(txn, c->dbi[PX_TABLE_META], &k, &data, 0));
}

static int store_used(struct px_cache *c, MDB_txn *txn, const uint8_t *key,
		      const struct px_used *u)
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	uint8_t bytes[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(bytes, sizeof(bytes));

	px_used_encode(u, bytes);
	return px_cache_err(mdb_put(txn, c->dbi[PX_TABLE_USED], &k, &v, 0));
}

static int touch_blob(struct px_cache *c, MDB_txn *txn, const uint8_t *key)
{
	uint32_t today = px_cache_today(c);
	struct px_used u;
	int r = px_cache_read_used(c, txn, key, &u);

	if (r == -ENOENT || (r == 0 && u.day == today))
		return 0;
	if (r < 0)
		return r;
	u.day = today;
	return store_used(c, txn, key, &u);
}

/* Looks again first: by now it may have been replaced by a sound one. */
static int drop_blob(struct px_cache *c, MDB_txn *txn, const uint8_t *key,
		     uint64_t *total)
{
	struct px_blob *blob;
	struct px_used u;
	int r = px_cache_read_blob(c, txn, key, &u, &blob);

	if (r == 0)
		px_blob_unref(blob);
	if (r != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	r = px_cache_delete(c, txn, PX_TABLE_BLOB, key);
	if (r == 0)
		r = px_cache_delete(c, txn, PX_TABLE_USED, key);
	*total -= u.bytes < *total ? u.bytes : *total;
	return r;
}

static int insert_blob(struct px_cache *c, MDB_txn *txn,
		       const struct px_item *it, uint64_t *total)
{
	MDB_val k = px_val(it->key, PX_DIGEST_SIZE);
	struct px_used u = {px_cache_today(c),
			    it->blob->size + PX_BLOB_STORED_HEADER,
			    it->blob->kind, it->profile};
	MDB_val v = {.mv_size = (size_t)u.bytes};
	int r = px_cache_err(mdb_put(txn, c->dbi[PX_TABLE_BLOB], &k, &v,
				     MDB_RESERVE | MDB_NOOVERWRITE));

	if (r < 0)
		return r;
	px_blob_header(it->blob, it->key, v.mv_data);
	memcpy((uint8_t *)v.mv_data + PX_BLOB_STORED_HEADER, it->blob->data,
	       it->blob->size);
	*total += u.bytes;
	return store_used(c, txn, it->key, &u);
}

static int store_blob(struct px_cache *c, MDB_txn *txn, struct px_item *it,
		      uint64_t *total, struct batch *b)
{
	struct px_used u;
	int r;

	/* It would drive out everything else and then itself. */
	if (it->cost > b->target) {
		it->evicted = true;
		return 0;
	}
	r = px_cache_read_blob(c, txn, it->key, &u, NULL);
	if (r == 0) /* by another process */
		return touch_blob(c, txn, it->key);
	if (r != -ENOENT)
		return r;
	r = insert_blob(c, txn, it, total);
	if (r == 0)
		b->n_stored++;
	return r;
}

static int store_index(struct px_cache *c, MDB_txn *txn,
		       const struct px_item *it)
{
	MDB_val k = px_val(it->key, PX_DIGEST_SIZE);
	uint8_t bytes[PX_CACHE_INDEX_SIZE];
	MDB_val v = px_val(bytes, sizeof(bytes));

	bytes[0] = (uint8_t)it->entry.kind;
	px_put_le32(bytes + 1, px_cache_today(c));
	px_put_le64(bytes + 5, it->entry.size);
	memcpy(bytes + 13, it->entry.key, PX_DIGEST_SIZE);
	return px_cache_err(mdb_put(txn, c->dbi[PX_TABLE_INDEX], &k, &v, 0));
}

static int store_item(struct px_cache *c, MDB_txn *txn, struct px_item *it,
		      uint64_t *total, struct batch *b)
{
	switch (it->kind) {
	case PX_ITEM_BLOB:
		return store_blob(c, txn, it, total, b);
	case PX_ITEM_INDEX:
		return store_index(c, txn, it);
	case PX_ITEM_TOUCH:
		return touch_blob(c, txn, it->key);
	case PX_ITEM_DROP:
		return drop_blob(c, txn, it->key, total);
	default:
		return -EINVAL;
	}
}

static int add_number(struct px_cache *c, MDB_txn *txn, const char *name,
		      uint64_t n)
{
	uint64_t sum;
	int r = px_cache_get_number(c, txn, name, &sum);

	return r < 0 ? r : px_cache_set_number(c, txn, name, sum + n);
}

/* What is told of the cache beside what is in it. */
static int store_counts(struct px_cache *c, MDB_txn *txn)
{
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	uint8_t key[PX_CACHE_PROFILE_KEY];
	uint64_t served, added;
	size_t n, i;
	int r;

	pthread_mutex_lock(&c->lock);
	n = c->n_profiles;
	memcpy(profile, c->profile, n * sizeof(*profile));
	served = c->served;
	added = c->added;
	c->served = c->added = 0;
	pthread_mutex_unlock(&c->lock);
	r = add_number(c, txn, "served", served);
	if (r == 0)
		r = add_number(c, txn, "added", added);
	for (i = 0; i < n && r == 0; i++) {
		MDB_val k = px_val(key, sizeof(key));
		MDB_val v = px_val(profile[i].text, strlen(profile[i].text));

		px_profile_key(profile[i].id, key);
		r = px_cache_err(
			mdb_put(txn, c->dbi[PX_TABLE_META], &k, &v, 0));
	}
	return r;
}

static int fill_txn(struct px_cache *c, MDB_txn *txn, struct batch *b)
{
	uint64_t bound = px_cache_bound(c);
	uint64_t total;
	int r = px_cache_get_number(c, txn, "total", &total);

	/* Nine tenths, so that the next batches need no scan. */
	b->target = bound / 10 * 9;
	for (struct px_item *it = b->first; r == 0 && it; it = it->next) {
		it->evicted = false;
		r = store_item(c, txn, it, &total, b);
	}
	if (r == 0 && total > bound)
		r = px_cache_evict(c, txn, b->target, &total, &b->n_evicted);
	if (r == 0)
		r = px_cache_prune_index(c, txn);
	if (r == 0)
		r = px_cache_set_number(c, txn, "total", total);
	return r == 0 ? store_counts(c, txn) : r;
}

/* Who only read has no batch: its counts are written at the end. */
static void commit_counts(struct px_cache *c)
{
	MDB_txn *txn;
	bool any;

	pthread_mutex_lock(&c->lock);
	any = c->served + c->added > 0;
	pthread_mutex_unlock(&c->lock);
	if (!any || px_cache_begin(c, 0, &txn) < 0)
		return;
	if (store_counts(c, txn) == 0)
		px_cache_commit(c, txn);
	else
		px_cache_abort(c, txn);
}

static int commit_batch(struct px_cache *c, struct batch *b)
{
	MDB_txn *txn;
	int r = px_cache_begin(c, 0, &txn);

	if (r < 0)
		return r;
	b->n_stored = 0;
	b->n_evicted = 0;
	r = fill_txn(c, txn, b);
	if (r == 0)
		return px_cache_commit(c, txn);
	px_cache_abort(c, txn);
	return r;
}

/* A disk that fills up in the middle of a write gives a short count first,
 * which LMDB reports as EIO (mdb.c 0.9.24, mdb_page_flush). */
static bool is_full(struct px_cache *c, int r, uint64_t bytes)
{
	struct statvfs fs;
	int fd;

	if (r == -ENOSPC || r == -EDQUOT)
		return true;
	if (r != -EIO || mdb_env_get_fd(c->env, &fd) || fstatvfs(fd, &fs) < 0)
		return false;
	return fs.f_bavail * fs.f_frsize < bytes * 2;
}

static int write_batch(struct px_cache *c, struct batch *b)
{
	int r = commit_batch(c, b);

	if (r < 0 && is_full(c, r, b->bytes) && px_cache_make_room(c) == 0)
		r = commit_batch(c, b);
	if (r < 0) {
		b->n_stored = 0;
		b->n_evicted = 0;
	}
	return r;
}

/* Under lock. */
static void take_batch(struct px_cache *c, struct batch *b)
{
	struct px_pending *p = &c->pending;
	struct px_item_list *busy = &p->place[PX_PLACE_BUSY];
	struct px_item *it;

	memset(b, 0, sizeof(*b));
	while ((it = p->place[PX_PLACE_QUEUED].first) != NULL &&
	       (!busy->first || busy->bytes + it->cost <= TXN_BYTES)) {
		px_pending_move(p, it, PX_PLACE_BUSY);
		b->last_seq = it->seq;
	}
	b->first = busy->first;
	b->bytes = busy->bytes;
}

/* Under lock. */
static void settle_batch(struct px_cache *c, const struct batch *b, int r)
{
	struct px_pending *p = &c->pending;
	struct px_item *it;

	while ((it = p->place[PX_PLACE_BUSY].first) != NULL) {
		if (r < 0 || it->evicted)
			px_pending_give_up(p, it);
		else
			px_pending_remove(p, it);
	}
	if (r < 0) {
		c->failed_seq = b->last_seq;
		c->failed_err = r;
	}
	px_cache_count_locked(c, PX_COUNT_cache_stored, b->n_stored);
	px_cache_count_locked(c, PX_COUNT_cache_evicted, b->n_evicted);
	pthread_cond_broadcast(&c->done);
}

/* Under lock. When the next commit is due, CLOCK_MONOTONIC; INT64_MAX never. */
static int64_t due_ms(const struct px_cache *c)
{
	const struct px_item_list *q = &c->pending.place[PX_PLACE_QUEUED];

	if (!q->first)
		return INT64_MAX;
	if (c->stop || q->bytes >= PX_CACHE_BATCH_BYTES ||
	    q->first->seq <= c->flush_to)
		return INT64_MIN;
	return q->first->queued_ms + c->tuning.delay_ms;
}

/* Under lock. False: nothing is left and the cache is being closed. */
static bool wait_for_work(struct px_cache *c)
{
	for (;;) {
		int64_t due = due_ms(c);
		struct timespec ts;

		if (due == INT64_MAX) {
			if (c->stop)
				return false;
			pthread_cond_wait(&c->wake, &c->lock);
			continue;
		}
		if (due <= px_now_ms())
			return true;
		ts.tv_sec = due / 1000;
		ts.tv_nsec = due % 1000 * 1000000;
		pthread_cond_timedwait(&c->wake, &c->lock, &ts);
	}
}

static void *run_writer(void *arg)
{
	struct px_cache *c = arg;
	struct batch b;

	pthread_mutex_lock(&c->lock);
	while (wait_for_work(c)) {
		int r;

		take_batch(c, &b);
		pthread_mutex_unlock(&c->lock);
		r = write_batch(c, &b);
		if (r < 0 && r != -ESHUTDOWN)
			px_cache_failed(c, r);
		pthread_mutex_lock(&c->lock);
		settle_batch(c, &b, r);
	}
	pthread_mutex_unlock(&c->lock);
	commit_counts(c);
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	pthread_cond_broadcast(&c->done);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void px_writer_clear(struct px_cache *c)
{
	const struct px_item_list *busy = &c->pending.place[PX_PLACE_BUSY];
	uint64_t to;

	pthread_mutex_lock(&c->lock);
	px_pending_forget(&c->pending);
	pthread_cond_broadcast(&c->done);
	to = c->pending.last_seq;
	while (busy->first && busy->first->seq <= to)
		pthread_cond_wait(&c->done, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

int px_writer_start(struct px_cache *c)
{
	int r = px_thread_start(&c->thread, run_writer, c);

	if (r < 0)
		return r;
	pthread_setname_np(c->thread, "pycfs-cache");
	c->has_thread = true;
	return 0;
}

bool px_writer_stop(struct px_cache *c)
{
	const int64_t until = px_now_ms() + c->tuning.give_up_ms;
	const struct timespec ts = {until / 1000, until % 1000 * 1000000};
	bool ended;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	/* pthread_timedjoin_np goes by a clock that may jump. */
	while (!c->ended && rc == 0)
		rc = pthread_cond_timedwait(&c->done, &c->lock, &ts);
	/* If it goes on alone, it must not count in memory of the caller. */
	ended = c->ended;
	if (!ended)
		c->stats = NULL;
	pthread_mutex_unlock(&c->lock);
	if (ended)
		pthread_join(c->thread, NULL);
	else
		pthread_detach(c->thread);
	return ended;
}
