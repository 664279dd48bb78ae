/* SPDX-License-Identifier: MIT */
/*
 * Input: kind, line, column, a place to damage, name_at and how to damage (five
 * le32, one byte), then a payload. Also taken as a stored value as it is. What
 * is accepted takes a name.
 */
#include "fuzz.h"
#include "pycfs/blob.h"
#include "pycfs/filename.h"

#define FIXED 21

static const uint8_t key[PX_DIGEST_SIZE] = "the fuzzer's key";

static void put_name(struct px_blob *b)
{
	static const char name[] = "a\xff/b.py";
	struct px_blob *whole = px_blob_with_name(px_blob_ref(b), name);
	const size_t n = px_filename_size(name);

	MUST(whole);
	MUST(whole->size ==
	     px_blob_size_with_name(b->size, b->name_at != 0, name));
	if (b->name_at != 0) {
		MUST(whole->name_at == 0 && whole != b);
		MUST(whole->size == b->size - 1 + n);
		MUST(memcmp(whole->data + b->name_at + n,
			    b->data + b->name_at + 1,
			    b->size - b->name_at - 1) == 0);
	}
	px_blob_unref(whole);
}

static void round_trip(const uint8_t *data, size_t size)
{
	struct px_blob *back;
	struct px_blob *b =
		px_blob_new((enum px_blob_kind)(1 + px_get_le32(data) % 3),
			    px_get_le32(data + 4), px_get_le32(data + 8),
			    data + FIXED, size - FIXED);
	const size_t n = PX_BLOB_STORED_HEADER + size - FIXED;
	uint8_t *stored = malloc(n);
	int r;

	MUST(b && stored);
	b->name_at = px_get_le32(data + 16);
	px_blob_header(b, key, stored);
	if (b->size > 0)
		memcpy(stored + PX_BLOB_STORED_HEADER, b->data, b->size);
	r = px_blob_decode(key, stored, n, &back);
	MUST((r == 0) ==
	     (b->kind != PX_BLOB_FAILED &&
	      px_blob_is_name_at(b->kind, b->data, b->size, b->name_at)));
	if (r == 0) {
		MUST(back->kind == b->kind && back->line == b->line);
		MUST(back->column == b->column && back->size == b->size);
		MUST(back->name_at == b->name_at);
		MUST(memcmp(back->data, b->data, b->size) == 0);
		put_name(back);
		px_blob_unref(back);
	}
	if (data[20] != 0) {
		stored[px_get_le32(data + 12) % n] ^= data[20];
		MUST(px_blob_decode(key, stored, n, &back) == -EBADMSG);
	}
	free(stored);
	px_blob_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p = fuzz_copy(data, size);
	struct px_blob *b;

	if (px_blob_decode(key, p, size, &b) == 0) {
		put_name(b);
		px_blob_unref(b);
	}
	if (size >= FIXED)
		round_trip(p, size);
	free(p);
	return 0;
}
