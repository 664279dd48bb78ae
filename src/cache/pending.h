/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_PENDING_H
#define PX_CACHE_PENDING_H
/*
 * What is in memory and can be read from there: items that wait to be written,
 * are being written, or cannot be written to the database.
 *
 * Threads: under the caller's lock, which the writer holds for all of this.
 */

#include "pycfs/cache.h"
#include "pycfs/map.h"

enum px_item_kind {
	PX_ITEM_BLOB,
	PX_ITEM_INDEX,
	PX_ITEM_TOUCH, /* mark a blob as used today */
	PX_ITEM_DROP,  /* delete a damaged blob */
};

enum px_item_place {
	PX_PLACE_QUEUED,   /* waits for the writer; oldest first */
	PX_PLACE_WRITING,  /* in the writer's batch */
	PX_PLACE_UNSTORED, /* could not be stored; least recently used first,
			    * and freed in that order past unstored_max */
	PX_PLACE_MEMORY, /* must not be stored; stays until the cache closes */
	PX_N_PLACES
};

struct px_item {
	struct px_map_node node;
	struct px_item *prev; /* in the same place */
	struct px_item *next;
	enum px_item_kind kind;
	enum px_item_place place;
	uint8_t key[PX_DIGEST_SIZE]; /* for INDEX, the index */
	struct px_blob *blob;	     /* BLOB: a reference */
	uint32_t profile;	     /* BLOB */
	struct px_cache_entry entry; /* INDEX */
	uint64_t seq;		     /* counts up, in the order of queueing */
	int64_t queued_ms;	     /* px_now_ms */
	uint64_t cost;		     /* bytes of memory */
	/* While WRITING, replaced or cleared: it can no longer be found and is
	 * freed when its batch ends. */
	bool unlisted;
	/* Of the writer, not under the lock: the batch itself left the blob out
	 * or evicted it again, so that it is not in the database. */
	bool evicted;
};

struct px_item_list {
	struct px_item *first;
	struct px_item *last;
	uint64_t bytes; /* of the items' cost */
};

struct px_pending {
	struct px_map map; /* by kind and key; all items but unlisted ones */
	struct px_item_list place[PX_N_PLACES];
	uint64_t last_seq;
	uint64_t unstored_max; /* bytes */
};

void px_pending_init(struct px_pending *p, uint64_t unstored_max);
void px_pending_fini(struct px_pending *p);

/* NULL: there is none. */
struct px_item *px_pending_find(const struct px_pending *p,
				enum px_item_kind kind,
				const uint8_t key[PX_DIGEST_SIZE]);

/* Adds an item; there must be none of that kind and key. Takes its own
 * reference of `blob`, and copies `entry`; both may be NULL. NULL: no memory.
 */
struct px_item *px_pending_add(struct px_pending *p, enum px_item_kind kind,
			       const uint8_t key[PX_DIGEST_SIZE],
			       struct px_blob *blob,
			       const struct px_cache_entry *entry,
			       enum px_item_place place);

/* Moves an item to the end of a place. Moving or adding to UNSTORED frees other
 * items there, if they exceed unstored_max, but never the last one. */
void px_pending_move(struct px_pending *p, struct px_item *it,
		     enum px_item_place place);

/* Removes and frees an item. */
void px_pending_remove(struct px_pending *p, struct px_item *it);

/* Moves an item that could not be stored to where its kind belongs then. Frees
 * it if it is unlisted. */
void px_pending_keep_unstored(struct px_pending *p, struct px_item *it);

/* Makes an item that is WRITING impossible to find. */
void px_pending_unlist(struct px_pending *p, struct px_item *it);

/* Frees all items but those that are WRITING, which it unlists. */
void px_pending_clear(struct px_pending *p);

/* The sequence number of the oldest item QUEUED or WRITING, or UINT64_MAX. */
uint64_t px_pending_oldest_seq(const struct px_pending *p);

#endif
