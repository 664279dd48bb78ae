/* SPDX-License-Identifier: MIT */
#include "pycfs/mountpoint.h"

#include "pycfs/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FS_TYPE "fuse.pycfs"

/* Undoes mountinfo's \ooo escapes, in place (Documentation/filesystems/
 * proc.rst, section 3.5). */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				       (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* 1 if `line` of mountinfo mounts a pycfs on `path`, 0 if something else,
 * -1 if it is about another path. */
static int match_line(char *line, const char *path)
{
	char *field = line, *dash = strstr(line, " - ");
	int i;

	if (!dash)
		return -1;
	*dash = '\0';
	for (i = 0; i < 4 && field; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	if (!field)
		return -1;
	field[strcspn(field, " ")] = '\0';
	unescape(field);
	if (strcmp(field, path) != 0)
		return -1;
	return strncmp(dash + 3, FS_TYPE " ", sizeof(FS_TYPE)) == 0;
}

/* 1 if what is mounted on top of `path` is ours, 0 something else, -ENOENT
 * if nothing is. Never touches the mount itself, which may be dead. */
static int mounted(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	PX_AUTOFREE char *line = NULL;
	int last = -ENOENT, r;
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		r = match_line(line, path);
		if (r >= 0)
			last = r;
	}
	fclose(f);
	return last;
}

/* The absolute path; of a dead mount too, whose last component cannot be
 * looked at. */
static char *absolute(const char *path)
{
	char *full = realpath(path, NULL);
	PX_AUTOFREE char *copy = NULL;
	PX_AUTOFREE char *dir = NULL;
	char *slash, *joined;

	if (full || (errno != ENOTCONN && errno != EIO && errno != EACCES))
		return full;
	copy = strdup(path);
	if (!copy)
		return NULL;
	while (strlen(copy) > 1 && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	dir = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!dir || asprintf(&joined, "%s/%s", strcmp(dir, "/") ? dir : "",
			     slash ? slash + 1 : copy) < 0)
		return NULL;
	return joined;
}

/* Runs argv with stderr into `fd`; its wait status. */
static int run_helper(const char *const argv[], int fd, pid_t *ret)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	posix_spawn_file_actions_adddup2(&actions, fd, 2);
	r = posix_spawnp(ret, argv[0], &actions, NULL,
			 (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* The setuid helper, for who may not call umount(2). What it says if it fails,
 * one line, is in `said`; of a busy mount ours says the way out, too. */
static int run_fusermount(const char *path, bool lazy, char *said, size_t n)
{
	const char *const argv[] = {"fusermount3", lazy ? "-uz" : "-u", "--",
				    path, NULL};
	PX_AUTOCLOSE int from = -1;
	PX_AUTOCLOSE int to = -1;
	int fds[2], status, r;
	ssize_t got;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	from = fds[0];
	to = fds[1];
	r = run_helper(argv, to, &pid);
	if (r < 0)
		return r;
	close(px_steal_fd(&to));
	got = px_read_full(from, said, n - 1);
	said[got > 0 ? got : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status == 0)
		return 0;
	return strstr(said, strerror(EBUSY)) ? -EBUSY : -EPERM;
}

static int do_umount(const char *path, bool lazy, char *said, size_t n)
{
	if (umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return run_fusermount(path, lazy, said, n);
}

int px_mountpoint_umount(const char *mountpoint, bool lazy, struct px_why *why)
{
	PX_AUTOFREE char *path = absolute(mountpoint);
	char said[512] = "";
	int r;

	if (!path)
		return px_because(why, -errno, "%s: %s", mountpoint,
				  strerror(errno));
	r = mounted(path);
	if (r == -ENOENT)
		return px_because(why, r, "%s is not mounted", path);
	if (r == 0)
		return px_because(why, -EINVAL,
				  "%s is a mount, but not of pycfs", path);
	r = do_umount(path, lazy, said, sizeof(said));
	if (r == -EBUSY)
		return px_because(why, r,
				  "%s is busy: end what uses it ('fuser -vm "
				  "%s' lists that), or say --lazy",
				  path, path);
	if (r == -ENOENT)
		return px_because(why, r,
				  "cannot unmount %s: it needs "
				  "fusermount3: install the package fuse3",
				  path);
	if (r < 0)
		return px_because(why, r, "cannot unmount %s: %s", path,
				  *said ? said : strerror(-r));
	return 0;
}

static int check_dir(const char *what, const char *path, struct px_why *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return px_because(why, -errno, "%s '%s': %s%s", what, path,
				  strerror(errno),
				  errno == ENOENT ? ": make it, or look for a "
						    "typing mistake"
						  : "");
	if (!S_ISDIR(st.st_mode))
		return px_because(why, -ENOTDIR, "%s '%s' is not a directory",
				  what, path);
	return 0;
}

static int check_empty(const char *path, struct px_why *why)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return px_because(why, -errno, "MOUNTPOINT '%s': %s", path,
				  strerror(errno));
	while (n <= 2 && readdir(d))
		n++;
	closedir(d);
	if (n > 2 && mounted(path) == 1)
		return px_because(
			why, -EBUSY,
			"MOUNTPOINT '%s' is a mount of pycfs already: end it "
			"('pycfs umount %s'), or use another directory",
			path, path);
	if (n > 2)
		return px_because(why, -ENOTEMPTY,
				  "MOUNTPOINT '%s' is not empty: its files "
				  "would be hidden; use another directory, or "
				  "-o nonempty",
				  path);
	return 0;
}

int px_mountpoint_clear(const char *mountpoint, struct px_why *why)
{
	struct stat st;

	if (stat(mountpoint, &st) == 0 || errno != ENOTCONN)
		return 0;
	return px_mountpoint_umount(mountpoint, true, why) < 0 ? -EIO : 1;
}

int px_mountpoint_check(const char *source, const char *mountpoint,
			bool nonempty, char **ret_source, char **ret_mountpoint,
			struct px_why *why)
{
	PX_AUTOFREE char *s = NULL;
	PX_AUTOFREE char *m = NULL;
	int r;

	r = check_dir("SOURCE", source, why);
	if (r < 0)
		return r;
	if (px_mountpoint_clear(mountpoint, why) > 0)
		px_log(PX_LOG_WARNING,
		       "%s: took away a mount whose daemon is dead",
		       mountpoint);
	r = check_dir("MOUNTPOINT", mountpoint, why);
	if (r < 0)
		return r;
	s = realpath(source, NULL);
	m = realpath(mountpoint, NULL);
	if (!s || !m)
		return px_because(why, -errno, "%s: %s",
				  s ? mountpoint : source, strerror(errno));
	if (px_path_inside(m, s))
		return px_because(why, -EINVAL,
				  "MOUNTPOINT '%s' is inside SOURCE '%s': the "
				  "view would contain itself; mount elsewhere",
				  m, s);
	if (px_path_inside(s, m))
		return px_because(why, -EINVAL,
				  "SOURCE '%s' is inside MOUNTPOINT '%s': it "
				  "would be hidden; mount elsewhere",
				  s, m);
	r = nonempty ? 0 : check_empty(m, why);
	if (r < 0)
		return r;
	*ret_source = PX_STEAL(s);
	*ret_mountpoint = PX_STEAL(m);
	return 0;
}
