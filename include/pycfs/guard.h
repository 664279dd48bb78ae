/* SPDX-License-Identifier: MIT */
#ifndef PX_GUARD_H
#define PX_GUARD_H
/*
 * The guard is the process that watches the daemon. It forks the daemon, and
 * forks again if the cache needs a process with another PID. If the daemon dies
 * without unmounting, the guard unmounts what is left. The daemon in turn ends
 * when its guard dies.
 *
 *   pycfs mount ──fork──> guard ──fork──> daemon
 *        │  <── status ────┘ <── status ────┘
 *        └─ exits as soon as it is mounted, or has failed
 *
 * Threads: the main thread, and no other thread may run, because it forks.
 */

#include "pycfs/mounts.h"
#include "pycfs/opt.h"

struct px_guard {
	const char *mountpoint;	  /* absolute; borrowed */
	struct px_mount_id mount; /* the mount that the daemon has made there */
	pid_t daemon;		  /* 0: there is none any more */
	int signal_fd;		  /* signalfd(2), open until the process ends */
	/* When the daemon will be killed (px_now_ms), because it was asked to
	 * end. 0: nobody has asked it to. */
	int64_t kill_at_ms;
};

/*
 * Forks a daemon and blocks until it has mounted `source` on `mountpoint`, both
 * absolute. `mountpoint` must live as long as `g`. With `detach` the daemon
 * redirects stdin, stdout and stderr to /dev/null once it has mounted, and logs
 * to syslog or to the file of --log-file.
 *
 * Blocks SIGCHLD, SIGTERM, SIGINT and SIGHUP for the rest of the process, which
 * receives them through g->signal_fd.
 *
 * Returns 0, or -errno, and then the reason has been logged: -ECHILD if the
 * daemon ended before it had mounted, -EADDRINUSE if a thousand daemons had
 * PIDs that the cache cannot use, or what pipe(2), fork(2) or signalfd(2) says.
 */
int px_guard_start(struct px_guard *g, const struct px_opt *o,
		   const char *source, const char *mountpoint, bool detach);

/*
 * Blocks until the daemon or the process `child` (0: there is none) ends.
 * SIGTERM, SIGINT and SIGHUP are passed on to `child`, or without one to the
 * daemon, which then has 15 s to end before it is killed.
 *
 * Returns the PID of the process that ended, and in *ret_status its status as
 * waitpid(2) has it. If that is the daemon, its mount has been removed; if it
 * could not be removed, that is logged and the status is that of a failure.
 */
pid_t px_guard_wait(struct px_guard *g, pid_t child, int *ret_status);

/*
 * Asks the daemon to end and blocks until nothing is mounted. After 15 s the
 * connection between the kernel and the daemon is aborted and the daemon is
 * killed, which takes another 5 s at most.
 *
 * Returns 0; -EIO if the daemon failed or its mount could not be removed;
 * -ETIMEDOUT if it had to be killed; -ECHILD if there is no daemon.
 */
int px_guard_stop(struct px_guard *g);

#endif
