/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_FILE_H
#define PX_FUSE_FILE_H

#include "mount.h"

void px_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void px_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void px_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
