/* SPDX-License-Identifier: MIT */
#ifndef PX_MOUNTPOINT_H
#define PX_MOUNTPOINT_H
/*
 * The directory that is mounted on, seen from outside the daemon.
 */

#include "pycfs/util.h"

/*
 * Checks that MOUNTPOINT can take the view of SOURCE: both are directories,
 * MOUNTPOINT is empty (unless `nonempty`) and neither is inside the other. A
 * mount whose daemon is dead is taken away first. On 0, *ret_source and
 * *ret_mountpoint are absolute, without symlinks, and the caller's.
 */
int px_mountpoint_check(const char *source, const char *mountpoint,
			bool nonempty, char **ret_source, char **ret_mountpoint,
			struct px_why *why);

/* Unmounts a pycfs mount and nothing else. `lazy` detaches it even if busy.
 * Needs fusermount3 unless it may call umount(2). */
int px_mountpoint_umount(const char *mountpoint, bool lazy, struct px_why *why);

/* Unmounts what has no daemon any more: it answers nothing but ENOTCONN. 1: so
 * it was, 0: it was not, -EIO: it is still there. */
int px_mountpoint_clear(const char *mountpoint, struct px_why *why);

#endif
