/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include "sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define EXIT_BROKEN 252		   /* as CONFINE_BROKEN */
#define MAX_FILE    (600ull << 20) /* bytes that it may write */
#define MAX_MEMORY  (8ull << 30)   /* bytes of address space */
#define MAX_SECONDS 110
/* The last descriptor that it gets. */
#define LAST_FD 4

/* All that a program may do to files, by the kernel's version of Landlock
 * (linux/landlock.h, Linux 6.10; landlock(7)). */
#define RIGHTS_1     ((1ull << 13) - 1)
#define RIGHT_REFER  (1ull << 13) /* version 2 */
#define RIGHT_CUT    (1ull << 14) /* version 3: truncate */
#define RIGHT_DEVICE (1ull << 15) /* version 5: ioctl */

/* What programs and their libraries are read from. */
static const char *const readable[] = {
	"/usr",
	"/lib",
	"/lib32",
	"/lib64",
	"/bin",
	"/opt",
	"/nix",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/alternatives",
};

/* Everything else fails as if the kernel did not know it. */
static const int allowed[] = {
	SCMP_SYS(access),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(execve),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(ftruncate),
	SCMP_SYS(futex),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(lstat),
	SCMP_SYS(madvise),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(msync),
	SCMP_SYS(munmap),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(poll),
	SCMP_SYS(pread64),
	SCMP_SYS(prlimit64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(read),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(stat),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(sysinfo),
	SCMP_SYS(umask),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

/* Lets it read and run what is below `path`, if that is there. */
static void permit(int rules, const char *path)
{
	PX_AUTOCLOSE int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE |
				  LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = fd,
	};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	(void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		      &beneath, 0);
}

/* Keeps it from files; what is open it has. Where the kernel has no Landlock,
 * the filter of system calls and the change of the user are all there is. */
static void restrict_files(const char *program)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
				     LANDLOCK_CREATE_RULESET_VERSION);
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = RIGHTS_1 |
				     (version >= 2 ? RIGHT_REFER : 0) |
				     (version >= 3 ? RIGHT_CUT : 0) |
				     (version >= 5 ? RIGHT_DEVICE : 0),
	};
	PX_AUTOCLOSE int rules = -1;

	if (version < 1)
		return;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
			     0);
	if (rules < 0)
		return;
	for (size_t i = 0; i < PX_ARRAY_LEN(readable); i++)
		permit(rules, readable[i]);
	permit(rules, program);
	(void)syscall(SYS_landlock_restrict_self, rules, 0);
}

static int filter_system_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? 0 : -ENOMEM;

	/* What this machine does not have (open, on aarch64) is left out. */
	for (size_t i = 0; i < PX_ARRAY_LEN(allowed) && r == 0; i++)
		if (allowed[i] >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i],
					     0);
	/* How some mark a descriptor as not to be inherited. */
	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)FIOCLEX, 0));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int px_tool_become(char **argv)
{
	const char *const envp[] = {"LC_ALL=C", NULL};
	int r;

	px_sandbox_go_first();
	px_close_others(LAST_FD + 1, NULL, 0);
	(void)px_sandbox_limit(RLIMIT_CORE, 0);
	(void)px_sandbox_limit(RLIMIT_FSIZE, MAX_FILE);
	(void)px_sandbox_limit(RLIMIT_AS, MAX_MEMORY);
	(void)px_sandbox_limit(RLIMIT_CPU, MAX_SECONDS);
	(void)px_sandbox_drop_privileges();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		fprintf(stderr, "prctl: %s\n", strerror(errno));
		return EXIT_BROKEN;
	}
	restrict_files(argv[0]);
	r = filter_system_calls();
	if (r < 0)
		fprintf(stderr, "seccomp: %s\n", strerror(-r));
	execve(argv[0], argv, (char *const *)(uintptr_t)envp);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	return EXIT_BROKEN;
}
