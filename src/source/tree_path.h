/* SPDX-License-Identifier: MIT */
#ifndef PX_SOURCE_TREE_PATH_H
#define PX_SOURCE_TREE_PATH_H
/*
 * Private to tree.c and tree_path.c: how a relative path is resolved to a
 * descriptor (tree_path.c).
 *
 * In these functions a path consists of names joined by single slashes, or is
 * "" for SOURCE itself. A name "." or an empty name is -EINVAL, and a name ".."
 * is -EXDEV.
 */

#include "pycfs/mounts.h"
#include "pycfs/tree.h"

#include <sys/stat.h>

struct px_tree {
	int fd;	    /* descriptor of SOURCE */
	dev_t dev;  /* device number of SOURCE */
	char *root; /* absolute path of SOURCE without symlinks */
	/* True once openat2(2) has turned out to be missing or forbidden; paths
	 * are then opened name by name. Tests set it as well. */
	_Atomic bool walk;
};

/* Opens `path` without following any symlink; O_CLOEXEC is added to `flags`. If
 * the last name is a symlink, it is opened itself with O_PATH, and is -ELOOP
 * otherwise. Returns 0; -EXDEV if `path` is in another pycfs mount below
 * SOURCE, which might show this one, so that a request to it would wait for
 * ourselves; -errno. The caller closes *ret_fd. */
int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd);

/* Checks that the entry `name` of the directory `dirfd` is not the mount point
 * of a pycfs mount, without a request to that mount. *dev is the device number
 * of `dirfd` on input and that of the entry on output. Returns 0, -EXDEV if it
 * is such a mount point, or -errno. */
int px_tree_cross(int dirfd, const char *name, dev_t *dev);

/* lstat(2) of `path`, with the kernel's own struct. */
int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret);

/* Follows the symlink `path` to a regular file. *ret is the path of that file
 * relative to SOURCE, without symlinks at the time of the call; the caller
 * frees it. Errors: -EXDEV, -EINVAL and -ELOOP as px_tree_stat_file; -EAGAIN if
 * something that was a symlink no longer is one; -errno. */
int px_tree_resolve(struct px_tree *t, const char *path, char **ret);

#endif
