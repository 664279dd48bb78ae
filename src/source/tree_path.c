/* SPDX-License-Identifier: MIT */
#include "tree_path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

#define MAX_LINKS 40 /* MAXSYMLINKS, include/linux/namei.h */

/* ------------------------------------------------------------- checking */

/* Rejects paths that the kernel would accept, such as those with "..". Both
 * ways of opening a path run this check, so that they refuse the same paths. */
static int check_path(const char *path)
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

int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd)
{
	int fd = check_path(path);

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

int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret)
{
	PX_AUTOCLOSE int fd = -1;
	int r = px_tree_open_path(t, path, O_PATH, &fd);

	if (r < 0)
		return r;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

/* ------------------------------------------------------------ resolving */

/* Reads the target of the symlink `path` into `ret`, without a NUL byte.
 * Returns the length in bytes; -EINVAL if `path` is not a symlink; -errno. */
static ssize_t read_link(struct px_tree *t, const char *path,
			 char ret[PATH_MAX])
{
	PX_AUTOCLOSE int fd = -1;
	struct stat st;
	ssize_t n;
	int r = px_tree_open_path(t, path, O_PATH, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return -EINVAL;
	n = readlinkat(fd, "", ret, PATH_MAX);
	if (n < 0)
		return -errno;
	return n == PATH_MAX ? -ENAMETOOLONG : n;
}

int px_tree_readlink(struct px_tree *t, const char *path, char **ret)
{
	char target[PATH_MAX];
	const ssize_t n = read_link(t, path, target);

	if (n < 0)
		return (int)n;
	*ret = strndup(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

/* The state of following a symlink. `done` is the part of the path that has
 * been resolved: it has only real directories and, at the end, the file. `rest`
 * is the part that is still to be resolved. */
struct resolver {
	struct px_tree *t;
	char done[PATH_MAX];
	char rest[PATH_MAX];
	unsigned n_links;
};

/* Removes the last name of `done`. -EXDEV if that would leave SOURCE. */
static int go_up(struct resolver *v)
{
	char *slash = strrchr(v->done, '/');

	if (v->done[0] == '\0')
		return -EXDEV;
	if (slash)
		*slash = '\0';
	else
		v->done[0] = '\0';
	return 0;
}

static int go_down(struct resolver *v, const char *name, size_t n)
{
	size_t have = strlen(v->done);

	if (have + 1 + n >= sizeof(v->done))
		return -ENAMETOOLONG;
	if (have > 0)
		v->done[have++] = '/';
	memcpy(v->done + have, name, n);
	v->done[have + n] = '\0';
	return 0;
}

/* Returns the part of an absolute target that follows the path of SOURCE, or
 * NULL if the target is outside of SOURCE. */
static const char *beneath(const struct px_tree *t, const char *target)
{
	size_t n = strlen(t->root);

	/* SOURCE may be "/", which ends in a slash. */
	if (t->root[n - 1] == '/')
		n--;
	if (strncmp(target, t->root, n) != 0)
		return NULL;
	if (target[n] != '/' && target[n] != '\0')
		return NULL;
	return target + n;
}

/* Called when `done` is a symlink: puts the link's target in front of `rest`,
 * which is empty or starts with a slash. */
static int follow(struct resolver *v)
{
	const char *tail = v->rest;
	const char *head;
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t length;
	int n;

	if (++v->n_links > MAX_LINKS)
		return -ELOOP;
	length = read_link(v->t, v->done, target);
	if (length < 0)
		return length == -EINVAL ? -EAGAIN : (int)length;
	target[length] = '\0';
	head = target;
	if (*head == '/') {
		head = beneath(v->t, target);
		if (!head)
			return -EXDEV;
		v->done[0] = '\0';
	} else {
		go_up(v);
	}
	n = snprintf(joined, sizeof(joined), "%s%s", head, tail);
	if ((size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(v->rest, joined, (size_t)n + 1);
	return 0;
}

/* Resolves the first name of `rest`. Returns 1 if `done` is now the file, 0 if
 * more names follow, or -errno. */
static int step(struct resolver *v)
{
	size_t skip = strspn(v->rest, "/");
	const char *name = v->rest + skip;
	size_t n = strcspn(name, "/");
	struct stat st;
	bool last;
	int r = 0;

	/* No name is left, so the link leads to a directory. */
	if (n == 0)
		return -EINVAL;
	last = name[n] == '\0';
	if (n == 2 && memcmp(name, "..", 2) == 0)
		r = go_up(v);
	else if (n != 1 || *name != '.')
		r = go_down(v, name, n);
	if (r < 0)
		return r;
	memmove(v->rest, name + n, strlen(name + n) + 1);
	r = px_tree_lstat(v->t, v->done, &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode))
		return follow(v);
	if (S_ISDIR(st.st_mode))
		return 0;
	if (!last)
		return -ENOTDIR;
	return S_ISREG(st.st_mode) ? 1 : -EINVAL;
}

int px_tree_resolve(struct px_tree *t, const char *path, char **ret)
{
	PX_AUTOFREE struct resolver *v = NULL;
	int r = check_path(path);

	if (r < 0)
		return r;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->t = t;
	/* The directories in `path` itself must not be symlinks. Only the
	 * targets of links may go through other links. */
	memcpy(v->done, path, strlen(path) + 1);
	r = follow(v);
	while (r == 0)
		r = step(v);
	if (r < 0)
		return r;
	*ret = strdup(v->done);
	return *ret ? 0 : -ENOMEM;
}
