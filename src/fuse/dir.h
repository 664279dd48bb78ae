/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_DIR_H
#define PX_FUSE_DIR_H

#include "mount.h"

void px_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void px_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi);
void px_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi);
void px_op_releasedir(fuse_req_t req, fuse_ino_t ino,
		      struct fuse_file_info *fi);

#endif
