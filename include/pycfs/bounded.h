/* SPDX-License-Identifier: MIT */
#ifndef PX_BOUNDED_H
#define PX_BOUNDED_H
/*
 * System calls that need an answer from a mount. A daemon that does not answer
 * holds up whoever asks, and while it has the request not even SIGKILL ends
 * them (fs/fuse/dev.c, request_wait_answer). So a child asks, and is left
 * behind when the time is over; it ends when the mount's connection does.
 *
 * Threads: none may run besides the caller's, for it forks.
 */

#include "pycfs/util.h"

/*
 * Calls ask(arg, answer) in a child that has no descriptors but its own;
 * `answer` are `size` bytes, zero at first, 4,000 at most. Returns what it
 * returned, with `answer` filled in, or -ETIMEDOUT after `timeout_ms`, or
 * -errno if it could not be called.
 */
int px_bounded(int (*ask)(const void *arg, void *answer), const void *arg,
	       void *answer, size_t size, int timeout_ms);

#endif
