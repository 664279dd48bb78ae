/* SPDX-License-Identifier: MIT */
#ifndef PX_MARSHAL_H
#define PX_MARSHAL_H
/*
 * Marshalled code objects in one canonical form.
 *
 * What CPython writes for a module depends on what the process did before:
 * reference counts decide FLAG_REF, interning decides string kinds, hashes
 * decide the order of frozensets. The canonical form follows from the values
 * alone:
 *
 *   - equal immutable constants are one object (float and complex by their
 *     bits, NaN never; 1, 1.0 and True are three); code objects are not
 *     merged; co_filename is merged with no constant
 *   - an object used more than once carries FLAG_REF where it is first
 *     written and is a TYPE_REF afterwards, numbered in order of writing
 *   - a str is marked interned exactly if loading would intern it anyway
 *   - frozensets are sorted, but for those of numbers only: their order is
 *     the same everywhere and visible
 *
 * Format: CPython's Python/marshal.c, version 4, of 3.8 to 3.13; version 5 of
 * 3.14, which has slices; version 6 of 3.15, which has frozendicts.
 * Bytes in, bytes out: no disk, no Python. Input is not trusted: depth,
 * counts and sizes are checked against what is there before anything is
 * allocated for them.
 */

#include "pycfs/util.h"

/* Where a parser gave up, and why. */
struct px_fault {
	size_t offset;	  /* into the input */
	const char *what; /* static */
};

/* True if code objects of this Python can be rewritten. `magic` is the le32 in
 * front of a .pyc. */
bool px_marshal_knows(uint32_t magic);

/*
 * Appends the canonical form of the one code object in `data`. Returns 0, or
 * with `out` as it was: -EBADMSG (and *fault) for what is malformed or not
 * known to occur in code, -EPROTONOSUPPORT for another Python's magic, -EFBIG
 * past out->max, -ENOMEM. Any thread.
 */
int px_marshal_canonical(uint32_t magic, const uint8_t *data, size_t n,
			 struct px_buf *out, struct px_fault *fault);

#endif
