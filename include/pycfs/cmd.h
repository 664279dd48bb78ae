/* SPDX-License-Identifier: MIT */
#ifndef PX_CMD_H
#define PX_CMD_H
/*
 * The verbs. Each returns the exit status: 0 done, 1 failed, 2 usage.
 */

#include "pycfs/opt.h"

#include <stdio.h>

#define PX_EXIT_FAILED 1
#define PX_EXIT_USAGE  2
/* Of a forked child only: fork again, its PID is taken (px_cache_open). */
#define PX_EXIT_PID_TAKEN 77

int px_cmd_mount(struct px_opt *o);
int px_cmd_run(struct px_opt *o);
int px_cmd_umount(struct px_opt *o);
int px_cmd_cache(struct px_opt *o);
int px_cmd_report(struct px_opt *o);
int px_cmd_export(struct px_opt *o);

#define PX_N_VERBS 6
/* What main() and the manual know of each; mount is the first. */
extern const struct px_verb px_verbs[PX_N_VERBS];

/* Logs why->text as an error; returns `status`. */
int px_cmd_fail(int status, const struct px_why *why);

/*
 * Runs `work` in a child, anew while it returns PX_EXIT_PID_TAKEN, and returns
 * its status. SIGINT, SIGTERM and SIGHUP are the child's to read from
 * `signal_fd` (signalfd(2), not blocking); one that it had ends this process
 * too, after it, and so does SIGPIPE that the child died of. A child that
 * crashes is said to have, with `crashed`.
 */
int px_cmd_fork(int (*work)(void *arg, int signal_fd), void *arg,
		const char *crashed);

/* Prints a JSON string (RFC 8259, section 7). Controls (px_is_control)
 * are escaped, and bytes that are no UTF-8 as U+DC80 and on, as Python's
 * surrogateescape has them; so is a <, for JSON may stand in HTML. */
void px_cmd_json_string(FILE *to, const char *s);

#endif
