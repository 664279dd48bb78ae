/* SPDX-License-Identifier: MIT */
#include "pycfs/guard.h"

#include "pycfs/term.h"
#include "pycfs/log.h"
#include "pycfs/mountpoint.h"
#include "pycfs/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* How long a daemon may take to end after it was asked to. Most of it is for
 * the commit of the cache, which takes at most 5 s. */
#define STOP_TIMEOUT_MS 15000
/* How many daemons are forked at most while each has the PID of a process that
 * uses the cache in another PID namespace. No more builds than this are
 * expected to share one cache. */
#define MAX_FORKS 1000

/* How long the guard waits for a process that it has killed. The process may
 * never end if it waits for another file system. */
#define DEATH_TIMEOUT_MS 5000

/* The argument of on_ready, which runs in the daemon once it has mounted. */
struct ready {
	const struct px_opt *o;
	const char *mountpoint;
	int status_fd;
	bool detach;
};

static void on_ready(void *arg, const char *text)
{
	const struct ready *r = arg;
	int fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct px_mount_id id = {0};

	if (isatty(2) || r->o->verbose)
		px_log(PX_LOG_INFO, "mounted %s", text);
	fd = r->o->log_file
		     ? open(r->o->log_file,
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)
		     : -1;
	if (r->o->log_file && fd < 0)
		px_log_errno(-errno, "cannot write to %s: messages go to %s",
			     r->o->log_file, r->detach ? "syslog" : "stderr");
	if (r->detach) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	if (fd >= 0)
		dup2(fd, 2);
	else if (r->detach)
		px_log_init(PX_LOG_SYSLOG, PX_LOG_INFO);
	close(fd);
	close(null);
	if (chdir("/") < 0)
		px_log_errno(-errno, "chdir /");
	fd = px_mountpoint_identify(r->mountpoint, &id);
	if (fd < 0)
		px_log_errno(fd, "cannot identify the mount on %s",
			     r->mountpoint);
	fd = px_write_full(r->status_fd, &id, sizeof(id));
	if (fd < 0)
		px_log_errno(fd, "cannot report that the view is mounted");
	close(r->status_fd);
}

static _Noreturn void be_daemon(const struct px_opt *o, const char *source,
				const char *mountpoint, struct ready *ready,
				pid_t guard)
{
	struct px_why why;
	int r;

	/* A descriptor that is inherited may hold a lock, or be the end of a
	 * pipe on which somebody waits for end-of-file: the daemon must not
	 * keep it open until the unmount. */
	px_close_others(3, &ready->status_fd, 1);
	/* A new session, so that Ctrl-C ends the command of `pycfs run`, but
	 * not the daemon that serves its files. */
	setsid();
	/* The signals that the guard watches stay blocked here until
	 * px_fuse_loop has a handler for them, so that an early signal does not
	 * kill a daemon that has mounted and leave a dead mount. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != guard)
		_exit(PX_EXIT_FAILED);
	r = px_serve(o, source, mountpoint, on_ready, ready, &why);
	/* Not _exit, because a leak checker does its work in exit. */
	if (r == -EADDRINUSE)
		exit(PX_EXIT_PID_TAKEN);
	if (r < 0)
		px_fail(0, &why);
	exit(r < 0 ? PX_EXIT_FAILED : 0);
}

static int watch_signals(struct px_guard *g)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signal_fd < 0 ? -errno : 0;
}

/* Reads the pending signals and passes them on to the process `to`, all but
 * SIGCHLD. Returns true if SIGCHLD was among them. A signal that the terminal
 * sent (SI_KERNEL) is not passed on, because `to` has received it as well,
 * unless `to` is the daemon, which is in another session. */
static bool pass_signal(struct px_guard *g, pid_t to)
{
	struct signalfd_siginfo si;
	bool child = false;

	while (read(g->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			child = true;
		else if (si.ssi_code != SI_KERNEL || to == g->daemon)
			kill(to, (int)si.ssi_signo);
		if (si.ssi_signo != SIGCHLD && to == g->daemon &&
		    g->kill_at_ms == 0)
			g->kill_at_ms = px_now_ms() + STOP_TIMEOUT_MS;
	}
	return child;
}

/* Waits until the daemon writes the ID of its mount to the pipe `fd`. Returns
 * false if the daemon ended without having done so. */
static bool wait_status(struct px_guard *g, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
			       {.fd = g->signal_fd, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[1].revents)
			pass_signal(g, g->daemon);
		if (fds[0].revents)
			return px_read_full(fd, &g->mount, sizeof(g->mount)) ==
			       (ssize_t)sizeof(g->mount);
	}
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* Kills a daemon that does not end. Its mount is removed before, so that all
 * processes that wait for an answer of the daemon go on. The daemon itself may
 * be one of them, if it reads from another mount that leads back to its own. */
static void kill_daemon(struct px_guard *g)
{
	const int64_t until = px_now_ms() + DEATH_TIMEOUT_MS;
	struct pollfd fd = {.fd = g->signal_fd, .events = POLLIN};
	struct px_why why;

	px_log(PX_LOG_ERROR, "the daemon of %s does not end: killed",
	       g->mountpoint);
	if (px_mountpoint_remove(&g->mount, true, &why) < 0)
		px_log(PX_LOG_ERROR, "%s", why.text);
	kill(g->daemon, SIGKILL);
	while (waitpid(g->daemon, NULL, WNOHANG) == 0) {
		if (px_now_ms() >= until) {
			px_log(PX_LOG_ERROR,
			       "the daemon of %s, process %d, waits for "
			       "another file system and cannot be ended",
			       g->mountpoint, (int)g->daemon);
			break;
		}
		if (poll(&fd, 1, 100) > 0)
			pass_signal(g, g->daemon);
	}
	g->daemon = 0;
}

/* Forks one daemon and waits until it has mounted. Returns 0, -EADDRINUSE if
 * the cache needs a daemon with another PID, or another -errno. */
static int start_once(struct px_guard *g, const struct px_opt *o,
		      const char *source, bool detach)
{
	PX_AUTOCLOSE int read_fd = -1;
	struct ready ready = {
		.o = o, .mountpoint = g->mountpoint, .detach = detach};
	const pid_t self = getpid();
	int fds[2], status;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return px_log_errno(-errno, "pipe");
	read_fd = fds[0];
	ready.status_fd = fds[1];
	fflush(NULL);
	g->daemon = fork();
	if (g->daemon == 0)
		be_daemon(o, source, g->mountpoint, &ready, self);
	close(fds[1]);
	if (g->daemon < 0) {
		g->daemon = 0; /* kill(2) takes -1 for every process */
		return px_log_errno(-errno, "fork");
	}
	if (wait_status(g, read_fd))
		return 0;
	status = reap(g->daemon);
	g->daemon = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == PX_EXIT_PID_TAKEN)
		return -EADDRINUSE;
	if (WIFSIGNALED(status))
		px_log(PX_LOG_ERROR,
		       "the daemon was killed by signal %d (%s) "
		       "before it mounted",
		       WTERMSIG(status), strsignal(WTERMSIG(status)));
	return -ECHILD;
}

int px_guard_start(struct px_guard *g, const struct px_opt *o,
		   const char *source, const char *mountpoint, bool detach)
{
	int r, i;

	*g = (struct px_guard){.mountpoint = mountpoint, .signal_fd = -1};
	r = watch_signals(g);
	if (r < 0)
		return px_log_errno(r, "signalfd");
	for (i = 0, r = -EADDRINUSE; r == -EADDRINUSE && i < MAX_FORKS; i++)
		r = start_once(g, o, source, detach);
	if (r == -EADDRINUSE)
		px_log(PX_LOG_ERROR, "the cache is used by too many processes "
				     "of other PID namespaces: say --no-cache");
	return r;
}

/* Removes the mount of a daemon that has ended with the wait status `status`.
 * The mount is still there if the daemon was killed, or was not allowed to
 * unmount. Returns `status`, or the status of a failure if the mount could not
 * be removed. */
static int clean_up(const struct px_guard *g, int status)
{
	struct px_why why;
	const int r = px_mountpoint_remove(&g->mount, false, &why);

	if (WIFSIGNALED(status))
		px_log(PX_LOG_ERROR,
		       "the daemon of %s was killed by signal %d "
		       "(%s)%s",
		       g->mountpoint, WTERMSIG(status),
		       strsignal(WTERMSIG(status)), r > 0 ? "; unmounted" : "");
	if (r >= 0)
		return status;
	px_log(PX_LOG_ERROR, "%s", why.text);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? W_EXITCODE(PX_EXIT_FAILED, 0)
		       : status;
}

/* Returns the PID of `child` or of the daemon if one of them has ended, and its
 * wait status in *ret_status; 0 if both are running. */
static pid_t take_dead(struct px_guard *g, pid_t child, int *ret_status)
{
	if (child > 0 && waitpid(child, ret_status, WNOHANG) == child)
		return child;
	if (g->daemon > 0 &&
	    waitpid(g->daemon, ret_status, WNOHANG) == g->daemon) {
		const pid_t pid = g->daemon;

		g->daemon = 0;
		*ret_status = clean_up(g, *ret_status);
		return pid;
	}
	return 0;
}

/* Blocks until `child` or the daemon ends, and returns its PID; 0 if the daemon
 * did not end in time and was killed. */
static pid_t wait_any(struct px_guard *g, pid_t child, int *ret_status)
{
	struct pollfd fd = {.fd = g->signal_fd, .events = POLLIN};
	pid_t pid;

	while ((pid = take_dead(g, child, ret_status)) == 0) {
		int64_t left = -1;

		if (g->kill_at_ms != 0 && g->daemon > 0) {
			left = g->kill_at_ms - px_now_ms();
			if (left <= 0) {
				kill_daemon(g);
				return 0;
			}
		}
		if (poll(&fd, 1, (int)left) > 0)
			pass_signal(g, child > 0 ? child : g->daemon);
	}
	return pid;
}

pid_t px_guard_wait(struct px_guard *g, pid_t child, int *ret_status)
{
	const pid_t daemon = g->daemon, pid = wait_any(g, child, ret_status);

	if (pid != 0)
		return pid;
	*ret_status = W_EXITCODE(0, SIGKILL);
	return daemon;
}

int px_guard_stop(struct px_guard *g)
{
	int status;

	if (g->daemon <= 0)
		return -ECHILD;
	g->kill_at_ms = px_now_ms() + STOP_TIMEOUT_MS;
	kill(g->daemon, SIGTERM);
	if (wait_any(g, 0, &status) == 0)
		return -ETIMEDOUT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
