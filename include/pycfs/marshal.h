/* SPDX-License-Identifier: MIT */
#ifndef PX_MARSHAL_H
#define PX_MARSHAL_H
/*
 * Rewrites marshalled code objects into a canonical form.
 *
 * What CPython writes for a module depends on what the same process did before:
 * reference counts decide which objects get FLAG_REF, interning decides the
 * type bytes of strings, and hashes decide the order of frozensets. The
 * canonical form depends only on the values:
 *
 *   - Equal immutable constants are one object. Floats and complex numbers
 *     are equal if their bits are, and NaN equals nothing; 1, 1.0 and True
 *     are three different constants. Code objects are never merged, and
 *     co_filename is never merged with a constant.
 *   - An object that is used more than once has FLAG_REF where it is first
 *     written and is a TYPE_REF afterwards. References are numbered in the
 *     order of writing.
 *   - A str is marked as interned exactly if loading it would intern it
 *     anyway.
 *   - The members of a frozenset are sorted, unless all are numbers: numbers
 *     hash the same in every process, so their order is always the same, and
 *     it is visible to the program.
 *
 * Format: Python/marshal.c of CPython, version 4 (3.8 to 3.13), version 5
 * (3.14, adds slices) and version 6 (3.15, adds frozendicts).
 *
 * Threads: any. There is no I/O, no Python interpreter and no shared state. The
 * input is not trusted: depth, counts and sizes are checked against the size of
 * the input before memory is allocated for them.
 */

#include "pycfs/util.h"

/* Where and why the parser rejected its input. */
struct px_fault {
	size_t offset;	  /* in bytes from the start of the input */
	const char *what; /* a static string */
};

/* Whether code objects of this Python version can be rewritten. `magic` is the
 * le32 at the start of its .pyc files. */
bool px_marshal_knows(uint32_t magic);

/*
 * Appends the canonical form of the code object in `data` (`n` bytes, without
 * the .pyc header) to `out`. Returns 0; -EBADMSG if the data is malformed or
 * has a type that does not occur in code objects, with details in *fault unless
 * it is NULL; -EPROTONOSUPPORT if the Python version is not supported; -EFBIG
 * if `out` would exceed its maximum; -ENOMEM. On failure `out` is unchanged.
 * Does not block.
 */
int px_marshal_canonical(uint32_t magic, const uint8_t *data, size_t n,
			 struct px_buf *out, struct px_fault *fault);

/*
 * The same without co_filename: in its place stands the mark of filename.h, one
 * byte, and *ret_at is its offset in `out`. -EBADMSG also if the code objects
 * do not all have the same co_filename; those of one module do.
 */
int px_marshal_nameless(uint32_t magic, const uint8_t *data, size_t n,
			struct px_buf *out, size_t *ret_at,
			struct px_fault *fault);

#endif
