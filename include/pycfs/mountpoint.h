/* SPDX-License-Identifier: MIT */
#ifndef PX_MOUNTPOINT_H
#define PX_MOUNTPOINT_H
/*
 * The directory that is mounted on, seen from outside the daemon.
 */

#include "pycfs/mounts.h"

/*
 * Checks that MOUNTPOINT can take the view of SOURCE: both are directories,
 * MOUNTPOINT is empty (unless `nonempty`), neither is inside the other, and
 * SOURCE is not the view of a directory that has MOUNTPOINT in it. A mount
 * whose daemon is dead is taken away first; one whose daemon does not answer
 * is refused after 10 s. On 0, *ret_source and *ret_mountpoint are absolute,
 * without symlinks, and the caller's. No threads may run.
 */
int px_mountpoint_check(const char *source, const char *mountpoint,
			bool nonempty, char **ret_source, char **ret_mountpoint,
			struct px_why *why);

enum px_umount {
	PX_UMOUNT_PLAIN, /* -EBUSY if it is in use */
	PX_UMOUNT_LAZY,	 /* who uses it goes on, and nobody new finds it */
	PX_UMOUNT_FORCE, /* the connection to its daemon is ended before: who
			  * waits for it gets an error */
};

/* Unmounts what is mounted last on `mountpoint`, a pycfs mount and nothing
 * else. Does not wait for the daemon. Needs fusermount3 unless it may call
 * umount(2). */
int px_mountpoint_umount(const char *mountpoint, enum px_umount how,
			 struct px_why *why);

/* Which mount lies on `mountpoint` now, for px_mountpoint_remove. 0, -errno. */
int px_mountpoint_identify(const char *mountpoint, struct px_mount_id *ret);

/* Detaches the mount `id`, wherever it is by now, and no other. `force` as
 * above. 1: done, 0: there is no such mount any more; -errno, with `why`. */
int px_mountpoint_remove(const struct px_mount_id *id, bool force,
			 struct px_why *why);

#endif
