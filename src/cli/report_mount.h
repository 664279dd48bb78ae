/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_REPORT_MOUNT_H
#define PX_CLI_REPORT_MOUNT_H
/*
 * `pycfs report MOUNTPOINT`.
 *
 * Threads: the main thread.
 */

#include "pycfs/opt.h"

/* Prints what the daemon behind the mount o->args[0] says of itself. Waits for
 * it for some seconds. Returns 0, -ENOTTY if the argument is no mount of pycfs,
 * -ETIMEDOUT, or another -errno. */
int px_report_mount(const struct px_opt *o);

#endif
