/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_UNIT_H
#define PX_CACHE_UNIT_H
/* Helpers for the tests of the cache: a temporary directory, options, and blobs
 * with contents that can be checked. */

#include "unit.h"
#include "cache/dir.h"
#include "cache/handle.h"
#include "cache/lifecycle.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define UNIT_PATH 512

struct unit_cache {
	char top[UNIT_PATH];
	char dir[UNIT_PATH + 8];
	uint64_t max_bytes;
	_Atomic uint32_t today;
	struct px_cache_tuning tuning;
	struct px_stats stats;
	struct px_cache *c;
	struct px_why why;
};

static inline int unit_setup(void **state)
{
	struct unit_cache *u = calloc(1, sizeof(*u));
	const char *tmp = getenv("TMPDIR");

	snprintf(u->top, sizeof(u->top), "%s/px-test-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(u->top))
		return -1;
	snprintf(u->dir, sizeof(u->dir), "%s/cache", u->top);
	u->max_bytes = UINT64_C(1) << 30;
	u->today = 100;
	u->tuning.today = &u->today;
	/* A small map, because ThreadSanitizer needs four bytes of memory for
	 * each byte that is mapped. */
	u->tuning.map_bytes = UINT64_C(1) << 30;
	u->tuning.give_up_ms = 20000;
	*state = u;
	return 0;
}

static inline int unit_remove(const char *path, const struct stat *st PX_UNUSED,
			      int type PX_UNUSED, struct FTW *f PX_UNUSED)
{
	return remove(path);
}

static inline int unit_teardown(void **state)
{
	struct unit_cache *u = *state;

	px_cache_close(u->c);
	nftw(u->top, unit_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(u);
	return 0;
}

static inline int unit_try_open(struct unit_cache *u)
{
	struct px_cache_options o = {.dir = u->dir,
				     .max_bytes = u->max_bytes,

				     .stats = &u->stats};

	return px_cache_open_tuned(&o, &u->tuning, &u->c, &u->why);
}

static inline void unit_open(struct unit_cache *u)
{
	assert_int_equal(unit_try_open(u), 0);
}

static inline void unit_close(struct unit_cache *u)
{
	px_cache_close(u->c);
	u->c = NULL;
}

static inline void unit_reopen(struct unit_cache *u)
{
	unit_close(u);
	unit_open(u);
}

static inline uint64_t unit_count(struct unit_cache *u, enum px_counter n)
{
	return px_stats_get(&u->stats, n);
}

static inline void unit_key(unsigned n, uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "n", n);
	px_digest_final(&d, ret);
}

/* Makes blob number `n`. Its bytes are computed from `n`, so that a reader can
 * check them. The caller owns the reference. */
static inline struct px_blob *unit_blob(unsigned n, size_t size)
{
	struct px_blob *b;
	uint8_t *data = malloc(size + 1);
	uint32_t x = n * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (uint8_t)(x >> 24);
	}
	b = px_blob_new(PX_BLOB_CODE, 0, 0, data, size);
	free(data);
	return b;
}

/* Stores blob number `n`; with `with_index` also an index entry that leads to
 * it, whose key is that of the number n + 1000000. */
static inline void unit_put(struct px_cache *c, unsigned n, size_t size,
			    bool with_index)
{
	struct px_cache_entry e = {.kind = PX_BLOB_CODE, .size = size};
	struct px_blob *b = unit_blob(n, size);
	uint8_t index[PX_DIGEST_SIZE];

	unit_key(n, e.key);
	unit_key(n + 1000000, index);
	px_cache_put(c, e.key, b, 7, with_index ? index : NULL,
		     with_index ? &e : NULL);
	px_blob_unref(b);
}

/* Reads blob number `n`. Returns 0 if its contents are right, 1 if they are
 * wrong, else -errno; -ENOENT if it is not stored. */
static inline int unit_get(struct px_cache *c, unsigned n, size_t size)
{
	struct px_blob *want;
	struct px_blob *b;
	uint8_t key[PX_DIGEST_SIZE];
	int r;

	unit_key(n, key);
	r = px_cache_get(c, key, &b);
	if (r < 0)
		return r;
	want = unit_blob(n, size);
	r = b->kind != want->kind || b->size != size ||
	    memcmp(b->data, want->data, size) != 0;
	px_blob_unref(want);
	px_blob_unref(b);
	return r;
}

static inline int unit_get_index(struct px_cache *c, unsigned n, size_t size)
{
	struct px_cache_entry e;
	uint8_t index[PX_DIGEST_SIZE];
	uint8_t key[PX_DIGEST_SIZE];
	int r;

	unit_key(n, key);
	unit_key(n + 1000000, index);
	r = px_cache_index_get(c, index, &e);
	if (r < 0)
		return r;
	return e.kind != PX_BLOB_CODE || e.size != size ||
	       memcmp(e.key, key, sizeof(key)) != 0;
}

static inline struct px_cache_info unit_info(struct px_cache *c)
{
	struct px_cache_info info;

	assert_int_equal(px_cache_info(c, &info), 0);
	return info;
}

#endif
