/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_OPT_TABLE_H
#define PX_CLI_OPT_TABLE_H
/*
 * The table of options, for the parser and for --help.
 */

#include "pycfs/opt.h"

#define PX_VERBS_MOUNT (PX_VERB_MOUNT | PX_VERB_RUN)
#define PX_VERBS_VIEW \
	(PX_VERBS_MOUNT | PX_VERB_EXPORT | PX_VERB_REPORT | PX_VERB_CHECK)

/* The values of options that are not given. */
extern const struct px_opt px_opt_defaults;

/* Writes the words that an option with choices accepts into `buf` of
 * `n` bytes, as part of a sentence: "a, b or c". If `explain` is true, each
 * word is followed by its explanation, and the default is marked. Text that
 * does not fit is cut off. Returns buf. */
const char *px_opt_choices(const struct px_opt_row *row, bool explain,
			   char *buf, size_t n);

#endif
