/* SPDX-License-Identifier: MIT */
#include "writer.h"

/* The most that one transaction takes: it holds the writer mutex that all
 * processes on this cache share, and keeps its pages in memory. */
#define TXN_BYTES (16u << 20)

/* ---------------------------------------------------------------- the queue */

/* Under lock. `before` is how many bytes were queued earlier. */
static void wake_thread(struct px_writer *w, uint64_t before)
{
	uint64_t now = w->pending.place[PX_PLACE_QUEUED].bytes;

	if (now != before && (before == 0 || now >= PX_CACHE_BATCH_BYTES))
		pthread_cond_signal(&w->wake);
}

/* Under lock. Where a new item goes. */
static enum px_item_place place_for(const struct px_writer *w, unsigned kind)
{
	if (!px_cache_is_stored(kind))
		return PX_PLACE_MEMORY;
	return px_db_is_disabled(w->store.db) ? PX_PLACE_UNSTORED
					      : PX_PLACE_QUEUED;
}

/* Under lock. */
static void put_blob(struct px_writer *w, const uint8_t key[PX_DIGEST_SIZE],
		     struct px_blob *blob, uint32_t profile)
{
	struct px_pending *p = &w->pending;
	struct px_item *it = px_pending_find(p, PX_ITEM_BLOB, key);
	const enum px_item_place place = place_for(w, blob->kind);

	if (it && it->blob->kind != PX_BLOB_FAILED) {
		/* It is the same blob, because the key names its content. One
		 * that could not be stored is tried again. */
		if (it->place == PX_PLACE_UNSTORED && place == PX_PLACE_QUEUED)
			px_pending_move(p, it, place);
		return;
	}
	if (it)
		px_pending_remove(p, it);
	it = px_pending_add(p, PX_ITEM_BLOB, key, blob, NULL, place);
	if (it)
		it->profile = profile;
	else
		px_counts_add(w->store.counts, PX_COUNT_cache_errors, 1);
	px_counts_added(w->store.counts, blob);
}

/* Under lock. */
static void put_index(struct px_writer *w, const uint8_t index[PX_DIGEST_SIZE],
		      const struct px_cache_entry *entry)
{
	struct px_pending *p = &w->pending;
	struct px_item *it = px_pending_find(p, PX_ITEM_INDEX, index);

	/* An item that is being written is read without the lock, so it is not
	 * changed: a new one takes its place here, and is written after it. */
	if (it && it->place == PX_PLACE_WRITING)
		px_pending_unlist(p, it);
	else if (it)
		px_pending_remove(p, it);
	if (!px_pending_add(p, PX_ITEM_INDEX, index, NULL, entry,
			    place_for(w, entry->kind)))
		px_counts_add(w->store.counts, PX_COUNT_cache_errors, 1);
}

/* Under lock. The newest stay queued: they are the likeliest to be read. */
static void bound_queue(struct px_writer *w)
{
	struct px_pending *p = &w->pending;
	struct px_item_list *queue = &p->place[PX_PLACE_QUEUED];
	const struct px_item_list *writing = &p->place[PX_PLACE_WRITING];

	while (queue->first &&
	       queue->bytes + writing->bytes > w->store.tuning->pending_bytes) {
		px_pending_keep_unstored(p, queue->first);
		px_counts_add(w->store.counts, PX_COUNT_cache_errors, 1);
	}
}

void px_writer_put(struct px_writer *w, const uint8_t key[PX_DIGEST_SIZE],
		   struct px_blob *blob, uint32_t profile, const uint8_t *index,
		   const struct px_cache_entry *entry)
{
	uint64_t before;

	pthread_mutex_lock(&w->lock);
	before = w->pending.place[PX_PLACE_QUEUED].bytes;
	if (blob)
		put_blob(w, key, blob, profile);
	if (index && entry)
		put_index(w, index, entry);
	bound_queue(w);
	wake_thread(w, before);
	pthread_mutex_unlock(&w->lock);
}

bool px_writer_mark(struct px_writer *w, enum px_item_kind kind,
		    const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_pending *p = &w->pending;
	bool queued = false;
	uint64_t before;

	pthread_mutex_lock(&w->lock);
	before = p->place[PX_PLACE_QUEUED].bytes;
	if (!px_pending_find(p, kind, key))
		queued = px_pending_add(p, kind, key, NULL, NULL,
					PX_PLACE_QUEUED) != NULL;
	wake_thread(w, before);
	pthread_mutex_unlock(&w->lock);
	return queued;
}

struct px_blob *px_writer_find_blob(struct px_writer *w,
				    const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_blob *blob = NULL;
	struct px_item *it;

	pthread_mutex_lock(&w->lock);
	it = px_pending_find(&w->pending, PX_ITEM_BLOB, key);
	if (it) {
		blob = px_blob_ref(it->blob);
		if (it->place == PX_PLACE_UNSTORED)
			px_pending_move(&w->pending, it, PX_PLACE_UNSTORED);
	}
	pthread_mutex_unlock(&w->lock);
	return blob;
}

bool px_writer_has_blob(struct px_writer *w, const struct px_cache_entry *e)
{
	const struct px_item *it;
	bool has;

	pthread_mutex_lock(&w->lock);
	it = px_pending_find(&w->pending, PX_ITEM_BLOB, e->key);
	has = it && it->blob->size == e->size && it->blob->kind == e->kind;
	pthread_mutex_unlock(&w->lock);
	return has;
}

bool px_writer_find_entry(struct px_writer *w,
			  const uint8_t index[PX_DIGEST_SIZE],
			  struct px_cache_entry *ret)
{
	const struct px_item *it;

	pthread_mutex_lock(&w->lock);
	it = px_pending_find(&w->pending, PX_ITEM_INDEX, index);
	if (it)
		*ret = it->entry;
	pthread_mutex_unlock(&w->lock);
	return it != NULL;
}

int px_writer_flush(struct px_writer *w)
{
	int64_t until = px_now_ms() + w->store.tuning->give_up_ms;
	struct timespec ts = {until / 1000, until % 1000 * 1000000};
	uint64_t from;
	uint64_t to;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	from = px_pending_oldest_seq(&w->pending);
	to = w->pending.last_seq;
	if (w->flush_to < to)
		w->flush_to = to;
	pthread_cond_signal(&w->wake);
	while (r == 0 && px_pending_oldest_seq(&w->pending) <= to)
		r = -pthread_cond_timedwait(&w->done, &w->lock, &ts);
	/* All our items were committed if the last batch that failed ended
	 * before the first of them. */
	if (r == 0 && w->failed_seq >= from)
		r = w->failed_err;
	pthread_mutex_unlock(&w->lock);
	return r;
}

uint64_t px_writer_queued(struct px_writer *w)
{
	uint64_t n;

	pthread_mutex_lock(&w->lock);
	n = w->pending.place[PX_PLACE_QUEUED].bytes +
	    w->pending.place[PX_PLACE_WRITING].bytes;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void px_writer_clear(struct px_writer *w)
{
	const struct px_item_list *writing =
		&w->pending.place[PX_PLACE_WRITING];
	uint64_t to;

	pthread_mutex_lock(&w->lock);
	px_pending_clear(&w->pending);
	pthread_cond_broadcast(&w->done);
	to = w->pending.last_seq;
	while (writing->first && writing->first->seq <= to)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

/* --------------------------------------------------------------- the thread */

/* Under lock. */
static void take_batch(struct px_writer *w, struct px_batch *b)
{
	struct px_pending *p = &w->pending;
	struct px_item_list *writing = &p->place[PX_PLACE_WRITING];
	struct px_item *it;

	memset(b, 0, sizeof(*b));
	while ((it = p->place[PX_PLACE_QUEUED].first) != NULL &&
	       (!writing->first || writing->bytes + it->cost <= TXN_BYTES)) {
		px_pending_move(p, it, PX_PLACE_WRITING);
		b->last_seq = it->seq;
	}
	b->first = writing->first;
	b->bytes = writing->bytes;
}

/* Under lock. `r` is px_store_batch's. */
static void end_batch(struct px_writer *w, const struct px_batch *b, int r)
{
	struct px_pending *p = &w->pending;
	struct px_item *it;

	while ((it = p->place[PX_PLACE_WRITING].first) != NULL) {
		if (r < 0 || it->evicted)
			px_pending_keep_unstored(p, it);
		else
			px_pending_remove(p, it);
	}
	if (r < 0) {
		w->failed_seq = b->last_seq;
		w->failed_err = r;
	}
	px_counts_add(w->store.counts, PX_COUNT_cache_stored, b->n_stored);
	px_counts_add(w->store.counts, PX_COUNT_cache_evicted, b->n_evicted);
	pthread_cond_broadcast(&w->done);
}

/* Under lock. When the next batch is due, as px_now_ms; INT64_MAX: nothing is
 * queued. */
static int64_t due_ms(const struct px_writer *w)
{
	const struct px_item_list *q = &w->pending.place[PX_PLACE_QUEUED];

	if (!q->first)
		return INT64_MAX;
	if (w->stop || q->bytes >= PX_CACHE_BATCH_BYTES ||
	    q->first->seq <= w->flush_to)
		return INT64_MIN;
	return q->first->queued_ms + w->store.tuning->delay_ms;
}

/* Under lock. False: nothing is left and the cache is being closed. */
static bool wait_for_work(struct px_writer *w)
{
	for (;;) {
		int64_t due = due_ms(w);
		struct timespec ts;

		if (due == INT64_MAX) {
			if (w->stop)
				return false;
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		if (due <= px_now_ms())
			return true;
		ts.tv_sec = due / 1000;
		ts.tv_nsec = due % 1000 * 1000000;
		pthread_cond_timedwait(&w->wake, &w->lock, &ts);
	}
}

static void *run_writer(void *arg)
{
	struct px_writer *w = arg;
	struct px_batch b;

	pthread_mutex_lock(&w->lock);
	while (wait_for_work(w)) {
		int r;

		take_batch(w, &b);
		pthread_mutex_unlock(&w->lock);
		r = px_store_batch(&w->store, &b);
		if (r < 0 && r != -ESHUTDOWN)
			px_db_failed(w->store.db, r);
		pthread_mutex_lock(&w->lock);
		end_batch(w, &b, r);
	}
	pthread_mutex_unlock(&w->lock);
	px_store_counts(&w->store);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->done);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void free_writer(struct px_writer *w)
{
	px_pending_fini(&w->pending);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->done);
	pthread_cond_destroy(&w->wake);
	free(w);
}

int px_writer_start(const struct px_store *store, struct px_writer **ret)
{
	struct px_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w)
		return -ENOMEM;
	w->store = *store;
	px_pending_init(&w->pending, store->tuning->unstored_bytes);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->done, &attr);
	pthread_condattr_destroy(&attr);
	r = px_thread_start(&w->thread, run_writer, w);
	if (r < 0) {
		free_writer(w);
		return r;
	}
	pthread_setname_np(w->thread, "pycfs-cache");
	*ret = w;
	return 0;
}

bool px_writer_stop(struct px_writer *w)
{
	const int64_t until = px_now_ms() + w->store.tuning->give_up_ms;
	const struct timespec ts = {until / 1000, until % 1000 * 1000000};
	bool ended;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	/* pthread_timedjoin_np goes by a clock that may jump. */
	while (!w->ended && rc == 0)
		rc = pthread_cond_timedwait(&w->done, &w->lock, &ts);
	ended = w->ended;
	pthread_mutex_unlock(&w->lock);
	if (!ended) {
		px_counts_leave_stats(w->store.counts);
		pthread_detach(w->thread);
		return false;
	}
	pthread_join(w->thread, NULL);
	free_writer(w);
	return true;
}
