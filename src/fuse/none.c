/* SPDX-License-Identifier: MIT */
/*
 * In place of all the other files here but inode*.c in a build without libfuse
 * (-Dfuse=disabled).
 */
#include "pycfs/fuse.h"

bool px_fuse_is_built(void)
{
	return false;
}

int px_fuse_mount(const struct px_fuse_options *o PX_UNUSED,
		  struct px_fuse **ret PX_UNUSED, struct px_why *why)
{
	return px_because(why, -ENOSYS, "this pycfs was built without FUSE");
}

int px_fuse_loop(struct px_fuse *f PX_UNUSED)
{
	return -ENOSYS;
}

void px_fuse_unmount(struct px_fuse *f PX_UNUSED)
{
}

int px_fuse_query(const char *mountpoint PX_UNUSED,
		  struct px_fuse_state *ret PX_UNUSED)
{
	return -ENOTTY;
}

int px_fuse_flush(const char *mountpoint PX_UNUSED)
{
	return -ENOTTY;
}
