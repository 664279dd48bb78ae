/* SPDX-License-Identifier: MIT */
#ifndef PX_CMD_H
#define PX_CMD_H
/*
 * The verbs. Each returns the exit status: 0 done, 1 failed, 2 usage.
 */

#include "pycfs/opt.h"

#define PX_EXIT_FAILED 1
#define PX_EXIT_USAGE  2
/* Of a forked child only: fork again, its PID is taken (px_cache_open). */
#define PX_EXIT_PID_TAKEN 77

int px_cmd_mount(struct px_opt *o);
int px_cmd_run(struct px_opt *o);
int px_cmd_umount(struct px_opt *o);
int px_cmd_cache(struct px_opt *o);
int px_cmd_report(struct px_opt *o);

/* Logs why->text as an error; returns `status`. */
int px_cmd_fail(int status, const struct px_why *why);

#endif
