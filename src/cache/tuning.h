/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_TUNING_H
#define PX_CACHE_TUNING_H
/* The figures that a cache works with, which tests change. */

#include "pycfs/util.h"

#include <stdatomic.h>

struct px_cache_tuning {
	uint64_t map_bytes;	 /* LMDB's map: the largest database */
	uint64_t unstored_bytes; /* in memory, of what could not be stored */
	uint64_t pending_bytes;	 /* in memory, queued and not yet committed */
	unsigned delay_ms;	 /* until a small batch is committed */
	unsigned give_up_ms;	 /* how long flush and close wait at most */
	const _Atomic uint32_t *today; /* NULL: the clock */
};

/* In days since 1970. */
static inline uint32_t px_cache_today(const struct px_cache_tuning *t)
{
	if (t->today)
		return atomic_load(t->today);
	return (uint32_t)(px_wall_ns() / (INT64_C(86400) * 1000000000));
}

#endif
