/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_NODE_H
#define PX_FUSE_NODE_H
/*
 * A node in the kernel's terms: its file type, its stat and, if it is a
 * directory, its view.
 */

#include "mount.h"

/* S_IFDIR, S_IFLNK or S_IFREG. */
mode_t px_fuse_type(enum px_kind kind);
/* `number` becomes st_ino. */
void px_fuse_stat(const struct px_attr *a, uint64_t number, struct stat *ret);
/* The -errno of a request for module `m`, or 0. A module that does not compile
 * is -EIO, although asking for it succeeded (err == 0). */
int px_fuse_module_errno(int err, const struct px_module *m);

/* px_inodes_get, but -ENOTDIR if the node is no directory. */
int px_fuse_dir(struct px_fuse *f, fuse_ino_t ino, struct px_inode *ret);
/* The view of directory `dir` as it is now: the one that its node has cached,
 * or a new one if the directory has changed since. The caller owns the
 * reference. May read the directory. */
int px_fuse_view(struct px_fuse *f, const struct px_inode *dir,
		 struct px_view **ret);

#endif
