/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_WRITER_H
#define PX_CACHE_WRITER_H
/*
 * The thread that commits batches, and the queue that it takes them from. What
 * is queued, being written or could not be written can be found here.
 *
 * A batch is taken out of the queue under the lock, written without it, and
 * ended under the lock. An item leaves memory only after its commit, so whoever
 * looks here first and then in the database finds it in one of them.
 *
 * Threads: any, between px_writer_start and px_writer_stop.
 */

#include "pending.h"
#include "store.h"

#define PX_CACHE_BATCH_BYTES (4u << 20) /* this much is committed at once */

/* Open to the files of the cache for its unit tests alone. */
struct px_writer {
	struct px_store store;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake; /* for the thread; CLOCK_MONOTONIC */
	pthread_cond_t done; /* a batch, or the thread, has ended;
			      * CLOCK_MONOTONIC */
	/* under lock: */
	struct px_pending pending;
	uint64_t flush_to;   /* items up to this seq are committed at once */
	uint64_t failed_seq; /* the last item of the last batch that failed */
	int failed_err;	     /* and why it did, -errno */
	bool stop;
	bool ended;
};

/* -errno. */
int px_writer_start(const struct px_store *store, struct px_writer **ret);

/* Commits what is queued, ends the thread and frees `w`. False: that was not
 * done after give_up_ms, because another process holds LMDB's writer mutex and
 * is stopped, or the disk does not answer. Then nothing of `w` or `store` may
 * ever be freed, but the caller's counters are no longer written to. */
bool px_writer_stop(struct px_writer *w);

/* As px_cache_put. */
void px_writer_put(struct px_writer *w, const uint8_t key[PX_DIGEST_SIZE],
		   struct px_blob *blob, uint32_t profile, const uint8_t *index,
		   const struct px_cache_entry *entry);

/* Queues a TOUCH or DROP. False: one is queued, or has failed, or no memory. */
bool px_writer_mark(struct px_writer *w, enum px_item_kind kind,
		    const uint8_t key[PX_DIGEST_SIZE]);

/* A reference of a blob that is in memory, or NULL. */
struct px_blob *px_writer_find_blob(struct px_writer *w,
				    const uint8_t key[PX_DIGEST_SIZE]);
/* Whether the blob that `e` describes is in memory. */
bool px_writer_has_blob(struct px_writer *w, const struct px_cache_entry *e);
/* Whether an index entry is in memory; *ret is set only then. */
bool px_writer_find_entry(struct px_writer *w,
			  const uint8_t index[PX_DIGEST_SIZE],
			  struct px_cache_entry *ret);

/* As px_cache_flush and px_cache_queued. */
int px_writer_flush(struct px_writer *w);
uint64_t px_writer_queued(struct px_writer *w);

/* Forgets everything that is in memory, and waits until the batch that is being
 * written has ended: whatever it commits is in the database then, where the
 * caller can delete it. */
void px_writer_clear(struct px_writer *w);

#endif
