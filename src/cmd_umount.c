/* SPDX-License-Identifier: MIT */
#include "pycfs/cmd.h"
#include "pycfs/fuse.h"
#include "pycfs/mountpoint.h"

int px_cmd_umount(struct px_opt *o)
{
	struct px_why why;

	/* So that whoever saves the cache after us finds all of it there. A
	 * mount that cannot answer is unmounted all the same. */
	px_fuse_flush(o->args[0]);
	if (px_mountpoint_umount(o->args[0], o->lazy, &why) < 0)
		return px_cmd_fail(PX_EXIT_FAILED, &why);
	return 0;
}
