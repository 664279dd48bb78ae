/* SPDX-License-Identifier: MIT */
#ifndef PX_VERBS_H
#define PX_VERBS_H
/*
 * The verbs. Each function runs one verb with the options in `o`, which it may
 * change, and returns the exit status of pycfs: 0 if it is done,
 * PX_EXIT_FAILED or PX_EXIT_USAGE otherwise (term.h); px_cmd_run returns the
 * status of the user's command, px_cmd_traceback also PX_EXIT_PARTLY,
 * px_cmd_check also PX_EXIT_CANNOT, and those that have a gate PX_EXIT_FOUND.
 * An error has been printed by then. They block until the verb is done.
 *
 * Threads: the main thread, and no other thread may run, because they fork.
 */

#include "pycfs/opt.h"

int px_cmd_mount(struct px_opt *o);
int px_cmd_run(struct px_opt *o);
int px_cmd_umount(struct px_opt *o);
int px_cmd_cache(struct px_opt *o);
int px_cmd_report(struct px_opt *o);
int px_cmd_export(struct px_opt *o);
int px_cmd_traceback(struct px_opt *o);
int px_cmd_check(struct px_opt *o);
int px_cmd_verify(struct px_opt *o);

#define PX_N_VERBS 9
/* All verbs, in the order of `pycfs --help`. main() relies on `mount` being the
 * first one. */
extern const struct px_verb px_verbs[PX_N_VERBS];

#endif
