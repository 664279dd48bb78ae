/* SPDX-License-Identifier: MIT */
#ifndef PX_MAP_H
#define PX_MAP_H
/*
 * A hash table of objects that the caller allocates and owns. Each object has a
 * struct px_map_node as a member, and PX_CONTAINER converts a pointer to that
 * member into a pointer to the object. The table stores hashes, not keys.
 * Different objects may have the same hash, so a lookup has to compare the keys
 * itself:
 *
 *	for (n = px_map_first(&map, hash); n; n = px_map_next(n))
 *		if (is_it(PX_CONTAINER(n, struct thing, node)))
 *			...
 *
 * Threads: the caller serialises access with a lock of its own. No function
 * here blocks.
 */

#include "pycfs/util.h"

struct px_map_node {
	struct px_map_node *next; /* the next node in the same bucket */
	uint64_t hash;
};

/* A map whose bytes are all zero is empty and ready for use. */
struct px_map {
	struct px_map_node **buckets;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;	  /* number of objects in the map */
};

/* Frees the table but not the objects in it. The map is empty afterwards. */
void px_map_fini(struct px_map *m);

/* Allocates the table if there is none yet. After that px_map_add cannot fail.
 * Returns 0 or -ENOMEM. */
int px_map_reserve(struct px_map *m);

/* Adds an object, even if the map has others with the same hash. Returns 0, or
 * -ENOMEM if there was no table yet and none could be allocated. If an existing
 * table cannot grow, its chains get longer instead. */
int px_map_add(struct px_map *m, struct px_map_node *node, uint64_t hash);

/* Removes an object, which must be in the map. */
void px_map_remove(struct px_map *m, struct px_map_node *node);

/* Iterates over the map in no particular order: returns the node after `after`,
 * or the first node if `after` is NULL; returns NULL at the end. A loop that
 * frees the objects must fetch the next node before it frees the current one,
 * and may afterwards use the map for nothing but px_map_fini. */
struct px_map_node *px_map_each(const struct px_map *m,
				const struct px_map_node *after);

/* Internal: the first node of the chain from `n` on that has this hash, or
 * NULL. */
static inline struct px_map_node *px_map_same(struct px_map_node *n,
					      uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

/* px_map_first returns the most recently added node with this hash; px_map_next
 * returns the one added before `n` with the same hash. Both return NULL if
 * there is none. */
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
