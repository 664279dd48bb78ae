/* SPDX-License-Identifier: MIT */
#ifndef PX_MAP_H
#define PX_MAP_H
/*
 * A hash table of objects that their owner allocates: each has a struct
 * px_map_node as a member, and PX_CONTAINER leads back from that to the object.
 * The table knows hashes only. Several objects may have the same one, so that
 * who looks something up compares the keys himself:
 *
 *	for (n = px_map_first(&map, hash); n; n = px_map_next(n))
 *		if (is_it(PX_CONTAINER(n, struct thing, node)))
 *			...
 *
 * Threads: the caller's lock. Nothing here blocks.
 */

#include "pycfs/util.h"

struct px_map_node {
	struct px_map_node *next; /* in the same bucket */
	uint64_t hash;
};

/* All zero is an empty map. */
struct px_map {
	struct px_map_node **buckets;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;	  /* objects */
};

/* Frees the table, not the objects. */
void px_map_fini(struct px_map *m);

/* Makes sure that the next px_map_add does not fail. 0, -ENOMEM. */
int px_map_reserve(struct px_map *m);

/* Adds an object, also beside others of the same hash. 0; -ENOMEM, only if the
 * map had no table yet: one that cannot grow gets longer chains. */
int px_map_add(struct px_map *m, struct px_map_node *node, uint64_t hash);

/* Takes out an object that is in the map. */
void px_map_remove(struct px_map *m, struct px_map_node *node);

/* The object that follows `after` in no particular order; NULL: the first one,
 * and after the last one NULL is returned. A loop that frees objects asks for
 * the next one before it frees one, and then for no other use of the map than
 * px_map_fini. */
struct px_map_node *px_map_each(const struct px_map *m,
				const struct px_map_node *after);

static inline struct px_map_node *px_map_same(struct px_map_node *n,
					      uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

/* The first object of that hash, and the next one of the same, from the latest
 * that was added to the oldest. NULL: there is none. */
static inline struct px_map_node *px_map_first(const struct px_map *m,
					       uint64_t hash)
{
	return m->n_buckets == 0
		       ? NULL
		       : px_map_same(m->buckets[hash & (m->n_buckets - 1)],
				     hash);
}

static inline struct px_map_node *px_map_next(const struct px_map_node *n)
{
	return px_map_same(n->next, n->hash);
}

#endif
