/* SPDX-License-Identifier: MIT */
#include "tree_path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

/* ------------------------------------------------------------- checking */

/* Rejects paths that the kernel would accept, such as those with "..". Both
 * ways of opening a path run this check, so that they refuse the same paths. */
int px_tree_check_path(const char *path)
{
	const char *p = path;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return -EXDEV;
		if (n == 0 || (n == 1 && p[0] == '.'))
			return -EINVAL;
		p += n;
		if (*p == '/' && *++p == '\0')
			return -EINVAL;
	}
	return 0;
}

/* -------------------------------------------------------------- opening */

static int open_fast(const struct px_tree *t, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, t->fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens one name with openat(2). With O_DIRECTORY and O_NOFOLLOW, openat fails
 * with ENOTDIR for a symlink, while openat2 fails with ELOOP; return -ELOOP
 * here too. */
static int open_name(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, flags | O_NOFOLLOW);
	int err = errno;
	struct stat st;

	if (fd >= 0)
		return fd;
	if (err == ENOTDIR &&
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return -err;
}

int px_tree_cross(int dirfd, const char *name, dev_t *dev)
{
	const dev_t above = *dev;
	int r = px_mounts_device(dirfd, name, dev);

	if (r < 0 || *dev == above)
		return r;
	r = px_mounts_is_pycfs(*dev);
	return r > 0 ? -EXDEV : r;
}

static int open_walking(const struct px_tree *t, const char *path, int flags)
{
	PX_AUTOCLOSE int held = -1;
	int dirfd = t->fd;
	dev_t dev = t->dev;
	char name[NAME_MAX + 1];

	for (;;) {
		size_t n = strcspn(path, "/");
		int fd;

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = '\0';
		fd = px_tree_cross(dirfd, name, &dev);
		if (fd < 0)
			return fd;
		if (path[n] == '\0')
			return open_name(dirfd, name, flags);
		fd = open_name(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return fd;
		px_closep(&held);
		held = fd;
		dirfd = fd;
		path += n + 1;
	}
}

int px_tree_open_beneath(struct px_tree *t, const char *path, int flags,
			 int *ret_fd)
{
	int fd = px_tree_check_path(path);

	if (fd < 0)
		return fd;
	flags |= O_CLOEXEC;
	if (flags & O_PATH)
		flags |= O_NOFOLLOW;
	if (*path == '\0')
		path = ".";
	if (!t->walk) {
		fd = open_fast(t, path, flags);
		/* Seccomp profiles older than openat2 refuse it with EPERM. If
		 * this is an EPERM for another reason, the walk will return it
		 * again. */
		if (fd == -ENOSYS || fd == -EPERM)
			t->walk = true;
	}
	/* EXDEV means that a mount point is on the way. The walk finds out
	 * whether it is a pycfs mount. */
	if (t->walk || fd == -EXDEV)
		fd = open_walking(t, path, flags);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
