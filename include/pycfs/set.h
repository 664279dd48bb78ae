/* SPDX-License-Identifier: MIT */
#ifndef PX_SET_H
#define PX_SET_H
/*
 * A set of 64-bit hashes that only grows, for example of the messages already
 * logged. It stores no keys: two keys with the same hash count as one. Use it
 * only where such a mistake merely skips a message or an optional optimisation,
 * and never for security.
 *
 * Threads: the caller serialises access with a lock of its own. No function
 * here blocks.
 */

#include "pycfs/util.h"

/* A set whose bytes are all zero is empty and ready for use. */
struct px_set {
	uint64_t *slots; /* open addressing; 0 marks a free slot */
	size_t n;	 /* number of hashes in the set */
	size_t capacity; /* a power of two, or 0 */
};

/* Adds `hash` and returns whether it was in the set already. If memory runs
 * out, it returns false and the hash is not added. */
bool px_set_add(struct px_set *s, uint64_t hash);
/* Whether `hash` is in the set. */
bool px_set_has(const struct px_set *s, uint64_t hash);
/* Frees the memory. The set is empty afterwards. */
void px_set_fini(struct px_set *s);

#endif
