/* SPDX-License-Identifier: MIT */
#ifndef PX_BOUNDED_H
#define PX_BOUNDED_H
/*
 * System calls on a mount, with a timeout. A process that asks a daemon which
 * does not answer is stuck: once the daemon has read the request, not even
 * SIGKILL ends the process (fs/fuse/dev.c, request_wait_answer). So a child
 * process makes the call. If the time is over, the child is left behind; it
 * ends when the connection between the kernel and that daemon ends.
 *
 * Threads: no other thread may run, because it forks.
 */

#include "pycfs/util.h"

/*
 * Calls ask(arg, answer) in a child process, in which all inherited descriptors
 * are closed. `answer` is a buffer of `size` bytes, at most 4,000, which is all
 * zero when `ask` gets it; what `ask` has written there is copied into the
 * caller's buffer.
 *
 * Blocks for at most `timeout_ms` milliseconds. Returns what `ask` returned;
 * or, without an answer, -ETIMEDOUT, -EIO if the child died, -EINVAL if `size`
 * is too large, or -errno of pipe2(2), fork(2) or poll(2).
 */
int px_bounded(int (*ask)(const void *arg, void *answer), const void *arg,
	       void *answer, size_t size, int timeout_ms);

#endif
