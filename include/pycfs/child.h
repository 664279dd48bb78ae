/* SPDX-License-Identifier: MIT */
#ifndef PX_CHILD_H
#define PX_CHILD_H
/*
 * Work that is done in a child process, so that LMDB can be given another PID
 * and a crash is a message.
 *
 * Threads: the main thread, and no other must run yet.
 */

/*
 * Runs `work` in a child, and in another one while it returns
 * PX_EXIT_PID_TAKEN; returns its exit status. Blocks until it ends. SIGINT,
 * SIGTERM and SIGHUP are the child's to read from `signal_fd` (signalfd(2), not
 * blocking); one that it had ends this process too, after it, and so does
 * SIGPIPE that the child died of. A child that crashes is said to have, with
 * `crashed`.
 */
int px_run_in_child(int (*work)(void *arg, int signal_fd), void *arg,
		    const char *crashed);

#endif
