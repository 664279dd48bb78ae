/* SPDX-License-Identifier: MIT */
#ifndef PX_SOURCE_TREE_PATH_H
#define PX_SOURCE_TREE_PATH_H
/*
 * Private to this folder: how a relative path is opened beneath one directory
 * (tree_path.c), where links lead (tree_link.c), and what describes a file.
 *
 * In these functions a path consists of names joined by single slashes, or is
 * "" for SOURCE itself. A name "." or an empty name is -EINVAL, and a name ".."
 * is -EXDEV.
 */

#include "made.h"

#include "pycfs/mounts.h"
#include "pycfs/tree.h"

#include <limits.h>
#include <sys/stat.h>

struct px_tree {
	int fd;	    /* descriptor of SOURCE */
	dev_t dev;  /* device number of SOURCE */
	char *root; /* absolute path of SOURCE without symlinks */
	/* The absolute path by which the user named SOURCE, in which there may
	 * be symlinks; links may call it so. The same as `root` if it has "..",
	 * or is relative. */
	char *given;
	/* The directories that px_tree_follow has added, each a tree of its
	 * own, linked by `next`; a root of these has none itself. */
	struct px_tree *roots;
	struct px_tree *next;
	struct px_made_set made; /* of px_tree_put */
	/* True once openat2(2) has turned out to be missing or forbidden; paths
	 * are then opened name by name. Tests set it as well. */
	_Atomic bool walk;
};

/* ---- tree.c ---- */

enum px_type px_type_of(mode_t mode);
/* Describes a file by what the kernel says of it. */
void px_stat_fill(const struct stat *st, struct px_stat *ret);
/* The same for what is open as `fd`. Returns 0 or -errno. */
int px_stat_fd(int fd, struct px_stat *ret);

/* ---- tree_path.c ---- */

/* Returns 0, or -errno if `path` has not the form above or is too long. */
int px_tree_check_path(const char *path);

/* Opens `path` beneath the directory of `t` without following any symlink;
 * O_CLOEXEC is added to `flags`. If the last name is a symlink, it is opened
 * itself with O_PATH, and is -ELOOP otherwise. Returns 0; -EXDEV if `path` is
 * in another pycfs mount below SOURCE, which might show this one, so that a
 * request to it would wait for ourselves; -errno. The caller closes *ret_fd. */
int px_tree_open_beneath(struct px_tree *t, const char *path, int flags,
			 int *ret_fd);

/* Checks that the entry `name` of the directory `dirfd` is not the mount point
 * of a pycfs mount, without a request to that mount. *dev is the device number
 * of `dirfd` on input and that of the entry on output. Returns 0, -EXDEV if it
 * is such a mount point, or -errno. */
int px_tree_cross(int dirfd, const char *name, dev_t *dev);

/* ---- tree_link.c ---- */

/* A path without symlinks, at the time of the call, beneath a tree: SOURCE, or
 * one of the directories of px_tree_follow. */
struct px_place {
	struct px_tree *tree;
	char path[PATH_MAX];
};

/* As px_tree_open_beneath, but what a link into a directory of px_tree_follow
 * leads to is opened as if it stood in the link's place. Any other link is
 * treated as there. */
int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd);

/* lstat(2) of `path`, with the kernel's own struct; likewise. */
int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret);

/* Follows the symlink `path` to its end, whatever that is, and describes it in
 * *ret and *st. Errors: -EXDEV if it leads neither into SOURCE nor into a
 * directory of px_tree_follow; -ELOOP as px_tree_stat_file; -EAGAIN if
 * something that was a symlink no longer is one; -errno. */
int px_tree_resolve(struct px_tree *t, const char *path, struct px_place *ret,
		    struct stat *st);

/* Follows the absolute path `path`, through any links, in a tree of "/". The
 * same errors. */
int px_tree_resolve_absolute(struct px_tree *t, const char *path,
			     struct px_place *ret, struct stat *st);

#endif
