/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_IOCTL_H
#define PX_FUSE_IOCTL_H
/*
 * What other processes ask a mount with ioctl(2) on a directory of it: its
 * counters, and to commit its cache. ioctl.c has both ends, px_op_ioctl in
 * the daemon and px_fuse_query and px_fuse_flush (pycfs/fuse.h) in who asks.
 */

#include "mount.h"

void px_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
		 struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		 size_t in_size, size_t out_size);

#endif
