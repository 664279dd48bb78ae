/* SPDX-License-Identifier: MIT */
#ifndef PX_BLOB_H
#define PX_BLOB_H
/*
 * The outcome of compiling one module, and its stored form. A blob is either
 * a whole .pyc or the reason why there is none; both are results.
 *
 *   stored   ::= le32 magic "PXB2", le32 kind, le32 line, le32 column,
 *                checksum, payload
 *   checksum ::= XXH3-128 over (XXH3-128 of the payload, key, kind, line,
 *                column)
 *
 * It covers the key, so that a value moved under another key is as damaged as
 * one with a flipped bit. Against who writes a value on purpose no digest
 * helps, for he can compute it: the cache is its owner's alone. Numbers below
 * are stored: never change or reuse one without a new magic.
 *
 * Threads: reference counts are atomic; a blob never changes once made.
 */

#include "pycfs/digest.h"
#include "pycfs/util.h"

enum px_blob_kind {
	PX_BLOB_CODE = 1,     /* data: a .pyc */
	PX_BLOB_REJECTED = 2, /* data: the compiler's message, UTF-8 */
	PX_BLOB_FAILED = 3,   /* data: why; deadline or crash; never stored */
	PX_BLOB_NOTE = 4,     /* data: what a report found out; no module */
};

struct px_blob {
	_Atomic unsigned refs;
	enum px_blob_kind kind;
	uint32_t line;	 /* where it was rejected, from 1; else 0 */
	uint32_t column; /* from 1; else 0 */
	size_t size;
	uint8_t data[];
};

/* For "%.*s": bytes of the message to be shown, 1 MiB at most. The size itself
 * need not be an int, and a negative one would be none at all. */
static inline int px_blob_shown(const struct px_blob *b)
{
	return b->size < 1u << 20 ? (int)b->size : 1 << 20;
}

#define PX_BLOB_STORED_HEADER (16 + PX_CHECKSUM_SIZE)

/* A new blob with one reference and a copy of `data`, or NULL (ENOMEM). */
struct px_blob *px_blob_new(enum px_blob_kind kind, uint32_t line,
			    uint32_t column, const void *data, size_t n);
struct px_blob *px_blob_ref(struct px_blob *b);
void px_blob_unref(struct px_blob *b); /* NULL is fine */

/* Writes the stored header of `b` under `key`; the payload follows it. */
void px_blob_header(const struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		    uint8_t ret[PX_BLOB_STORED_HEADER]);

/* To read a stored value where it is to stay: a blob with room for `n` bytes in
 * `data`, of kind 0 until it was checked; NULL (ENOMEM). */
struct px_blob *px_blob_alloc(size_t n);
/* With its data filled in: 0 and what `header` says of it, or -EBADMSG. */
int px_blob_check(struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		  const uint8_t header[PX_BLOB_STORED_HEADER]);

/* Whether it begins as a stored value of that kind does. */
bool px_blob_begins(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind);

/* Checks and copies a stored value. Returns 0 with one reference, -EBADMSG if
 * it is not what was stored under `key`, -ENOMEM. */
int px_blob_decode(const uint8_t key[PX_DIGEST_SIZE], const uint8_t *data,
		   size_t n, struct px_blob **ret);

#endif
