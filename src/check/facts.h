/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_FACTS_H
#define PX_CHECK_FACTS_H
/*
 * Comparing what the modules of a tree have: lists of facts, one a line, as a
 * process of imports.py sends them.
 *
 * Threads: any. Works on memory and never blocks.
 */

#include "pycfs/util.h"

/* Sorts the lines, and leaves one of those that are equal. -ENOMEM. */
int px_facts_sort(struct px_buf *facts);

/* Appends to `out` the lines that all of `with` have and none of `without`,
 * each behind `sign` and with a newline; `n` of each, 4 at most; all are
 * sorted. A line "NAME: TEXT" does not count if those of `without` differ among
 * themselves in what they have of that name; nor does what a module has that is
 * a line itself. Stops at `max` lines and then says
 * how many more there are. Returns how many there are in all, or -ENOMEM. */
int px_facts_only(const struct px_buf *const *with,
		  const struct px_buf *const *without, size_t n, char sign,
		  size_t max, struct px_buf *out);

#endif
