/* SPDX-License-Identifier: MIT */
#include "mount.h"

#include <sys/statvfs.h>

void px_op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct px_fuse *f = userdata;

	conn->want |= conn->capable &
		      (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
		       FUSE_CAP_IOCTL_DIR | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_CACHE_SYMLINKS);
	if (!f->o.immutable)
		return;
	/* Attributes of an immutable source stay valid, so it pays to send them
	 * with every listing and not only when the kernel expects lookups. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	f->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	/* Where modules have to be compiled before a directory can be listed,
	 * OPENDIR is the request that waits for that. */
	f->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) &&
			!px_content_needs_verdicts(f->o.content, PX_KIND_DIR) &&
			!f->o.has_rules;
}

void px_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r = px_tree_statfs(px_fuse_of(req)->o.tree, &st);

	(void)ino;
	if (r == 0)
		fuse_reply_statfs(req, &st);
	else
		fuse_reply_err(req, -r);
}
