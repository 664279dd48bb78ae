/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "pycfs/verbs.h"
#include "pycfs/choose.h"
#include "pycfs/term.h"
#include "pycfs/guard.h"
#include "pycfs/log.h"
#include "pycfs/mountpoint.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

/* The exit statuses that a shell has for such a command (POSIX.1-2017, XCU
 * 2.8.2). */
#define EXIT_NOT_FOUND 127
#define EXIT_NOT_RUN   126
#define EXIT_SIGNALLED 128

static _Noreturn void be_command(char **argv)
{
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	err = errno;
	px_log_errno(-err, "cannot run %s", argv[0]);
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

static int exit_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : EXIT_SIGNALLED + WTERMSIG(status);
}

/* Waits for the command, unmounts, and returns the exit status. The command
 * goes on if the daemon ends before it. */
static int wait_command(struct px_guard *g, pid_t command)
{
	bool lost = false;
	int status, code;

	while (px_guard_wait(g, command, &status) != command) {
		px_log(PX_LOG_ERROR, "%s was unmounted while the command ran",
		       g->mountpoint);
		lost = true;
	}
	code = exit_of(status);
	if (!lost && px_guard_stop(g) < 0)
		lost = true;
	return code == 0 && lost ? PX_EXIT_FAILED : code;
}

/* Mounts, runs the command, and unmounts. */
static int mount_and_run(const struct px_opt *o, const char *source,
			 const char *mountpoint, char **argv)
{
	struct px_guard g;
	pid_t command;

	if (px_guard_start(&g, o, source, mountpoint, false) < 0)
		return PX_EXIT_FAILED;
	fflush(NULL);
	setenv("PYCFS_MOUNT", g.mountpoint, true);
	command = fork();
	if (command == 0)
		be_command(argv);
	if (command < 0) {
		px_log_errno(-errno, "fork");
		px_guard_stop(&g);
		return PX_EXIT_FAILED;
	}
	return wait_command(&g, command);
}

/* Makes a directory to mount on, whose path the caller frees. NULL: it cannot
 * be made. */
static char *make_place(struct px_why *why)
{
	const char *tmp = getenv("TMPDIR");
	char *path;

	tmp = tmp && *tmp ? tmp : "/tmp";
	if (asprintf(&path, "%s/pycfs-run.XXXXXX", tmp) < 0) {
		px_because(why, -ENOMEM, "out of memory");
		return NULL;
	}
	if (mkdtemp(path))
		return path;
	px_because(why, -errno,
		   "no directory to mount on can be made in %s: %s; set "
		   "TMPDIR, or name a MOUNTPOINT before the --",
		   tmp, strerror(errno));
	free(path);
	return NULL;
}

/* With a mountpoint of its own, which is made as late as can be: whatever ends
 * this process before it watches signals would leave it. */
static int run_anywhere(const struct px_opt *o, char **argv)
{
	PX_AUTOFREE char *source = NULL;
	PX_AUTOFREE char *mountpoint = NULL;
	PX_AUTOFREE char *own = NULL;
	struct px_why why;
	int r = o->check ? px_check_first(o) : 0;

	if (r != 0)
		return r;
	own = make_place(&why);
	if (!own)
		return px_fail(PX_EXIT_FAILED, &why);
	r = px_mountpoint_check(o->args[0], own, false, &source, &mountpoint,
				&why);
	r = r < 0 ? px_fail(PX_EXIT_FAILED, &why)
		  : mount_and_run(o, source, mountpoint, argv);
	if (rmdir(own) < 0)
		px_log_errno(-errno, "cannot remove %s", own);
	return r;
}

static int run_on(const struct px_opt *o, const char *at, char **argv)
{
	PX_AUTOFREE char *source = NULL;
	PX_AUTOFREE char *mountpoint = NULL;
	struct px_why why;
	int r = px_mountpoint_check(o->args[0], at, o->nonempty, &source,
				    &mountpoint, &why);

	if (r < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	r = o->check ? px_check_first(o) : 0;
	return r != 0 ? r : mount_and_run(o, source, mountpoint, argv);
}

int px_cmd_run(struct px_opt *o)
{
	const bool makes_own = o->n_before == 1;
	char **argv = o->args + (makes_own ? 1 : 2);
	struct px_why why;

	if (!*argv) {
		px_because(&why, 0,
			   "missing argument COMMAND: pycfs run [options] "
			   "SOURCE [MOUNTPOINT] -- COMMAND...");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (px_choose_source(o, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	return makes_own ? run_anywhere(o, argv) : run_on(o, o->args[1], argv);
}
