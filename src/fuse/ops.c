/* SPDX-License-Identifier: MIT */
#include "ops.h"
#include "dir.h"
#include "file.h"
#include "ioctl.h"
#include "lookup.h"
#include "mount.h"

/* Extended attributes have no operations on purpose: the kernel takes the first
 * ENOSYS for an answer to all later requests. */
const struct fuse_lowlevel_ops px_fuse_ops = {
	.init = px_op_init,
	.lookup = px_op_lookup,
	.forget = px_op_forget,
	.forget_multi = px_op_forget_multi,
	.getattr = px_op_getattr,
	.readlink = px_op_readlink,
	.opendir = px_op_opendir,
	.readdir = px_op_readdir,
	.readdirplus = px_op_readdirplus,
	.releasedir = px_op_releasedir,
	.open = px_op_open,
	.read = px_op_read,
	.release = px_op_release,
	.statfs = px_op_statfs,
	.ioctl = px_op_ioctl,
};
