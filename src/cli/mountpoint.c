/* SPDX-License-Identifier: MIT */
#include "pycfs/mountpoint.h"

#include "pycfs/bounded.h"
#include "pycfs/log.h"
#include "pycfs/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* How long a daemon may take to answer before it counts as stuck. */
#define ANSWER_TIMEOUT_MS 10000
/* How many views are followed if SOURCE is a view of a view of a view. */
#define MAX_DEPTH 16

/* The topmost mount on a path. */
struct top {
	const char *path;
	bool any; /* something is mounted there */
	bool is_pycfs;
	/* Minor device number, which is also the name of the connection's
	 * directory in /sys/fs/fuse/connections. */
	unsigned minor;
};

static int look_for_path(void *arg, const struct px_mount *m)
{
	struct top *t = arg;

	if (strcmp(m->path, t->path) != 0)
		return 0;
	t->any = true;
	t->is_pycfs = m->is_pycfs;
	t->minor = m->minor;
	return 0;
}

/* Finds the topmost mount on `path` in mountinfo, without asking the mount
 * itself, whose daemon may be dead or not answer. 0 or -errno. */
static int find_top(const char *path, struct top *ret)
{
	*ret = (struct top){.path = path};
	return px_mounts_each(look_for_path, ret);
}

/* Returns the absolute `path`, in which only the directories above the last
 * name are resolved. The caller frees it. NULL if that fails, or if `path` does
 * not end in a name ("." and ".."). */
static char *with_real_parent(const char *path)
{
	return px_path_real_parent(path);
}

/* Returns `path` made absolute and without symlinks, which the caller frees;
 * NULL and errno if that fails. If something is mounted on `path`, its daemon
 * is asked nothing, so that this works for a dead mount, too. */
static char *absolute(const char *path)
{
	char *full = with_real_parent(path);
	struct top top;

	if (full && find_top(full, &top) == 0 && top.any)
		return full;
	free(full);
	return realpath(path, NULL);
}

/*
 * Aborts the connection between the kernel and a daemon, so that all requests
 * that wait for an answer fail (Documentation/filesystems/fuse.rst, "Aborting a
 * filesystem connection"). The file in /sys/fs/fuse can be written by the owner
 * of the mount and by root, but fusectl may not be mounted there. A forced
 * unmount aborts the connection as well, and root may always do that.
 *
 * Returns 0, 1 if the mount was removed as well, or -errno.
 */
static int try_abort(const char *path, unsigned minor)
{
	char file[64];
	PX_AUTOCLOSE int fd = -1;

	snprintf(file, sizeof(file), "/sys/fs/fuse/connections/%u/abort",
		 minor);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && px_write_full(fd, "1", 1) == 0)
		return 0;
	if (umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW) == 0)
		return 1;
	/* The kernel aborts the connection before it refuses to unmount a mount
	 * that is in use. */
	return errno == EBUSY ? 0 : -errno;
}

/* Does the same, and logs a failure. Returns true if the mount was removed as
 * well. */
static bool abort_connection(const char *path, unsigned minor)
{
	const int r = try_abort(path, minor);

	if (r < 0)
		px_log(PX_LOG_WARNING,
		       "%s: cannot end the connection to its daemon (%s): "
		       "programs that wait for the daemon wait until it is "
		       "killed",
		       path, strerror(-r));
	return r > 0;
}

/* Unmounts with the setuid program fusermount3, because this user may not call
 * umount(2). The first line of its error message is stored in `said`, a buffer
 * of `n` bytes. -EBUSY is told apart, because our own message for it says what
 * to do. */
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
	r = px_spawn(
		&(struct px_spawn){.program = argv[0],
				   .argv = argv,
				   .fds = {PX_SPAWN_SAME, PX_SPAWN_SAME, to},
				   .n_fds = 3,
				   .keep_signal_mask = true},
		&pid);
	if (r < 0)
		return r;
	close(px_steal_fd(&to));
	got = px_read_full(from, said, n - 1);
	said[got > 0 ? got : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	status = px_spawn_wait(pid, INT64_MAX);
	if (status <= 0)
		return status;
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

static int umount_error(int r, const char *path, const char *said,
			struct px_why *why)
{
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
	return px_because(why, r, "cannot unmount %s: %s", path,
			  *said ? said : strerror(-r));
}

int px_mountpoint_umount(const char *mountpoint, enum px_umount how,
			 struct px_why *why)
{
	PX_AUTOFREE char *path = absolute(mountpoint);
	char said[512] = "";
	struct top top;
	int r;

	if (!path)
		return px_because(why, -errno, "%s: %s", mountpoint,
				  strerror(errno));
	r = find_top(path, &top);
	if (r < 0)
		return px_because(why, r, "/proc/self/mountinfo: %s",
				  strerror(-r));
	if (!top.any)
		return px_because(why, -ENOENT, "%s is not mounted", path);
	if (!top.is_pycfs)
		return px_because(why, -EINVAL,
				  "%s is a mount, but not of pycfs", path);
	if (how == PX_UMOUNT_FORCE && abort_connection(path, top.minor))
		return 0;
	r = do_umount(path, how != PX_UMOUNT_PLAIN, said, sizeof(said));
	return r < 0 ? umount_error(r, path, said, why) : 0;
}

int px_mountpoint_identify(const char *mountpoint, struct px_mount_id *ret)
{
	PX_AUTOCLOSE int fd = open(mountpoint, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : px_mount_id_of(fd, ret);
}

/* Where the mount `id` is now, which changes if a directory above it is
 * renamed. */
struct place {
	int id;
	char *path;
	unsigned minor;
};

static int look_for_id(void *arg, const struct px_mount *m)
{
	struct place *p = arg;

	if (m->id != p->id)
		return 0;
	p->path = strdup(m->path);
	p->minor = m->minor;
	return p->path ? 1 : -ENOMEM;
}

int px_mountpoint_remove(const struct px_mount_id *id, bool force,
			 struct px_why *why)
{
	struct place place = {.id = id->id};
	struct px_mount_id found = {0};
	PX_AUTOFREE char *path = NULL;
	PX_AUTOCLOSE int fd = -1;
	char by_fd[48], said[512] = "";
	int r = px_mounts_each(look_for_id, &place);

	path = place.path;
	if (r <= 0)
		return r < 0 ? px_because(why, r, "cannot unmount: %s",
					  strerror(-r))
			     : 0;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : px_mount_id_of(fd, &found);
	if (r < 0)
		return px_because(why, r, "cannot unmount %s: %s", path,
				  strerror(-r));
	/* Another mount has got the number since, so that ours is gone. */
	if (found.id == id->id && !px_mount_id_equal(&found, id))
		return 0;
	if (found.id != id->id)
		return px_because(why, -EBUSY,
				  "a dead mount is left on %s, covered by a "
				  "later mount: unmount that one, and then "
				  "run 'pycfs umount %s'",
				  path, path);
	if (force && abort_connection(path, place.minor))
		return 1;
	/* Unmount by the descriptor and not by the path, where something else
	 * may be mounted any moment. */
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	r = umount2(by_fd, MNT_DETACH) < 0 ? -errno : 0;
	if (r == -EPERM)
		r = run_fusermount(path, true, said, sizeof(said));
	return r < 0 ? umount_error(r, path, said, why) : 1;
}

static int check_dir(const char *what, const char *path, struct px_why *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return px_because(why, -errno, "%s '%s': %s%s", what, path,
				  strerror(errno),
				  errno == ENOENT ? ": create it, or correct "
						    "its name"
						  : "");
	if (!S_ISDIR(st.st_mode))
		return px_because(why, -ENOTDIR, "%s '%s' is not a directory",
				  what, path);
	return 0;
}

static int check_empty(const char *path, struct px_why *why)
{
	DIR *d = opendir(path);
	struct top top;
	int n = 0;

	if (!d)
		return px_because(why, -errno, "MOUNTPOINT '%s': %s", path,
				  strerror(errno));
	while (n <= 2 && readdir(d))
		n++;
	closedir(d);
	if (n > 2 && find_top(path, &top) == 0 && top.is_pycfs)
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

static int ask_whether_dead(const void *path, PX_UNUSED void *answer)
{
	struct stat st;

	return stat(path, &st) < 0 && errno == ENOTCONN ? -ENOTCONN : 0;
}

/* Unmounts a view on `mountpoint` whose daemon is dead. Returns 0, or -EBUSY if
 * the daemon is alive but does not answer. */
static int clear(const char *mountpoint, struct px_why *why)
{
	PX_AUTOFREE char *path = absolute(mountpoint);
	struct top top;
	int r;

	if (!path || find_top(path, &top) < 0 || !top.is_pycfs)
		return 0;
	r = px_bounded(ask_whether_dead, path, NULL, 0, ANSWER_TIMEOUT_MS);
	if (r == -ETIMEDOUT)
		return px_because(why, -EBUSY,
				  "MOUNTPOINT '%s' is a mount of pycfs whose "
				  "daemon does not answer: end it ('pycfs "
				  "umount %s'), or use another directory",
				  path, path);
	if (r == -ENOTCONN &&
	    px_mountpoint_umount(path, PX_UMOUNT_LAZY, why) == 0)
		px_log(PX_LOG_WARNING,
		       "%s: took away a mount whose daemon is dead",
		       mountpoint);
	return 0;
}

/* The directory that the view with the device number `dev` shows. */
struct shown {
	dev_t dev;
	char *source;
};

static int look_for_device(void *arg, const struct px_mount *m)
{
	struct shown *s = arg;

	if (!m->is_pycfs || m->dev != s->dev)
		return 0;
	s->source = strdup(m->source);
	return s->source ? 1 : -ENOMEM;
}

/* SOURCE may be the view of a directory that is in turn another view. Returns
 * -EINVAL if one of these views shows a directory that contains MOUNTPOINT. */
static int check_no_mirror(const char *source, const char *mountpoint,
			   struct px_why *why)
{
	PX_AUTOFREE char *at = strdup(source);
	unsigned depth;

	for (depth = 0; at && depth < MAX_DEPTH; depth++) {
		struct shown s = {.source = NULL};

		if (px_mounts_device(AT_FDCWD, at, &s.dev) < 0 ||
		    px_mounts_each(look_for_device, &s) <= 0)
			return 0;
		free(at);
		at = s.source;
		if (px_path_inside(mountpoint, at))
			return px_because(
				why, -EINVAL,
				"SOURCE '%s' is a mount of pycfs that shows "
				"'%s', and MOUNTPOINT '%s' is in there: the "
				"view would contain itself; mount elsewhere",
				source, at, mountpoint);
	}
	return 0;
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
	r = clear(mountpoint, why);
	if (r < 0)
		return r;
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
	r = check_no_mirror(s, m, why);
	if (r == 0 && !nonempty)
		r = check_empty(m, why);
	if (r < 0)
		return r;
	*ret_source = PX_STEAL(s);
	*ret_mountpoint = PX_STEAL(m);
	return 0;
}
