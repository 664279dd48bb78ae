/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_H
#define PX_FUSE_H
/*
 * The view as a mounted file system, over libfuse's low-level interface.
 *
 * Invariants: every request gets exactly one reply. No FUSE thread waits for a
 * compile: the request is parked and answered by the completion's callback.
 * Owns: <fuse_lowlevel.h>.
 */

#include "pycfs/content.h"

struct px_fuse;

struct px_fuse_options {
	struct px_tree *tree;
	struct px_content *content;
	struct px_stats *stats;
	const char *mountpoint;
	const char *mount_options; /* for libfuse, comma separated; "" */
	enum px_on_error on_error;
	bool has_rules; /* so there may be generated __pycache__ directories */
	bool immutable; /* the source does not change: cache without end */
	bool debug;
};

/* Mounts. On failure nothing is left mounted and `why` says why. */
int px_fuse_mount(const struct px_fuse_options *o, struct px_fuse **ret,
		  struct px_why *why);

/* Serves until unmounted or until SIGTERM, SIGINT or SIGHUP, for which it
 * installs handlers and which it unblocks. 0 or -errno. */
int px_fuse_loop(struct px_fuse *f);

/* Unmounts (lazily if busy). Parked requests must have been answered: stop
 * the pool first. NULL is fine. */
void px_fuse_unmount(struct px_fuse *f);

/* Reads the counters of the daemon behind `mountpoint`. -ENOTTY if it is no
 * pycfs mount. Every process that may open the mount may ask. This and
 * px_fuse_flush block for as long as the daemon does not answer; bounded.h is
 * for callers that cannot afford that. */
int px_fuse_query(const char *mountpoint, uint64_t ret[PX_N_COUNTERS]);

/* Asks that daemon to commit what it compiled to its cache, for which it takes
 * 5 s at most: -EAGAIN if that was not enough. -ENOTTY if it is no pycfs mount;
 * -EPERM unless the caller is root or mounted it. */
int px_fuse_flush(const char *mountpoint);

#endif
