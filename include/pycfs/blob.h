/* SPDX-License-Identifier: MIT */
#ifndef PX_BLOB_H
#define PX_BLOB_H
/*
 * A blob: the outcome of compiling one module, in memory and in its stored
 * form. A blob is either a whole .pyc or the reason why there is none; both are
 * valid results.
 *
 *   stored   ::= le32 magic "PXB3", le32 kind, le32 line, le32 column,
 *                le32 name_at, checksum, payload
 *   checksum ::= XXH3-128 over (XXH3-128 of the payload, key, kind, line,
 *                column, name_at)
 *
 * A .pyc in the canonical form is stored without its co_filename, so that equal
 * sources at different paths have one blob: such a blob is nameless, and
 * px_blob_with_name puts a name in (filename.h).
 *
 * The checksum covers the key under which the blob is stored, so that a value
 * that was moved to another key counts as damaged, like one with a flipped bit.
 * No unkeyed checksum can protect against somebody who writes a value on
 * purpose; for that, the cache relies on being writable by its owner only. The
 * values of enum px_blob_kind are stored: never change or reuse one without a
 * new magic.
 *
 * Threads: any. Reference counts are atomic, and a blob does not change once
 * more than one reference to it exists. No function here blocks.
 */

#include "pycfs/digest.h"
#include "pycfs/util.h"

enum px_blob_kind {
	/* The module compiles; the data is a .pyc. */
	PX_BLOB_CODE = 1,
	/* The compiler rejected the source; the data is its message (UTF-8). */
	PX_BLOB_REJECTED = 2,
	/* The worker crashed or missed the deadline; the data is a message that
	 * says so. A blob of this kind is never stored. */
	PX_BLOB_FAILED = 3,
	/* Not a module: the data is what a report has measured of a file. */
	PX_BLOB_NOTE = 4,
};

struct px_blob {
	_Atomic unsigned refs;
	enum px_blob_kind kind;
	uint32_t line;	 /* of the error, from 1; 0 if there is none */
	uint32_t column; /* of the error, from 1; 0 if there is none */
	/* Of a nameless blob: where in `data` the mark is that co_filename goes
	 * in place of. 0: it is whole as it is. */
	uint32_t name_at;
	size_t size;
	size_t room; /* bytes of `data` that are there; `size` or more */
	uint8_t data[];
};

/* The number of bytes of the message to print with "%.*s": at most 1 MiB.
 * `size` may not fit into an int, and printf takes a negative precision for no
 * limit at all. */
static inline int px_blob_shown(const struct px_blob *b)
{
	return b->size < 1u << 20 ? (int)b->size : 1 << 20;
}

#define PX_BLOB_STORED_HEADER (20 + PX_CHECKSUM_SIZE)

/* Returns a new blob with one reference, which the caller owns, and a copy of
 * the `n` bytes of `data`. NULL if out of memory. */
struct px_blob *px_blob_new(enum px_blob_kind kind, uint32_t line,
			    uint32_t column, const void *data, size_t n);
/* Whether a blob of this kind with the `n` bytes of `data` may have this
 * name_at: 0, or behind the header of a .pyc and where a mark is. */
bool px_blob_is_name_at(enum px_blob_kind kind, const uint8_t *data, size_t n,
			uint32_t name_at);

/* Takes a reference over and returns one to the same blob with the co_filename
 * `name`: the blob itself if it has a name, or if nobody else has a reference
 * and there is room for it; else a copy. NULL if out of memory. */
struct px_blob *px_blob_with_name(struct px_blob *b, const char *name);
/* The size in bytes that its data has, given that of a blob's data and whether
 * the blob is nameless. */
uint64_t px_blob_size_with_name(uint64_t size, bool nameless, const char *name);

/* px_blob_ref adds a reference and returns `b`. px_blob_unref drops one and
 * frees the blob with the last. */
struct px_blob *px_blob_ref(struct px_blob *b);
void px_blob_unref(struct px_blob *b); /* NULL is fine */

/* Writes into `ret` the header with which `b` is stored under `key`. In the
 * stored form the payload, which is `data`, follows the header. */
void px_blob_header(const struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		    uint8_t ret[PX_BLOB_STORED_HEADER]);

/* The next two functions read a stored value without copying it. px_blob_alloc
 * returns a blob with one reference and uninitialised room for `n` bytes in
 * `data`; its kind is 0 until px_blob_check has succeeded. NULL if out of
 * memory. */
struct px_blob *px_blob_alloc(size_t n);
/* Verifies a blob from px_blob_alloc whose `data` has been filled in. Returns 0
 * and sets kind, line, column and name_at from `header`; or -EBADMSG if header
 * and data are not what was stored under `key`, or name_at leads to no mark. */
int px_blob_check(struct px_blob *b, const uint8_t key[PX_DIGEST_SIZE],
		  const uint8_t header[PX_BLOB_STORED_HEADER]);

/* Whether `header` starts with the magic and the given kind. The checksum is
 * not verified. */
bool px_blob_begins(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind);

/* Copies the `n` bytes of a stored value, header included, and verifies the
 * copy. Returns 0 and a blob with one reference, which the caller owns;
 * -EBADMSG if this is not what was stored under `key`; -ENOMEM. */
int px_blob_decode(const uint8_t key[PX_DIGEST_SIZE], const uint8_t *data,
		   size_t n, struct px_blob **ret);

#endif
