/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define PAGE 4096

enum outcome {
	WORKS,
	REFUSED,
	DIES
};

static const char *const outcome_name[] = {"works", "is refused", "dies"};

struct probe {
	const char *name;
	enum outcome want;
	/* As a system call: negative with errno set if it is refused. */
	long (*try)(void);
};

/* ---- what a compile needs ---- */

static long try_memory(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	p[PAGE] = 1;
	return munmap(p, 4 * PAGE);
}

static long try_write(void)
{
	return write(2, "", 0);
}

static long try_clock(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now);
}

/* ---- what nobody needs ---- */

static long try_open(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long try_open_to_write(void)
{
	return open("/tmp/pycfs-self-test", O_WRONLY | O_CREAT | O_CLOEXEC,
		    0600);
}

static long try_huge_memory(void)
{
	const size_t n = (size_t)SANDBOX_ADDRESS_SPACE + PAGE;

	return mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

/* A file that was open before the sandbox was entered. */
static int file_fd = -1;

static long try_fill_a_file(void)
{
	return write(file_fd, "x", 1);
}

static long try_stat(void)
{
	struct stat st;

	return stat("/", &st);
}

static long try_unlink(void)
{
	return unlink("/tmp/pycfs-self-test");
}

static long try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_socketpair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static long try_execve(void)
{
	char *argv[] = {NULL};

	return execve("/bin/true", argv, argv);
}

static long try_fork(void)
{
	return fork();
}

static long try_thread(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, NULL,
		       NULL, NULL, NULL);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long try_read_parent(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long try_kill(void)
{
	return kill(getpid(), 0);
}

/* Process 1 exists and is not this one. */
static long try_kill_other(void)
{
	return syscall(SYS_tgkill, 1, 1, 0);
}

static long try_map_code(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? -1
		       : 0;
}

static long try_make_code(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, PAGE, PROT_READ | PROT_EXEC);
}

static long try_limits(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_AS, &all);
}

static long try_prctl(void)
{
	return prctl(PR_SET_PDEATHSIG, 0);
}

static long try_setuid(void)
{
	return setuid(0);
}

static long try_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long try_ioctl(void)
{
	return syscall(SYS_ioctl, 0, 0, 0);
}

static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

/* The number of a system call that is not in the filter and does not exist yet:
 * what the filter does not allow by name is refused. */
static long try_unknown(void)
{
	return syscall(2000);
}

#ifdef __x86_64__
/* 32-bit system calls have another table, in which the same numbers mean
 * others.
 */
static long try_32bit(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	return r;
}

static long try_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}
#endif

static const struct probe probes[] = {
	{"map memory", WORKS, try_memory},
	{"write to what is open", WORKS, try_write},
	{"read the clock", WORKS, try_clock},
	{"open a file", REFUSED, try_open},
	{"make a file", REFUSED, try_open_to_write},
	{"take more memory than its share", REFUSED, try_huge_memory},
	{"write to a file that is open", DIES, try_fill_a_file},
	{"look at a file", DIES, try_stat},
	{"delete a file", DIES, try_unlink},
	{"socket", DIES, try_socket},
	{"socketpair", DIES, try_socketpair},
	{"execve", DIES, try_execve},
	{"fork", DIES, try_fork},
	{"start a thread", DIES, try_thread},
	{"ptrace", DIES, try_ptrace},
	{"read another process", DIES, try_read_parent},
	{"kill", DIES, try_kill},
	{"signal another process", DIES, try_kill_other},
	{"map executable memory", DIES, try_map_code},
	{"make memory executable", DIES, try_make_code},
	{"raise its limits", DIES, try_limits},
	{"outlive its parent", DIES, try_prctl},
	{"setuid", DIES, try_setuid},
	{"make a namespace", DIES, try_namespace},
	{"ioctl", DIES, try_ioctl},
	{"make a file in memory", DIES, try_memfd},
	{"a system call nobody knows", DIES, try_unknown},
#ifdef __x86_64__
	{"a 32-bit system call", DIES, try_32bit},
	{"an x32 system call", DIES, try_x32},
#endif
};

/* The child's exit statuses. */
#define EXIT_WORKS   0
#define EXIT_REFUSED 2
#define EXIT_OPEN    3 /* the sandbox could not be entered */

_Noreturn static void child(const struct probe *p)
{
	struct px_why why;

	if (px_sandbox_enter(0, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		_exit(EXIT_OPEN);
	}
	_exit(p->try() < 0 ? EXIT_REFUSED : EXIT_WORKS);
}

/* Enters the sandbox as a worker does, says so on `ready_fd`, and waits. */
_Noreturn static void be_read(int ready_fd)
{
	struct px_why why;
	char c;
	int r = px_sandbox_enter(0, &why);

	if ((r < 0 && r != -ENOTSUP) || write(ready_fd, "x", 1) != 1)
		_exit(EXIT_OPEN);
	for (;;)
		if (read(ready_fd, &c, 1) <= 0)
			_exit(EXIT_OPEN);
}

/* Tries to read the memory of a worker. It is the worker's parent, which Yama
 * (ptrace_scope 1) allows to do that, and runs as the same user. */
_Noreturn static void reader(void)
{
	static const char secret = 'x';
	char c;
	struct iovec to = {&c, 1};
	struct iovec from = {(void *)(uintptr_t)&secret, 1};
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		_exit(EXIT_OPEN);
	pid = fork();
	if (pid == 0)
		be_read(fds[1]);
	if (pid < 0 || close(fds[1]) < 0 || read(fds[0], &c, 1) != 1 ||
	    px_sandbox_drop_privileges() < 0)
		_exit(EXIT_OPEN);
	n = process_vm_readv(pid, &to, 1, &from, 1, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	_exit(n < 0 ? EXIT_REFUSED : EXIT_WORKS);
}

/* Returns the enum outcome of a probe, or -errno: it could not be tried. NULL
 * stands for reading the memory of a worker. */
static int attempt(const struct probe *p)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0 && p)
		child(p);
	if (pid == 0)
		reader();
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	/* SIGSEGV: a 32-bit system call of a kernel that has none. SIGXFSZ: a
	 * write beyond RLIMIT_FSIZE. */
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ||
				       WTERMSIG(status) == SIGSEGV ||
				       WTERMSIG(status) == SIGXFSZ
			       ? DIES
			       : -EPROTO;
	if (WEXITSTATUS(status) == EXIT_WORKS)
		return WORKS;
	return WEXITSTATUS(status) == EXIT_REFUSED ? REFUSED : -EPERM;
}

/* Prints a line; returns whether the outcome is as it must be. */
static bool report(const char *name, enum outcome want, int got)
{
	if (got < 0)
		printf("FAILED  %s: %s\n", name, strerror(-got));
	else
		printf("%s  %s: %s\n", got == (int)want ? "ok    " : "FAILED",
		       name, outcome_name[got]);
	return got == (int)want;
}

int px_sandbox_self_test(void)
{
	int failed = 0;
	size_t i;

	file_fd = memfd_create("self-test", MFD_CLOEXEC);
	if (file_fd < 0) {
		perror("memfd_create");
		return 1;
	}
	for (i = 0; i < PX_ARRAY_LEN(probes); i++)
		failed += !report(probes[i].name, probes[i].want,
				  attempt(&probes[i]));
	failed += !report("be read by others of its user", REFUSED,
			  attempt(NULL));
	return failed > 0;
}
