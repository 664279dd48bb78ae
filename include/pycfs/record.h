/* SPDX-License-Identifier: MIT */
#ifndef PX_RECORD_H
#define PX_RECORD_H
/*
 * RECORD, the list of files of an installed distribution (PyPA's "Recording
 * installed projects"): CSV rows of path, hash and size. Read row by row and
 * written anew. Hash and size may be empty.
 *
 * Bytes in, bytes out: no disk.
 */

#include "pycfs/util.h"

struct px_record_reader {
	const char *data;
	size_t size;
	size_t at;
};

/* The next row: its path, decoded and NUL-terminated, in `path` (emptied
 * first), and the rest of the row as it is, from the comma on: *ret_rest
 * points into the data, *ret_n_rest bytes. 1, 0 at the end, -EBADMSG for a
 * quote without its end or with more behind it, or a NUL byte in a path;
 * -EFBIG, -ENOMEM. Empty lines and rows without a path are passed over. */
int px_record_next(struct px_record_reader *r, struct px_buf *path,
		   const char **ret_rest, size_t *ret_n_rest);

/* Appends a row, its path quoted where it must be. `rest` begins with a comma;
 * NULL: no hash and no size. -EFBIG, -ENOMEM. */
int px_record_put(struct px_buf *out, const char *path, const char *rest,
		  size_t n_rest);

#endif
