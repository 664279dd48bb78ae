/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_PROFILE_H
#define PX_CLI_PROFILE_H
/*
 * What the rules are for SOURCE as it is: which conditions hold, and what the
 * profile's rules do there.
 *
 * Threads: the main thread.
 */

#include "pycfs/opt.h"

/* Removes from `o` the rules whose condition does not hold in SOURCE, its first
 * argument, and says in the log for which packages of SOURCE the profile has
 * rules. A SOURCE that cannot be opened is left for others to complain about.
 * Returns 0 or -ENOMEM with a sentence in `why`. Blocks while one directory is
 * read. */
int px_profile_settle(struct px_opt *o, struct px_why *why);

#endif
