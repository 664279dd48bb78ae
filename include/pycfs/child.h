/* SPDX-License-Identifier: MIT */
#ifndef PX_CHILD_H
#define PX_CHILD_H
/*
 * Runs the work of a command in a child process: LMDB may need a process with
 * another PID (px_cache_open), and a crash of the child becomes an error
 * message of the parent.
 *
 * Threads: the main thread, and no other thread may run, because it forks.
 */

/*
 * Calls work(arg, signal_fd) in a child process and returns the exit status of
 * the child, which is what `work` returned. If that is PX_EXIT_PID_TAKEN, a new
 * child is forked and `work` is called again. Blocks until the child has ended.
 *
 * In the child SIGINT, SIGTERM and SIGHUP are blocked, except those that this
 * process ignores, and `work` reads them from `signal_fd` (a signalfd(2) that
 * does not block). If one of them arrives, it is passed on to the child, and
 * this process ends itself by the same signal once the child has ended. If the
 * child dies of SIGPIPE, this process does, too.
 *
 * PX_EXIT_FAILED is returned, and the reason logged, if the child cannot be
 * forked, if it is killed by another signal, and after a thousand children that
 * returned PX_EXIT_PID_TAKEN. `crashed`, half a sentence, is added to the
 * message if the signal is that of a crash (SIGSEGV, SIGBUS, SIGABRT).
 */
int px_run_in_child(int (*work)(void *arg, int signal_fd), void *arg,
		    const char *crashed);

#endif
