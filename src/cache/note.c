/* SPDX-License-Identifier: MIT */
#include "pycfs/cache.h"

void px_note_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 const void *note, size_t n)
{
	struct px_blob *b = px_blob_new(PX_BLOB_NOTE, 0, 0, note, n);

	if (b)
		px_cache_put(c, key, b, 0, NULL, NULL);
	px_blob_unref(b);
}

struct px_blob *px_note_find(struct px_cache *c,
			     const uint8_t key[PX_DIGEST_SIZE], size_t n)
{
	struct px_blob *b;

	if (px_cache_get(c, key, &b) < 0)
		return NULL;
	if (b->kind == PX_BLOB_NOTE && b->size >= n)
		return b;
	px_blob_unref(b);
	return NULL;
}
