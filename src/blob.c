/* SPDX-License-Identifier: MIT */
#include "pycfs/blob.h"

#include <stdatomic.h>

#define STORED_MAGIC  0x31425850u /* "PXB1" */
#define STORED_DIGEST 16	  /* offset of the digest */

_Static_assert(PX_BLOB_CODE == 1 && PX_BLOB_REJECTED == 2 && PX_BLOB_NOTE == 4,
	       "stored numbers: a change needs a new magic");

struct px_blob *px_blob_new(enum px_blob_kind kind, uint32_t line,
			    uint32_t column, const void *data, size_t n)
{
	struct px_blob *b;

	if (n > SIZE_MAX - sizeof(*b))
		return NULL;
	b = malloc(sizeof(*b) + n);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->kind = kind;
	b->line = line;
	b->column = column;
	b->size = n;
	if (n > 0)
		memcpy(b->data, data, n);
	return b;
}

struct px_blob *px_blob_ref(struct px_blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void px_blob_unref(struct px_blob *b)
{
	/* Release: our reads of it come before another thread's free. */
	if (b &&
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

static void compute_digest(const uint8_t key[PX_DIGEST_SIZE], uint32_t kind,
			   uint32_t line, uint32_t column, const void *data,
			   size_t n, uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "key", key, PX_DIGEST_SIZE);
	px_digest_u64(&d, "kind", kind);
	px_digest_u64(&d, "line", line);
	px_digest_u64(&d, "column", column);
	px_digest_field(&d, "payload", data, n);
	px_digest_final(&d, ret);
}

void px_blob_header(const struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		    uint8_t ret[PX_BLOB_STORED_HEADER])
{
	px_put_le32(ret, STORED_MAGIC);
	px_put_le32(ret + 4, b->kind);
	px_put_le32(ret + 8, b->line);
	px_put_le32(ret + 12, b->column);
	compute_digest(key, b->kind, b->line, b->column, b->data, b->size,
		       ret + STORED_DIGEST);
}

int px_blob_decode(const uint8_t key[PX_DIGEST_SIZE], const uint8_t *data,
		   size_t n, struct px_blob **ret)
{
	uint8_t want[PX_DIGEST_SIZE];
	uint8_t digest[PX_DIGEST_SIZE];
	struct px_blob *b;
	uint32_t kind;
	uint32_t line;
	uint32_t column;

	if (n < PX_BLOB_STORED_HEADER || px_get_le32(data) != STORED_MAGIC)
		return -EBADMSG;
	kind = px_get_le32(data + 4);
	line = px_get_le32(data + 8);
	column = px_get_le32(data + 12);
	if (kind != PX_BLOB_CODE && kind != PX_BLOB_REJECTED &&
	    kind != PX_BLOB_NOTE)
		return -EBADMSG;
	memcpy(want, data + STORED_DIGEST, PX_DIGEST_SIZE);
	b = px_blob_new((enum px_blob_kind)kind, line, column,
			data + PX_BLOB_STORED_HEADER,
			n - PX_BLOB_STORED_HEADER);
	if (!b)
		return -ENOMEM;
	/* Of the copy: `data` may lie in a file that somebody else changes. */
	compute_digest(key, kind, line, column, b->data, b->size, digest);
	if (memcmp(digest, want, PX_DIGEST_SIZE) != 0) {
		px_blob_unref(b);
		return -EBADMSG;
	}
	*ret = b;
	return 0;
}
