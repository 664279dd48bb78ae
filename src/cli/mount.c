/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "pycfs/verbs.h"
#include "pycfs/choose.h"
#include "pycfs/term.h"
#include "pycfs/guard.h"
#include "pycfs/log.h"
#include "pycfs/mountpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

/* Waits for the end of the daemon and returns the exit status for it. */
static int watch(struct px_guard *g)
{
	int status;

	px_guard_wait(g, 0, &status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : PX_EXIT_FAILED;
}

/* Runs the guard of a mount in the background. Writes a byte to `status_fd`
 * once the view is mounted. */
static _Noreturn void be_guard(const struct px_opt *o, const char *source,
			       const char *mountpoint, int status_fd)
{
	struct px_guard g;
	int null;

	px_close_others(3, &status_fd, 1);
	setsid();
	if (px_guard_start(&g, o, source, mountpoint, true) < 0)
		_exit(PX_EXIT_FAILED);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	px_log_init(PX_LOG_SYSLOG, PX_LOG_INFO);
	if (chdir("/") < 0 || write(status_fd, "R", 1) != 1)
		px_log_errno(-errno, "cannot detach");
	close(status_fd);
	_exit(watch(&g));
}

/* Forks the guard and returns as soon as the view is mounted, or that has
 * failed. */
static int mount_detached(const struct px_opt *o, const char *source,
			  const char *mountpoint)
{
	int fds[2];
	pid_t pid;
	char c;
	bool ready;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return px_log_errno(-errno, "pipe"), PX_EXIT_FAILED;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		be_guard(o, source, mountpoint, fds[1]);
	}
	close(fds[1]);
	if (pid < 0)
		px_log_errno(-errno, "fork");
	ready = pid > 0 && px_read_full(fds[0], &c, 1) == 1;
	close(fds[0]);
	return ready ? 0 : PX_EXIT_FAILED;
}

int px_cmd_mount(struct px_opt *o)
{
	PX_AUTOFREE char *source = NULL;
	PX_AUTOFREE char *mountpoint = NULL;
	struct px_guard g;
	struct px_why why;
	int r;

	r = px_choose_source(o, &why);
	if (r == 0)
		r = px_mountpoint_check(o->args[0], o->args[1], o->nonempty,
					&source, &mountpoint, &why);
	if (r < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	if (o->fuse_debug)
		px_log_init(PX_LOG_STDERR, PX_LOG_DEBUG);
	r = o->check ? px_check_first(o) : 0;
	if (r != 0)
		return r;
	if (!o->foreground && !o->fuse_debug)
		return mount_detached(o, source, mountpoint);
	if (px_guard_start(&g, o, source, mountpoint, false) < 0)
		return PX_EXIT_FAILED;
	return watch(&g);
}
