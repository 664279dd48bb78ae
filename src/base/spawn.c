/* SPDX-License-Identifier: MIT */
#include "pycfs/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

/* Where pycfs's programs are, seen from it, and when it was built. */
static const char *const places[] = {"", "/" PX_PROGRAMS_NEAR};

/* How long a wait with a deadline sleeps between two looks at the child. */
#define LOOK_EVERY_US 500

static int set_attributes(const struct px_spawn *s, posix_spawnattr_t *attr)
{
	sigset_t none;
	short flags = 0;
	int r = 0;

	if (s->own_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	if (!s->keep_signal_mask) {
		sigemptyset(&none);
		flags |= POSIX_SPAWN_SETSIGMASK;
		r = posix_spawnattr_setsigmask(attr, &none);
	}
	return r != 0 ? r : posix_spawnattr_setflags(attr, flags);
}

/* `from` has the descriptors to take, none of them among the child's own. */
static int set_actions(const struct px_spawn *s, const int *from,
		       posix_spawn_file_actions_t *actions)
{
	int r = 0;

	for (int i = 0; i < (int)s->n_fds && r == 0; i++) {
		if (from[i] == PX_SPAWN_NULL)
			r = posix_spawn_file_actions_addopen(
				actions, i, "/dev/null", O_RDWR, 0);
		else if (from[i] != PX_SPAWN_SAME)
			r = posix_spawn_file_actions_adddup2(actions, from[i],
							     i);
	}
	if (r == 0 && s->dir)
		r = posix_spawn_file_actions_addchdir_np(actions, s->dir);
	return r;
}

/* What the child could say of itself only when its loader is done: until then
 * the kernel would take the larger process, which is this one. */
static void end_first(pid_t pid)
{
	PX_AUTOCLOSE int fd = -1;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : write(fd, "1000", 4);
	(void)n;
}

static int start(const struct px_spawn *s, const int *from, pid_t *ret)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char *const *envp =
		s->envp ? (char *const *)(uintptr_t)s->envp : environ;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = set_attributes(s, &attr);
		if (r == 0)
			r = set_actions(s, from, &actions);
		if (r == 0)
			r = posix_spawnp(ret, s->program, &actions, &attr,
					 (char *const *)(uintptr_t)s->argv,
					 envp);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (r == 0 && s->ends_first)
		end_first(*ret);
	return -r;
}

int px_spawn(const struct px_spawn *s, pid_t *ret)
{
	int from[PX_SPAWN_FDS], copies[PX_SPAWN_FDS];
	unsigned i, n_copies = 0;
	int r = 0;

	memcpy(from, s->fds, sizeof(from));
	/* A descriptor that lies where the child gets another one would be
	 * replaced before it is copied. */
	for (i = 0; i < s->n_fds && r == 0; i++) {
		if (from[i] < 0 || from[i] >= (int)s->n_fds)
			continue;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, (int)s->n_fds);
		if (from[i] < 0)
			r = -errno;
		else
			copies[n_copies++] = from[i];
	}
	if (r == 0)
		r = start(s, from, ret);
	while (n_copies > 0)
		close(copies[--n_copies]);
	return r;
}

static int wait_for_ever(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int px_spawn_wait(pid_t pid, int64_t deadline_ms)
{
	int status;
	pid_t r;

	if (deadline_ms == INT64_MAX)
		return wait_for_ever(pid);
	while ((r = waitpid(pid, &status, WNOHANG)) == 0 &&
	       px_now_ms() < deadline_ms)
		usleep(LOOK_EVERY_US);
	if (r < 0)
		return -errno;
	if (r > 0)
		return status;
	(void)px_spawn_kill(pid);
	return -ETIMEDOUT;
}

int px_spawn_kill(pid_t pid)
{
	/* The status of a process that ends by itself is set before its files
	 * are closed (Linux 6.1, do_exit and do_group_exit), so that nothing
	 * changes for one whose socket or pipe has ended. */
	kill(pid, SIGKILL);
	return wait_for_ever(pid);
}

int px_spawn_find(const char *name, char **ret, struct px_why *why)
{
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	bool found = false;

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
	}
	for (size_t i = 0; n > 0 && i < PX_ARRAY_LEN(places) && !found; i++) {
		snprintf(path, sizeof(path), "%s%s/%s", self, places[i], name);
		found = access(path, X_OK) == 0;
	}
	if (!found) {
		snprintf(path, sizeof(path), "%s/%s", PX_PROGRAMS_DIR, name);
		found = access(path, X_OK) == 0;
	}
	if (!found)
		return px_because(why, -ENOENT,
				  "%s is missing beside pycfs and at %s: "
				  "install pycfs again",
				  name, path);
	*ret = strdup(path);
	return *ret ? 0 : px_because(why, -ENOMEM, "out of memory");
}
