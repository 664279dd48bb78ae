/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_ATTR_H
#define PX_CONTENT_ATTR_H
/*
 * Attributes of the view's files and directories: those of the source, as the
 * options change them.
 *
 * Threads: any.
 */

#include "pycfs/content.h"

/* The attributes of a file of `kind` and `size` bytes whose source is `st`. */
void px_attr_fill(const struct px_content_options *o, const struct px_stat *st,
		  enum px_kind kind, uint64_t size, struct px_attr *ret);

/* As px_content_attr. */
int px_attr_get(const struct px_content_options *o, const char *path,
		const struct px_stat *st, enum px_kind kind,
		struct px_attr *ret);

#endif
