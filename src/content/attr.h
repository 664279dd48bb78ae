/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_ATTR_H
#define PX_CONTENT_ATTR_H
/*
 * Attributes of the view's files and directories: those of the source, as the
 * options change them.
 *
 * Threads: any.
 */

#include "strip.h"

/* 1980-01-01, in seconds since 1970: zip archives cannot hold an earlier
 * time. */
#define PX_ATTR_EARLIEST 315532800

/* The attributes of a file of `kind` and `size` bytes whose source is `st`.
 * `mark` is that of its bytes (mark.h), or 0; it matters only where times
 * depend on bytes. */
void px_attr_fill(const struct px_content_options *o, const struct px_stat *st,
		  enum px_kind kind, uint64_t size, uint64_t mark,
		  struct px_attr *ret);

/* As px_content_attr. */
int px_attr_get(const struct px_content_options *o, struct px_strips *strips,
		const char *path, const struct px_stat *st, enum px_kind kind,
		struct px_attr *ret);

#endif
