/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_LIFECYCLE_H
#define PX_CACHE_LIFECYCLE_H

#include "pycfs/cache.h"

#include "tuning.h"

/* px_cache_open for tests. What is 0 in `tuning`, or NULL for it, has its usual
 * value. */
int px_cache_open_tuned(const struct px_cache_options *o,
			const struct px_cache_tuning *tuning,
			struct px_cache **ret, struct px_why *why);

#endif
