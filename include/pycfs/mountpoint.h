/* SPDX-License-Identifier: MIT */
#ifndef PX_MOUNTPOINT_H
#define PX_MOUNTPOINT_H
/*
 * Checks the directory MOUNTPOINT before a mount, and unmounts. All of it is
 * done from outside the daemon, which may be dead or not answer.
 *
 * Threads: the main thread, and no other thread may run, because it forks.
 * Functions with a `why` put a sentence there if they return an error.
 */

#include "pycfs/mounts.h"

/*
 * Checks that the view of `source` can be mounted on `mountpoint`: both are
 * directories, `mountpoint` is empty (unless `nonempty`), neither is inside the
 * other, and `source` is not itself the view of a directory that contains
 * `mountpoint`. If a view whose daemon is dead is still mounted there, it is
 * unmounted first.
 *
 * Returns 0, and in *ret_source and *ret_mountpoint absolute paths without
 * symlinks, which the caller frees. Otherwise -ENOENT, -ENOTDIR, -ENOTEMPTY;
 * -EINVAL if one is inside the other; -EBUSY if a view is mounted there
 * already; or another -errno. Blocks for at most 10 s if the daemon of a view
 * that is mounted there does not answer, and then returns -EBUSY.
 */
int px_mountpoint_check(const char *source, const char *mountpoint,
			bool nonempty, char **ret_source, char **ret_mountpoint,
			struct px_why *why);

enum px_umount {
	PX_UMOUNT_PLAIN, /* fails with -EBUSY if the mount is in use */
	PX_UMOUNT_LAZY,	 /* detaches the mount: processes that use it go on,
			  * and no other process can reach it any more */
	PX_UMOUNT_FORCE, /* as LAZY, but first aborts the connection between
			  * the kernel and the daemon, so that requests that
			  * wait for the daemon fail */
};

/*
 * Unmounts the topmost mount on `mountpoint`, if that is a view of pycfs.
 * Neither asks the daemon anything nor waits for its end. Runs fusermount3 if
 * this process may not call umount(2), and waits for it.
 *
 * Returns 0, or -errno: -ENOENT if nothing is mounted there, or fusermount3 is
 * not installed; -EINVAL if it is no mount of pycfs; -EBUSY if it is in use;
 * -EPERM if fusermount3 refuses.
 */
int px_mountpoint_umount(const char *mountpoint, enum px_umount how,
			 struct px_why *why);

/* Finds out which mount is the topmost on `mountpoint` now, so that
 * px_mountpoint_remove can find it again. Returns 0 or -errno. */
int px_mountpoint_identify(const char *mountpoint, struct px_mount_id *ret);

/*
 * Detaches the mount `id` and no other, wherever it is now: directories above
 * it may have been renamed. With `force` the connection to its daemon is
 * aborted first, as by PX_UMOUNT_FORCE. Runs fusermount3 if need be, and waits
 * for it.
 *
 * Returns 1 if the mount was detached, 0 if there is no such mount any more, or
 * -errno: -EBUSY if something else is mounted on top of it, and otherwise as
 * px_mountpoint_umount.
 */
int px_mountpoint_remove(const struct px_mount_id *id, bool force,
			 struct px_why *why);

#endif
