/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_EVICT_H
#define PX_CACHE_EVICT_H
/*
 * What keeps the database within its bound: blobs go, those first that were not
 * used for the longest time, and index rows that have become too many.
 *
 * All functions return 0 or -errno; -EUCLEAN: the database is damaged.
 */

#include "pending.h"
#include "table.h"

/* A row with what decides when it goes. */
struct px_aged_row {
	uint8_t key[PX_DIGEST_SIZE];
	uint32_t day;	      /* of last use; of an index row: it was written */
	uint64_t bytes;	      /* of the blob row; 0: an index row, or deleted */
	uint32_t profile;     /* of the blob */
	struct px_item *item; /* of the running batch, or NULL */
};

/* The rows of a table, in the order in which they go. All zero is none. */
struct px_aged_rows {
	struct px_aged_row *row;
	size_t n;
};

/* Reads the table `used` or `index`, all of it, the oldest day first. `batch`
 * is the first item of the batch that `txn` writes, or NULL. px_aged_rows_fini
 * the result, also after an error. */
int px_aged_rows_read(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
		      struct px_item *batch, struct px_aged_rows *ret);
void px_aged_rows_fini(struct px_aged_rows *rows);

/* Deletes the blobs of these rows until *total <= target: in their order, those
 * of the batch only if `batch_too`. Subtracts from *total, adds to *ret_n. */
int px_aged_rows_evict(struct px_db *db, MDB_txn *txn,
		       struct px_aged_rows *rows, bool batch_too,
		       uint64_t target, uint64_t *total, uint64_t *ret_n);

/* The bytes of blobs that the database may have: `max_bytes`, or less if the
 * map is small. */
uint64_t px_evict_bound(const struct px_db *db, uint64_t max_bytes);

/* Deletes blobs, those of the running batch last, until no more than `target`
 * bytes are left. Sets *total to what is left, counted anew, and adds the
 * number of deleted blobs to *ret_n. */
int px_evict(struct px_db *db, MDB_txn *txn, struct px_item *batch,
	     uint64_t target, uint64_t *total, uint64_t *ret_n);

/* Deletes the index rows whose blobs are gone. Nothing would be answered by
 * them, but they take room. */
int px_evict_sweep_index(struct px_db *db, MDB_txn *txn);

/* Deletes the older half of the index rows if there are far more than blobs. */
int px_evict_prune_index(struct px_db *db, MDB_txn *txn);

/* After a commit failed for want of room: evicts half of the blobs and makes
 * their pages available, in transactions of its own. Counts what it evicts. */
int px_evict_make_room(struct px_db *db, struct px_counts *counts,
		       struct px_item *batch);

/* Commits once more, which lets LMDB use the pages again that the commit before
 * freed: those of transaction N are free from N + 2 on (mdb.c 0.9.24,
 * mdb_page_alloc takes only what is older than the oldest reader, and the last
 * commit counts as one). */
int px_evict_free_pages(struct px_db *db);

#endif
