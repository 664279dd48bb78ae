/* SPDX-License-Identifier: MIT */
#include "pycfs/child.h"

#include "pycfs/log.h"
#include "pycfs/term.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* How many children are forked at most while each has the PID of a process that
 * uses the cache in another PID namespace. No more builds than this are
 * expected to share one cache. */
#define MAX_FORKS 1000

static _Noreturn void be_child(int (*work)(void *arg, int signal_fd), void *arg,
			       pid_t parent, int signal_fd)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(PX_EXIT_FAILED);
	status = work(arg, signal_fd);
	fflush(NULL);
	_exit(status);
}

/* Blocks until the child has ended, and returns its status as waitpid(2) has
 * it. Signals of `set` are passed on to the child; *ret_signal becomes the last
 * of them. */
static int watch(pid_t child, const sigset_t *set, int *ret_signal)
{
	siginfo_t si;
	int status;

	for (;;) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		if (sigwaitinfo(set, &si) < 0 || si.si_signo == SIGCHLD)
			continue;
		*ret_signal = si.si_signo;
		/* A signal of the terminal (Ctrl-C) has SI_KERNEL, and the
		 * terminal has sent it to the child as well. */
		if (si.si_code != SI_KERNEL)
			kill(child, si.si_signo);
	}
}

static bool is_crash(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGABRT;
}

static void die_of(int sig, const sigset_t *old)
{
	signal(sig, SIG_DFL);
	raise(sig);
	sigprocmask(SIG_SETMASK, old, NULL);
}

/* Collects the signals that shall end this process. A signal that is ignored
 * stays ignored: nohup(1), or a shell that started us in the background, wants
 * it so. */
static void signals_that_end(sigset_t *ret)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa;
	size_t i;

	sigemptyset(ret);
	for (i = 0; i < PX_ARRAY_LEN(all); i++)
		if (sigaction(all[i], NULL, &sa) < 0 ||
		    sa.sa_handler != SIG_IGN)
			sigaddset(ret, all[i]);
}

int px_run_in_child(int (*work)(void *arg, int signal_fd), void *arg,
		    const char *crashed)
{
	int status = 0, i, fd, sig = 0;
	const pid_t self = getpid();
	sigset_t ends, set, old;
	pid_t child;

	signals_that_end(&ends);
	set = ends;
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (i = 0; i < MAX_FORKS && sig == 0; i++) {
		fflush(NULL);
		child = fork();
		if (child == 0) {
			fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
			be_child(work, arg, self, fd);
		}
		if (child < 0) {
			px_log_errno(-errno, "fork");
			sigprocmask(SIG_SETMASK, &old, NULL);
			return PX_EXIT_FAILED;
		}
		status = watch(child, &set, &sig);
		if (!WIFEXITED(status) ||
		    WEXITSTATUS(status) != PX_EXIT_PID_TAKEN)
			break;
	}
	/* The reader of our output has closed it (as `| head` does), which is
	 * not a crash of the child. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
		sig = SIGPIPE;
	if (sig != 0)
		die_of(sig, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) != PX_EXIT_PID_TAKEN)
		return WEXITSTATUS(status);
	if (WIFEXITED(status))
		px_log(PX_LOG_ERROR,
		       "the cache is used by too many processes of other PID "
		       "namespaces: say --no-cache");
	else
		px_log(PX_LOG_ERROR, "ended by signal %d (%s)%s%s",
		       WTERMSIG(status), strsignal(WTERMSIG(status)),
		       is_crash(WTERMSIG(status)) ? ": " : "",
		       is_crash(WTERMSIG(status)) ? crashed : "");
	return PX_EXIT_FAILED;
}
