/* SPDX-License-Identifier: MIT */
#ifndef PX_RECORD_H
#define PX_RECORD_H
/*
 * Reading and writing RECORD, the list of files of an installed distribution
 * (PyPA specification "Recording installed projects"): CSV rows of path, hash
 * and size. Hash and size may be empty.
 *
 * Threads: any; a reader belongs to one thread at a time. This module works on
 * memory only and never blocks.
 */

#include "pycfs/util.h"

/* Initialise `data` and `size` (bytes) with the text of a RECORD, which must
 * outlive the reader, and `at` with 0. */
struct px_record_reader {
	const char *data;
	size_t size;
	size_t at;
};

/* Reads the next row; empty rows and rows without a path are skipped. `path` is
 * set to the decoded path with a NUL byte at its end. *ret_rest (*ret_n_rest
 * bytes) is the rest of the row from the comma after the path on, without the
 * end of the line; it points into the data. Returns 1 if there is a row and 0
 * at the end of the data; -EBADMSG if a quote is not closed, if other text
 * follows a closing quote, or if a path has a NUL byte; -EFBIG if the path
 * exceeds path->max; -ENOMEM. */
int px_record_next(struct px_record_reader *r, struct px_buf *path,
		   const char **ret_rest, size_t *ret_n_rest);

/* Appends a row to `out`. The path is quoted if necessary. `rest` is the rest
 * of the row and begins with a comma; NULL stands for an empty hash and size.
 * Returns 0, -EFBIG or -ENOMEM; on failure `out` is unchanged. */
int px_record_put(struct px_buf *out, const char *path, const char *rest,
		  size_t n_rest);

#endif
