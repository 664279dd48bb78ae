/* SPDX-License-Identifier: MIT */
#ifndef PX_TREE_I_H
#define PX_TREE_I_H
/*
 * Inside tree: how a relative path becomes a descriptor (tree_path.c).
 *
 * A path here is names joined by single slashes, "" for SOURCE itself. No
 * name is "." or "..": -EINVAL and -EXDEV.
 */

#include "pycfs/tree.h"

#include <sys/stat.h>

struct px_tree {
	int fd;	    /* SOURCE */
	char *root; /* canonical */
	/* openat2(2) is missing or forbidden: walk name by name. Tests set it
	 * too. */
	_Atomic bool walk;
};

/* Opens `path` without following any symlink, with O_CLOEXEC added to `flags`.
 * With O_PATH a final symlink is opened itself, else it is -ELOOP. */
int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd);

/* lstat of `path`, as the kernel tells it. */
int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret);

/* Where the final symlink of `path` leads: *ret is the caller's, a path of a
 * regular file that had no symlink in it a moment ago. -EXDEV, -EINVAL,
 * -ELOOP as px_tree_stat_file; -EAGAIN if a link stopped being one. */
int px_tree_resolve(struct px_tree *t, const char *path, char **ret);

#endif
