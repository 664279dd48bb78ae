/* SPDX-License-Identifier: MIT */
#ifndef PX_VERBS_H
#define PX_VERBS_H
/*
 * The verbs. Each returns the exit status: 0 done, 1 failed, 2 usage (term.h).
 */

#include "pycfs/opt.h"

int px_cmd_mount(struct px_opt *o);
int px_cmd_run(struct px_opt *o);
int px_cmd_umount(struct px_opt *o);
int px_cmd_cache(struct px_opt *o);
int px_cmd_report(struct px_opt *o);
int px_cmd_export(struct px_opt *o);

#define PX_N_VERBS 6
/* What main() and the manual know of each; mount is the first. */
extern const struct px_verb px_verbs[PX_N_VERBS];

#endif
