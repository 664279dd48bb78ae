/* SPDX-License-Identifier: MIT */
#ifndef PX_MOUNTS_H
#define PX_MOUNTS_H
/*
 * The mounts of this mount namespace, as /proc/self/mountinfo lists them
 * (proc(5)), and the mount that a descriptor is on. No function here sends a
 * request to a mounted file system, so a mount whose daemon is dead or does not
 * answer cannot block it.
 *
 * Threads: any. Blocks for reading /proc only.
 */

#include "pycfs/util.h"

/* The file system type of pycfs mounts in mountinfo. */
#define PX_MOUNT_TYPE "fuse.pycfs"

/* One line of mountinfo. The strings are valid only during the call that
 * receives the struct. */
struct px_mount {
	int id;		    /* the kernel reuses it after unmounting */
	unsigned minor;	    /* of the device; FUSE has major number 0 */
	dev_t dev;	    /* st_dev of the files in the mount */
	const char *path;   /* mount point, with escapes decoded */
	const char *source; /* of a pycfs mount: SOURCE, absolute */
	bool is_pycfs;
};

/* Calls `visit` for each mount, in the order of mountinfo, in which a mount
 * that covers another one comes after it. It stops when `visit` returns a value
 * other than 0, and returns that value. Otherwise it returns 0, or -errno if
 * mountinfo cannot be opened. */
int px_mounts_each(int (*visit)(void *arg, const struct px_mount *m),
		   void *arg);

/* Whether a pycfs mount has the device number `dev`. Returns 0, 1 or -errno. */
int px_mounts_is_pycfs(dev_t dev);

/* Identifies a mount. `unique` is an id that the kernel never reuses (since
 * Linux 6.8); it is 0 on older kernels, where only the reusable `id` is
 * available. */
struct px_mount_id {
	uint64_t unique;
	int id;
};

/* Determines the mount that `fd` is on; a descriptor opened with O_PATH will
 * do. Returns 0, -ENODATA if the kernel does not tell (before Linux 3.15), or
 * -errno. */
int px_mount_id_of(int fd, struct px_mount_id *ret);
bool px_mount_id_equal(const struct px_mount_id *a,
		       const struct px_mount_id *b);

/* Returns in *ret the device number of the entry `name` of the directory
 * `dirfd`, or of `dirfd` itself if `name` is "". A symlink is not followed. If
 * `name` is a mount point, it is the device of the mounted file system. Returns
 * 0 or -errno. */
int px_mounts_device(int dirfd, const char *name, dev_t *ret);

#endif
