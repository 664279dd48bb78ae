/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_STORE_H
#define PX_CACHE_STORE_H
/*
 * One batch of items, written to the database in one transaction. Called by the
 * writer alone, without its lock: only the writer ends a batch, and until then
 * nobody else changes what is read of its items here.
 */

#include "evict.h"

/* All borrowed. */
struct px_store {
	struct px_db *db;
	struct px_counts *counts;
	const struct px_cache_tuning *tuning;
	uint64_t max_bytes; /* of blobs in the database */
};

struct px_batch {
	struct px_item *first; /* of the items that are WRITING */
	uint64_t last_seq;
	uint64_t bytes; /* of the items' cost */
	/* of px_store_batch: */
	uint64_t target; /* bytes of blobs that an eviction leaves */
	uint64_t n_stored;
	uint64_t n_evicted;
};

/* Commits the batch; evicts and tries once more if there is no room. Blocks as
 * long as another process writes. On success n_stored and n_evicted are what
 * was done, and an item's `evicted` is set if its row is not there after all.
 * -ESHUTDOWN: the database is disabled; -errno. */
int px_store_batch(const struct px_store *s, struct px_batch *b);

/* Commits the sums of px_counts_take if any has changed. A process that only
 * reads has no batch to commit them with. Errors are ignored. */
void px_store_counts(const struct px_store *s);

#endif
