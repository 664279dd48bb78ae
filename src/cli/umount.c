/* SPDX-License-Identifier: MIT */
#include "pycfs/bounded.h"
#include "pycfs/verbs.h"
#include "pycfs/term.h"
#include "pycfs/fuse.h"
#include "pycfs/log.h"
#include "pycfs/mountpoint.h"

/* How long the daemon may take to commit its cache. It answers within 5 s
 * (px_cache_flush). */
#define FLUSH_TIMEOUT_MS 8000

static int ask_to_flush(const void *mountpoint, PX_UNUSED void *answer)
{
	return px_fuse_flush(mountpoint);
}

int px_cmd_umount(struct px_opt *o)
{
	enum px_umount how = o->lazy ? PX_UMOUNT_LAZY : PX_UMOUNT_PLAIN;
	const char *mountpoint = o->args[0];
	struct px_why why;

	/* Let the daemon commit its cache first, so that a script which saves
	 * the cache after the unmount saves all of it. With --lazy that would
	 * be no use, because the daemon goes on and may compile more. */
	if (!o->lazy && px_bounded(ask_to_flush, mountpoint, NULL, 0,
				   FLUSH_TIMEOUT_MS) == -ETIMEDOUT) {
		px_log(PX_LOG_WARNING,
		       "%s: its daemon does not answer: unmounted all the "
		       "same, and what it compiled last may be missing from "
		       "the cache",
		       mountpoint);
		how = PX_UMOUNT_FORCE;
	}
	if (px_mountpoint_umount(mountpoint, how, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	return 0;
}
