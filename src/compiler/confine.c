/* SPDX-License-Identifier: MIT */
#include "confine.h"
#include "sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MAX_PROCESSES 400
#define LOOK_EVERY_NS 20000000 /* while nothing ends */
/* The largest file, and all files in memory together, in bytes. */
#define MAX_FILE  (1ull << 30)
#define MEMORY_FS "size=1g,nr_inodes=100k,mode=0700"
/* How often what is left behind is killed anew, as it may fork meanwhile. */
#define KILL_ROUNDS 1000
#define WATCH_NICE  (-20)

/* Which namespaces this process has of its own. */
struct space {
	bool files, processes, network;
};

/* ------------------------------------------------------------ namespaces */

static int write_file(const char *path, const char *text)
{
	PX_AUTOCLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return px_write_full(fd, text, strlen(text));
}

/* Maps this user and group to themselves. Root without CAP_SETFCAP may not be
 * mapped (Linux 5.12, user_namespaces(7)). */
static int map_user(uid_t uid, gid_t gid)
{
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)uid, (unsigned)uid);
	r = write_file("/proc/self/uid_map", text);
	if (r == 0)
		r = write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)gid, (unsigned)gid);
	return r < 0 ? r : write_file("/proc/self/gid_map", text);
}

/* Makes everything read-only that is mounted in this mount namespace. */
static int make_read_only(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr,
		       sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

/* Takes what namespaces it can get: with the rights that root has already, or
 * as a user who has them over these namespaces alone. */
static struct space unshare_all(void)
{
	const int all = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
			CLONE_NEWIPC | CLONE_NEWUTS;
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	struct space s = {false, false, false};
	bool known = true;

	if (uid != 0 || unshare(all) < 0) {
		if (unshare(CLONE_NEWUSER | all) < 0)
			return s;
		/* A user whom it does not know can mount nothing. */
		known = map_user(uid, gid) == 0;
	}
	s.processes = s.network = true;
	s.files = known && make_read_only() == 0;
	return s;
}

/* Under sudo: becomes the user who called it. */
static int leave_sudo(void)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uid_t u;
	gid_t g;

	if (geteuid() != 0 || !uid || !gid)
		return 0;
	u = (uid_t)strtoul(uid, NULL, 10);
	g = (gid_t)strtoul(gid, NULL, 10);
	if (u == 0)
		return 0;
	if (setgroups(1, &g) < 0 || setresgid(g, g, g) < 0 ||
	    setresuid(u, u, u) < 0)
		return -errno;
	return 0;
}

int px_confine_probe(void)
{
	const pid_t pid = fork();
	struct space s;
	int status;

	/* In a process of its own, whose output is written by itself. */
	if (pid == 0) {
		if (leave_sudo() < 0)
			_exit(CONFINE_BROKEN);
		s = unshare_all();
		printf("%s%s%s\n", s.network ? "network " : "",
		       s.files ? "files " : "",
		       s.processes ? "processes " : "");
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return CONFINE_BROKEN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CONFINE_BROKEN;
}

/* ------------------------------------------------------------- processes */

static int to_exit_status(int status)
{
	return WIFSIGNALED(status) ? CONFINE_SIGNAL + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* The number of processes in /proc, or, if `parent` is not 0, of the children
 * of that one, which are then killed. */
static unsigned look_at_processes(pid_t parent)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	unsigned n = 0;

	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		char path[280], text[512] = "";
		const pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		const char *end;
		int fd, ppid = 0;

		if (pid <= 0)
			continue;
		if (parent == 0) {
			n++;
			continue;
		}
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) > 0) {
			/* PID (NAME) STATE PPID, and NAME may be anything. */
			end = strrchr(text, ')');
			if (end && strlen(end) > 4)
				ppid = (int)strtol(end + 4, NULL, 10);
		}
		close(fd);
		if (ppid == parent) {
			kill(pid, SIGKILL);
			n++;
		}
	}
	closedir(dir);
	return n;
}

/* Kills all that is left. As the first process of a namespace this one's end
 * does that; else its children are found one by one, and those that lose their
 * parent become its children (PR_SET_CHILD_SUBREAPER). */
static void kill_rest(const struct space *s)
{
	int i;

	for (i = 0; i < KILL_ROUNDS && !s->processes; i++) {
		const unsigned n = look_at_processes(getpid());

		while (waitpid(-1, NULL, n > 0 ? 0 : WNOHANG) > 0)
			;
		if (n == 0)
			break;
	}
}

/* Waits for `child` to end, and returns the exit status for it. */
static int watch(const struct px_confine *c, const struct space *s, pid_t child)
{
	const int64_t deadline = px_now_ms() + (int64_t)c->seconds * 1000;
	const struct timespec look = {.tv_nsec = LOOK_EVERY_NS};
	sigset_t ends;
	int status, why = 0;
	pid_t ended;

	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	for (;;) {
		ended = waitpid(-1, &status, WNOHANG);
		if (ended == child)
			break;
		if (ended > 0)
			continue;
		if (px_now_ms() >= deadline)
			why = CONFINE_TOO_LATE;
		else if (s->files && look_at_processes(0) > MAX_PROCESSES)
			why = CONFINE_TOO_MANY;
		if (why) {
			kill(child, SIGKILL);
			break;
		}
		/* Wakes at once when a child ends. */
		(void)sigtimedwait(&ends, NULL, &look);
	}
	kill_rest(s);
	return why ? why : to_exit_status(status);
}

static _Noreturn void become(const struct px_confine *c, char **argv)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	int sig;

	/* A session of its own, so that it can signal no group of ours. */
	setsid();
	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &usual, NULL);
	(void)px_sandbox_limit(RLIMIT_CORE, 0);
	(void)px_sandbox_limit(RLIMIT_FSIZE, MAX_FILE);
	(void)px_sandbox_limit(RLIMIT_AS, c->memory);
	(void)px_sandbox_limit(RLIMIT_CPU, (uint64_t)c->seconds + 1);
	(void)px_sandbox_limit(RLIMIT_NPROC, MAX_PROCESSES + 1000);
	if (chdir(c->scratch) < 0 || px_sandbox_drop_capabilities() < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(CONFINE_BROKEN);
	execvp(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(CONFINE_BROKEN);
}

/* Lets this process look after the others also when there are thousands of
 * them, each of which wants the CPU: RLIMIT_NPROC does not count root's
 * (copy_process, Linux 6.18). Where that is not allowed, they are counted
 * later, or by that limit. */
static void go_before_others(void)
{
	const struct sched_param first = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first) < 0)
		(void)setpriority(PRIO_PROCESS, 0, WATCH_NICE);
}

/* The first process in the namespaces: starts the program and outlives it. */
static _Noreturn void be_first(const struct px_confine *c,
			       const struct space *s, char **argv)
{
	sigset_t ends, before;
	pid_t child;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	go_before_others();
	if (s->files) {
		/* A /proc that shows these processes, and a place to write in.
		 * Without them the program runs all the same. */
		(void)mount("proc", "/proc", "proc",
			    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
		if (!c->keep)
			(void)mount("tmpfs", c->scratch, "tmpfs",
				    MS_NOSUID | MS_NODEV, MEMORY_FS);
		else if (mount(c->scratch, c->scratch, NULL, MS_BIND, NULL) ==
			 0)
			(void)mount(NULL, c->scratch, NULL,
				    MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV,
				    NULL);
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ends, &before);
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		become(c, argv);
	}
	if (child < 0)
		_exit(CONFINE_BROKEN);
	/* Only the program may hold the socket: its end is the end. */
	close(3);
	_exit(watch(c, s, child));
}

int px_confine_run(const struct px_confine *c, char **argv)
{
	struct space s;
	pid_t first;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	px_sandbox_go_first();
	if (leave_sudo() < 0)
		return CONFINE_BROKEN;
	s = unshare_all();
	first = fork();
	if (first == 0)
		be_first(c, &s, argv);
	if (first < 0)
		return CONFINE_BROKEN;
	close(3);
	while (waitpid(first, &status, 0) < 0)
		if (errno != EINTR)
			return CONFINE_BROKEN;
	return to_exit_status(status);
}
