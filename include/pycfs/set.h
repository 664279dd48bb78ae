/* SPDX-License-Identifier: MIT */
#ifndef PX_SET_H
#define PX_SET_H
/*
 * A set of 64-bit hashes that only grows: what was said, or looked at, already.
 * It knows no keys: two with the same hash are one to it. So it serves where
 * such a mistake skips a message or some work done ahead, never for security.
 *
 * Threads: the caller's lock. Nothing here blocks.
 */

#include "pycfs/util.h"

/* All zero is an empty set. */
struct px_set {
	uint64_t *slots;
	size_t n;
	size_t capacity; /* a power of two, or 0 */
};

/* Adds `hash`. True if it was in the set before; false also when memory runs
 * out, and then it was not added. */
bool px_set_add(struct px_set *s, uint64_t hash);
void px_set_fini(struct px_set *s);

#endif
