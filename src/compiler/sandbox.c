/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* A sanitizer's runtime maps terabytes of addresses and opens /proc. With it,
 * the limits of memory and files and the filter are left out. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
};

static const int denied[] = {SCMP_SYS(open), SCMP_SYS(openat)};

/* Where there is no /proc, the kernel chooses as it likes. */
void px_sandbox_go_first(void)
{
	PX_AUTOCLOSE int fd =
		open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : write(fd, "1000", 4);

	(void)n;
}

/*
 * Changes from root to SANDBOX_USER. Not without CAP_KILL: the daemon has the
 * same capabilities as its worker has now, and could not kill a process of
 * another user. Fails in a user namespace that has no other user.
 */
static int leave_root(const struct __user_cap_data_struct *caps)
{
	if (geteuid() != 0 || SANDBOX_SANITIZED ||
	    !(caps[0].effective & 1u << CAP_KILL))
		return 0;
	if (setgroups(0, NULL) < 0 ||
	    setresgid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER) < 0)
		return -errno;
	return setresuid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER) < 0 ? -errno
								       : 0;
}

int px_sandbox_drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {
		0};

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int px_sandbox_drop_privileges(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
	int r;

	if (syscall(SYS_capget, &header, caps) < 0)
		return -errno;
	r = leave_root(caps);
	(void)r; /* if it stays root, it loses its capabilities all the same */
	return px_sandbox_drop_capabilities();
}

int px_sandbox_limit(int resource, uint64_t n)
{
	struct rlimit l;

	if (getrlimit(resource, &l) < 0)
		return -errno;
	if (n < l.rlim_max)
		l.rlim_max = n;
	l.rlim_cur = l.rlim_max;
	return setrlimit(resource, &l) < 0 ? -errno : 0;
}

static int set_limits(unsigned cpu_seconds)
{
	int r = px_sandbox_limit(RLIMIT_CORE, 0);

	if (r == 0 && cpu_seconds > 0)
		r = px_sandbox_limit(RLIMIT_CPU, cpu_seconds);
	/* A sanitizer writes its report to a file. */
	if (r == 0 && !SANDBOX_SANITIZED)
		r = px_sandbox_limit(RLIMIT_FSIZE, 0);
	if (r == 0 && !SANDBOX_SANITIZED)
		r = px_sandbox_limit(RLIMIT_AS, SANDBOX_ADDRESS_SPACE);
	return r;
}

static int add_rules(scmp_filter_ctx filter)
{
	size_t i;
	int r = 0;

	for (i = 0; i < PX_ARRAY_LEN(allowed) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* To quote the line of a SyntaxError, CPython opens the file that
	 * co_filename names (Python/errors.c, PyErr_ProgramTextObject, 3.8-
	 * 3.13), and quotes nothing if there is none. As that is no attack, it
	 * gets ENOENT and is not killed. */
	for (i = 0; i < PX_ARRAY_LEN(denied) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), denied[i],
				     0);
	/* For abort(3): it may signal itself and nobody else. */
	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	/* Memory, but never executable memory. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
				     1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

static int filter_system_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return -ENOMEM;
	r = add_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int px_sandbox_enter(unsigned cpu_seconds, struct px_why *why)
{
	int r;

	/* First, because a change of the user ID resets the parent-death signal
	 * and the dumpable flag (Linux 6.1, kernel/cred.c, commit_creds). */
	r = px_sandbox_drop_privileges();
	if (r < 0)
		return px_because(why, r, "capset: %s", strerror(-r));
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return px_because(why, -errno, "prctl: %s", strerror(errno));
	r = set_limits(cpu_seconds);
	if (r < 0)
		return px_because(why, r, "setrlimit: %s", strerror(-r));
	if (SANDBOX_SANITIZED)
		return 0;
	r = filter_system_calls();
	if (r < 0)
		return px_because(why, -ENOTSUP, "seccomp: %s", strerror(-r));
	return 0;
}
