/* SPDX-License-Identifier: MIT */
#ifndef PX_OPT_I_H
#define PX_OPT_I_H
/*
 * The table of options (opt_table.c) and its readers (opt.c).
 */

#include "pycfs/opt.h"

#define PX_VERBS_MOUNT (PX_VERB_MOUNT | PX_VERB_RUN)
#define PX_VERBS_VIEW  (PX_VERBS_MOUNT | PX_VERB_EXPORT | PX_VERB_REPORT)

/* Puts the rules of --profile safe before those that were given. -ENOMEM. */
int px_opt_add_profile(struct px_opt *o);
/* The value of --mtime. -EINVAL. */
int px_opt_mtime(struct px_opt *o, const char *value);
/* The value of -o. */
int px_opt_mount_options(struct px_opt *o, const char *value);

#endif
