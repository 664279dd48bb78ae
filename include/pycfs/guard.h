/* SPDX-License-Identifier: MIT */
#ifndef PX_GUARD_H
#define PX_GUARD_H
/*
 * Who watches the daemon. The guard forks it, forks again when another PID is
 * needed, and when the daemon dies without unmounting, takes the dead mount
 * away. The daemon in turn ends when its guard dies.
 *
 *   pycfs mount ──fork──> guard ──fork──> daemon
 *        │  <── status ────┘ <── status ────┘
 *        └─ exits: mounted, or not
 */

#include "pycfs/mounts.h"
#include "pycfs/opt.h"

struct px_guard {
	const char *mountpoint;
	struct px_mount_id mount; /* what the daemon has mounted there */
	pid_t daemon;
	int signal_fd;
	int64_t kill_at_ms; /* 0: nobody has asked the daemon to end */
};

/* Forks a daemon and waits until it has mounted. What goes wrong is on stderr
 * already. Returns 0, or -errno. Blocks the signals it watches. */
int px_guard_start(struct px_guard *g, const struct px_opt *o,
		   const char *source, const char *mountpoint, bool detach);

/* Waits for the daemon, or for `child` (0: none), passing on SIGTERM, SIGINT
 * and SIGHUP to `child` or else to the daemon, which then has 15 s to end.
 * Returns the process that ended and its wait status; the mount is gone if it
 * was the daemon. */
pid_t px_guard_wait(struct px_guard *g, pid_t child, int *ret_status);

/* Ends the daemon and waits until nothing is mounted: 15 s, then it is killed
 * and the connection to it ended. 0; -EIO if it failed, -ETIMEDOUT if it was
 * killed, -ECHILD if there is none. */
int px_guard_stop(struct px_guard *g);

#endif
