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

int px_cmd_run(struct px_opt *o)
{
	PX_AUTOFREE char *source = NULL;
	PX_AUTOFREE char *mountpoint = NULL;
	struct px_guard g;
	struct px_why why;
	pid_t command;
	int r;

	r = px_choose_source(o, &why);
	if (r == 0)
		r = px_mountpoint_check(o->args[0], o->args[1], o->nonempty,
					&source, &mountpoint, &why);
	if (r < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	if (o->verbose || isatty(2))
		px_log_init(PX_LOG_STDERR, PX_LOG_INFO);
	r = o->check ? px_check_first(o) : 0;
	if (r != 0)
		return r;
	if (px_guard_start(&g, o, source, mountpoint, false) < 0)
		return PX_EXIT_FAILED;
	fflush(NULL);
	command = fork();
	if (command == 0)
		be_command(o->args + 2);
	if (command < 0) {
		px_log_errno(-errno, "fork");
		px_guard_stop(&g);
		return PX_EXIT_FAILED;
	}
	return wait_command(&g, command);
}
