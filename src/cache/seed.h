/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_SEED_H
#define PX_CACHE_SEED_H
/*
 * A second cache that is only read (--cache-from), without LMDB's lock file,
 * which may be missing or not be ours to write. So whoever writes to it does
 * not know of us: what is read then may be garbage, which is as good as
 * missing.
 */

#include "db.h"

/* Opens the database below `dir`; px_db_close it. Errors as px_cache_seed. `t`
 * and `n` are borrowed until then. */
int px_seed_open(const char *dir, const struct px_cache_tuning *t,
		 struct px_counts *n, struct px_db **ret, struct px_why *why);

#endif
