/* SPDX-License-Identifier: MIT */
#include "pycfs/bounded.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* The largest answer, in bytes. With the result of `ask` it is smaller than
 * PIPE_BUF, so that the child can write it at once (pipe(7)). */
#define MAX_ANSWER 4000

static _Noreturn void be_child(int (*ask)(const void *arg, void *answer),
			       const void *arg, size_t size, int fd)
{
	struct {
		int result;
		char answer[MAX_ANSWER];
	} out = {0};
	const size_t head = offsetof(__typeof__(out), answer);

	/* The child may be stuck for long. A process that waits for end-of-file
	 * on a pipe must not wait for a copy of the pipe's end in this child.
	 */
	px_close_others(0, &fd, 1);
	out.result = ask(arg, out.answer);
	_exit(px_write_full(fd, &out, head + size) < 0);
}

/* Waits until the child has answered, for at most `timeout_ms` milliseconds in
 * all, however many signals interrupt poll(2). */
static int wait_readable(int fd, int timeout_ms)
{
	const int64_t until = px_now_ms() + timeout_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;
	int r;

	do {
		left = until - px_now_ms();
		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}

int px_bounded(int (*ask)(const void *arg, void *answer), const void *arg,
	       void *answer, size_t size, int timeout_ms)
{
	PX_AUTOCLOSE int from = -1;
	int fds[2], result, r;
	pid_t child;

	if (size > MAX_ANSWER)
		return -EINVAL;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	from = fds[0];
	child = fork();
	if (child == 0)
		be_child(ask, arg, size, fds[1]);
	r = child < 0 ? -errno : 0;
	close(fds[1]);
	if (r == 0)
		r = wait_readable(from, timeout_ms);
	if (r < 0) {
		if (child > 0) {
			kill(child, SIGKILL);
			waitpid(child, NULL, WNOHANG);
		}
		return r;
	}
	/* A child that was killed has written no answer. */
	r = px_read_full(from, &result, sizeof(result)) == sizeof(result) &&
			    px_read_full(from, answer, size) == (ssize_t)size
		    ? result
		    : -EIO;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
