/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_SEED_H
#define PX_CACHE_SEED_H
/*
 * A second cache that is only read (--cache-from). It is read without LMDB,
 * which would want to write to its lock file.
 *
 * Threads: any, between px_seed_open and px_seed_close.
 */

#include "row.h"

struct px_seed;

/* Errors as px_cache_seed. */
int px_seed_open(const char *dir, struct px_seed **ret, struct px_why *why);
void px_seed_close(struct px_seed *s); /* NULL is fine */

/* The `used` row of a blob. -ENOENT: there is none, or anything is wrong. */
int px_seed_find(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret);

/* As px_cache_get. */
int px_seed_get(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		struct px_blob **ret);

#endif
