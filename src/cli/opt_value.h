/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_OPT_VALUE_H
#define PX_CLI_OPT_VALUE_H
/*
 * Parses the value of an option and stores it in a member of struct px_opt.
 *
 * All functions return 0, -ENOMEM, or -EINVAL if the option does not accept the
 * value; then `o->bad` may have a sentence that says what is wrong with it.
 * `value` is NULL if the option has no value, and must live as long as `o`.
 */

#include "pycfs/opt.h"

/* Stores the value of any option except -o, as the option's row demands. */
int px_opt_take(struct px_opt *o, const struct px_opt_row *row,
		const char *value);

/* Puts the rules of --profile safe before those that the user has given. */
int px_opt_add_profile(struct px_opt *o);

/* After all options: takes SOURCE_DATE_EPOCH if the verb and --mtime want it.
 * -EINVAL: it is no time, and `why` says so. */
int px_opt_epoch(struct px_opt *o, struct px_why *why);

/* The parsers of options of type PX_OPT_OTHER, which px_opt_take calls.
 * px_opt_rules reads the file that `value` names, and may block on it. */
int px_opt_timeout(struct px_opt *o, const char *value);
int px_opt_owner(struct px_opt *o, const char *value);
int px_opt_mtime(struct px_opt *o, const char *value);
int px_opt_prefix_dir(struct px_opt *o, const char *value);
int px_opt_scripts(struct px_opt *o, const char *value);
int px_opt_scripts_python(struct px_opt *o, const char *value);
int px_opt_max_size(struct px_opt *o, const char *value);
int px_opt_max_compressed(struct px_opt *o, const char *value);
int px_opt_max_growth(struct px_opt *o, const char *value);
int px_opt_exclude(struct px_opt *o, const char *value);
int px_opt_include(struct px_opt *o, const char *value);
int px_opt_keep_source(struct px_opt *o, const char *value);
int px_opt_optimize_for(struct px_opt *o, const char *value);
int px_opt_rules(struct px_opt *o, const char *value);
int px_opt_follow_links(struct px_opt *o, const char *value);
int px_opt_remote(struct px_opt *o, const char *value);
int px_opt_remote_trust(struct px_opt *o, const char *value);
int px_opt_remote_sign(struct px_opt *o, const char *value);

/* After all options: whether those of a remote fit together, and then the key
 * that signs is trusted, too. -EINVAL, with a sentence in `why`; -ENOMEM. Once.
 */
int px_opt_check_remote(struct px_opt *o, struct px_why *why);

#endif
