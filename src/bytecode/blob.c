/* SPDX-License-Identifier: MIT */
#include "pycfs/blob.h"

#include "pycfs/filename.h"
#include "pycfs/pyc.h"

#include <stdatomic.h>

/* Room that a blob has behind its data: most names fit, and a module that is
 * read from the cache need not be copied to put one in. In bytes. */
#define ROOM_FOR_NAME	128

#define STORED_MAGIC	0x33425850u /* "PXB3" */
#define STORED_NUMBERS	4	    /* offsets in the header, in bytes */
#define STORED_CHECKSUM 20

_Static_assert(PX_BLOB_CODE == 1 && PX_BLOB_REJECTED == 2 && PX_BLOB_NOTE == 4,
	       "stored numbers: a change needs a new magic");

struct px_blob *px_blob_alloc(size_t n)
{
	struct px_blob *b;

	if (n > SIZE_MAX - sizeof(*b) - ROOM_FOR_NAME)
		return NULL;
	b = malloc(sizeof(*b) + n + ROOM_FOR_NAME);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->kind = 0;
	b->line = b->column = b->name_at = 0;
	b->size = n;
	b->room = n + ROOM_FOR_NAME;
	return b;
}

struct px_blob *px_blob_new(enum px_blob_kind kind, uint32_t line,
			    uint32_t column, const void *data, size_t n)
{
	struct px_blob *b = px_blob_alloc(n);

	if (!b)
		return NULL;
	b->kind = kind;
	b->line = line;
	b->column = column;
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
	/* Release: this thread's reads of the blob happen before the free,
	 * whichever thread drops the last reference. Acquire: the free happens
	 * after the reads of all others. */
	if (b &&
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

bool px_blob_is_name_at(enum px_blob_kind kind, const uint8_t *data, size_t n,
			uint32_t name_at)
{
	if (name_at == 0)
		return true;
	return kind == PX_BLOB_CODE && name_at > PX_PYC_HEADER_SIZE &&
	       name_at < n && px_filename_is_mark(data[name_at]);
}

uint64_t px_blob_size_with_name(uint64_t size, bool nameless, const char *name)
{
	return nameless ? size - 1 + px_filename_size(name) : size;
}

struct px_blob *px_blob_with_name(struct px_blob *b, const char *name)
{
	const size_t at = b->name_at;
	struct px_blob *whole = b;
	size_t n, rest;
	uint8_t mark;

	if (at == 0)
		return b;
	n = px_filename_size(name);
	rest = b->size - at - 1;
	mark = b->data[at];
	/* Whoever has the only reference is alone with the blob. */
	if (atomic_load_explicit(&b->refs, memory_order_acquire) == 1 &&
	    b->room >= at + n + rest) {
		memmove(b->data + at + n, b->data + at + 1, rest);
		b->size = at + n + rest;
		b->name_at = 0;
	} else {
		whole = px_blob_alloc(at + n + rest);
		if (whole) {
			whole->kind = b->kind;
			memcpy(whole->data, b->data, at);
			memcpy(whole->data + at + n, b->data + at + 1, rest);
		}
		px_blob_unref(b);
	}
	if (whole)
		px_filename_write(name, mark, whole->data + at);
	return whole;
}

void px_blob_header(const struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		    uint8_t ret[PX_BLOB_STORED_HEADER])
{
	const size_t n_numbers = STORED_CHECKSUM - STORED_NUMBERS;
	uint8_t all[PX_CHECKSUM_SIZE + PX_DIGEST_SIZE + STORED_CHECKSUM -
		    STORED_NUMBERS];
	uint8_t *p = all;

	px_put_le32(ret, STORED_MAGIC);
	px_put_le32(ret + 4, b->kind);
	px_put_le32(ret + 8, b->line);
	px_put_le32(ret + 12, b->column);
	px_put_le32(ret + 16, b->name_at);
	px_checksum(b->data, b->size, p);
	p += PX_CHECKSUM_SIZE;
	memcpy(p, key, PX_DIGEST_SIZE);
	p += PX_DIGEST_SIZE;
	memcpy(p, ret + STORED_NUMBERS, n_numbers);
	px_checksum(all, sizeof(all), ret + STORED_CHECKSUM);
}

bool px_blob_begins(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind)
{
	return px_get_le32(header) == STORED_MAGIC &&
	       px_get_le32(header + 4) == (uint32_t)kind;
}

int px_blob_check(struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		  const uint8_t header[PX_BLOB_STORED_HEADER])
{
	const uint32_t kind = px_get_le32(header + 4);
	uint8_t want[PX_BLOB_STORED_HEADER];

	if (kind != PX_BLOB_CODE && kind != PX_BLOB_REJECTED &&
	    kind != PX_BLOB_NOTE)
		return -EBADMSG;
	b->kind = (enum px_blob_kind)kind;
	b->line = px_get_le32(header + 8);
	b->column = px_get_le32(header + 12);
	b->name_at = px_get_le32(header + 16);
	px_blob_header(b, key, want);
	if (memcmp(header, want, sizeof(want)) != 0)
		return -EBADMSG;
	/* Checked as well, because a write out of bounds would depend on it. */
	return px_blob_is_name_at(b->kind, b->data, b->size, b->name_at)
		       ? 0
		       : -EBADMSG;
}

int px_blob_decode(const uint8_t key[PX_DIGEST_SIZE], const uint8_t *data,
		   size_t n, struct px_blob **ret)
{
	struct px_blob *b;
	int r;

	if (n < PX_BLOB_STORED_HEADER)
		return -EBADMSG;
	/* Copy first, then verify the copy: `data` may point into a mapped file
	 * that another process can change at any time. */
	b = px_blob_new(0, 0, 0, data + PX_BLOB_STORED_HEADER,
			n - PX_BLOB_STORED_HEADER);
	if (!b)
		return -ENOMEM;
	r = px_blob_check(b, key, data);
	if (r < 0)
		px_blob_unref(b);
	else
		*ret = b;
	return r;
}
