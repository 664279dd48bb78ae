/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_COUNTS_H
#define PX_CACHE_COUNTS_H
/*
 * What a cache counts: in the caller's counters, which end with the process,
 * and for the sums and profiles that the database holds. The latter are
 * collected here until the writer adds them to the database.
 *
 * Threads: any. Its lock is a leaf: nothing is called while it is held.
 */

#include "pycfs/cache.h"

#include <pthread.h>

struct px_counts {
	pthread_mutex_t lock;
	/* under lock: */
	struct px_stats *stats; /* the caller's; NULL: no longer there */
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	size_t n_profiles;
	uint64_t served; /* since px_counts_take */
	uint64_t added;
};

/* What is to be added to the database. */
struct px_counts_sums {
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	size_t n_profiles;
	uint64_t served;
	uint64_t added;
};

void px_counts_init(struct px_counts *n, struct px_stats *stats);
void px_counts_fini(struct px_counts *n);

/* The caller's counters are about to go: no longer writes to them. */
void px_counts_leave_stats(struct px_counts *n);

void px_counts_add(struct px_counts *n, enum px_counter counter, uint64_t by);

/* A blob was found, or is new. Only modules are counted, and not failures,
 * which are not stored. */
void px_counts_served(struct px_counts *n, const struct px_blob *b);
void px_counts_added(struct px_counts *n, const struct px_blob *b);

/* As px_cache_profile. */
uint32_t px_counts_profile(struct px_counts *n, const char *text);

/* Whether a sum has changed since px_counts_take. */
bool px_counts_any(struct px_counts *n);

/* Hands the sums over, and begins new ones at 0; profiles stay. */
void px_counts_take(struct px_counts *n, struct px_counts_sums *ret);

#endif
