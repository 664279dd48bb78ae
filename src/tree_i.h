/* SPDX-License-Identifier: MIT */
#ifndef PX_TREE_I_H
#define PX_TREE_I_H
/*
 * Inside tree: how a relative path becomes a descriptor (tree_path.c).
 *
 * A path here is names joined by single slashes, "" for SOURCE itself. No
 * name is "." or "..": -EINVAL and -EXDEV.
 */

#include "pycfs/mounts.h"
#include "pycfs/tree.h"

#include <sys/stat.h>

struct px_tree {
	int fd;	    /* SOURCE */
	dev_t dev;  /* its file system's */
	char *root; /* canonical */
	/* openat2(2) is missing or forbidden: walk name by name. Tests set it
	 * too. */
	_Atomic bool walk;
};

/* Opens `path` without following any symlink, with O_CLOEXEC added to `flags`.
 * With O_PATH a final symlink is opened itself, else it is -ELOOP. -EXDEV if
 * it is in the view of another mount below SOURCE: that might show us, and to
 * ask it would be to wait for ourselves. */
int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd);

/* 0; -EXDEV if `name` of `dirfd` is the view of another mount, which is not
 * asked; -errno. *dev is the device of `dirfd`, and then that of `name`. */
int px_tree_cross(int dirfd, const char *name, dev_t *dev);

/* lstat of `path`, as the kernel tells it. */
int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret);

/* Where the final symlink of `path` leads: *ret is the caller's, a path of a
 * regular file that had no symlink in it a moment ago. -EXDEV, -EINVAL,
 * -ELOOP as px_tree_stat_file; -EAGAIN if a link stopped being one. */
int px_tree_resolve(struct px_tree *t, const char *path, char **ret);

#endif
