/* SPDX-License-Identifier: MIT */
#ifndef PX_OPT_TABLE_H
#define PX_OPT_TABLE_H
/*
 * What the parser and --help ask of the table of options.
 */

#include "pycfs/opt.h"

#define PX_VERBS_MOUNT (PX_VERB_MOUNT | PX_VERB_RUN)
#define PX_VERBS_VIEW  (PX_VERBS_MOUNT | PX_VERB_EXPORT | PX_VERB_REPORT)

/* The options where nothing is said. */
extern const struct px_opt px_opt_defaults;

/* The words that `row` takes, as a part of a sentence, in `buf` of `n` bytes:
 * "a, b or c", or with what each means, and which one is the default, if
 * `explain`. Returns buf. */
const char *px_opt_choices(const struct px_opt_row *row, bool explain,
			   char *buf, size_t n);

#endif
