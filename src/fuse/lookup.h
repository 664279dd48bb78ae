/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_LOOKUP_H
#define PX_FUSE_LOOKUP_H

#include "mount.h"

/* Looks up entry `e` of directory `dir`, but only with what is cached: nothing
 * is compiled or read. 0 with *ret filled and one lookup counted, which the
 * kernel will take back with FORGET; -EINPROGRESS: the request has to wait for
 * a compile; or another -errno. */
int px_fuse_enter_cached(struct px_fuse *f, const struct px_inode *dir,
			 const struct px_entry *e,
			 struct fuse_entry_param *ret);

void px_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void px_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void px_op_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets);
void px_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void px_op_readlink(fuse_req_t req, fuse_ino_t ino);

#endif
