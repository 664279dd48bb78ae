/* SPDX-License-Identifier: MIT */
#ifndef PX_OPT_VALUE_H
#define PX_OPT_VALUE_H
/*
 * From the text of an option's value to a member of struct px_opt. All return
 * 0; -EINVAL for a value that the option does not take, and then `o->bad` may
 * have a sentence that says what is wrong with it; -ENOMEM. `value` is NULL for
 * a flag, and must live as long as `o`.
 */

#include "pycfs/opt.h"

/* Takes the value of any option but -o, by its row of the table. */
int px_opt_take(struct px_opt *o, const struct px_opt_row *row,
		const char *value);

/* Puts the rules of --profile safe before those that were given. */
int px_opt_add_profile(struct px_opt *o);

/* Options whose values are of no common type; all are called by px_opt_take,
 * px_opt_mtime also for SOURCE_DATE_EPOCH. */
int px_opt_timeout(struct px_opt *o, const char *value);
int px_opt_owner(struct px_opt *o, const char *value);
int px_opt_mtime(struct px_opt *o, const char *value);
int px_opt_prefix_dir(struct px_opt *o, const char *value);
int px_opt_max_size(struct px_opt *o, const char *value);
int px_opt_max_compressed(struct px_opt *o, const char *value);
int px_opt_max_growth(struct px_opt *o, const char *value);
int px_opt_exclude(struct px_opt *o, const char *value);
int px_opt_include(struct px_opt *o, const char *value);
int px_opt_keep_source(struct px_opt *o, const char *value);
int px_opt_optimize_for(struct px_opt *o, const char *value);
int px_opt_rules(struct px_opt *o, const char *value);

#endif
