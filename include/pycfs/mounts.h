/* SPDX-License-Identifier: MIT */
#ifndef PX_MOUNTS_H
#define PX_MOUNTS_H
/*
 * What is mounted in this mount namespace: /proc/self/mountinfo (proc(5)), and
 * which mount a descriptor is on. Nothing here ever asks a file system
 * anything, so that a mount whose daemon is dead or does not answer cannot
 * hold it up.
 *
 * Threads: any. Blocks on /proc alone.
 */

#include "pycfs/util.h"

/* The file system type of our mounts, as mountinfo has it. */
#define PX_MOUNT_TYPE "fuse.pycfs"

/* One line of mountinfo. All pointers are borrowed. */
struct px_mount {
	int id;		    /* used again once the mount is gone */
	unsigned minor;	    /* of the device; the major number of FUSE is 0 */
	dev_t dev;	    /* st_dev of what is mounted */
	const char *path;   /* where, without escapes */
	const char *source; /* for our own: SOURCE, absolute */
	bool is_pycfs;
};

/* Calls `visit` for each mount in the order of mountinfo, in which what covers
 * another mount comes after it, until it returns something else than 0.
 * Returns that, 0, or -errno of reading. */
int px_mounts_each(int (*visit)(void *arg, const struct px_mount *m),
		   void *arg);

/* Whether a pycfs mount has the device number `dev`. 0, 1, or -errno. */
int px_mounts_is_pycfs(dev_t dev);

/* Which mount it is. `unique` is never used again (Linux 6.8); 0 where the
 * kernel has no such number, and then `id` alone tells. */
struct px_mount_id {
	uint64_t unique;
	int id;
};

/* The mount that `fd` is on; O_PATH is enough. 0 or -errno. */
int px_mount_id_of(int fd, struct px_mount_id *ret);
bool px_mount_id_equal(const struct px_mount_id *a,
		       const struct px_mount_id *b);

/* The device of `name` in directory `dirfd`, or of `dirfd` itself if `name` is
 * "": a symlink is not followed. Where something is mounted, the device of
 * that. 0 or -errno. */
int px_mounts_device(int dirfd, const char *name, dev_t *ret);

#endif
