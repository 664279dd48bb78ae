/* SPDX-License-Identifier: MIT */
#ifndef PX_TEMP_H
#define PX_TEMP_H
/*
 * A file or directory that is written under a temporary name next to its
 * destination, and then atomically moved there. If the process dies before
 * that, the destination is unchanged, and the next px_temp_make for the same
 * destination removes what was left behind, but for directories that were made
 * above it.
 *
 * The temporary name is ".NAME.pycfs-" and six random characters. The temporary
 * file is locked with flock(2) while its process lives.
 *
 * Threads: a struct px_temp belongs to one thread at a time. All functions
 * access the file system and may block.
 */

#include "pycfs/util.h"

/* The directories above the destination that were missing and were made: `made`
 * is the path of the last one, below the directory open as `base`. NULL: none.
 */
struct px_parents {
	int base;
	char *made;
};

struct px_temp {
	int parent; /* descriptor of the directory with both names */
	/* descriptor of the locked temporary file or directory; negative if
	 * there is none */
	int lock;
	bool is_dir;
	/* temporary name; NULL before it exists and once it has been renamed */
	char *name;
	char *target; /* name of the destination in `parent` */
	bool force;
	struct px_parents parents;
};

/* Creates an empty temporary file (mode 0666 minus the umask) or directory
 * (mode 0700; the caller sets its final mode) next to `dest`, and opens it as
 * t->lock. `force` allows replacing a directory that is not empty. Directories
 * above `dest` that are missing are made, which is logged. Returns 0;
 * -EEXIST if `dest` is not empty and `force` is false, or if it is of another
 * type; -EINVAL if `dest` has no name that can be renamed; -errno. On failure
 * `why` has a sentence. Call px_temp_fini in any case. */
int px_temp_make(struct px_temp *t, const char *dest, bool is_dir, bool force,
		 struct px_why *why);
/* Atomically renames the temporary file or directory to its destination. A file
 * is synced (fsync(2)) first. Returns 0 or -errno with a sentence in `why`. */
int px_temp_commit(struct px_temp *t, struct px_why *why);
/* Creates a directory with mode 0700 and opens it; the caller closes *ret_fd.
 * Returns 0; -errno; -ENOTDIR if what is there when it is opened is no
 * directory, belongs to another user, or is open to others, so that somebody
 * must have replaced the new directory. */
int px_temp_mkdir(int parent, const char *name, int *ret_fd);
/* Removes `path` and all that is in it, without following symlinks. Returns 0
 * or -errno. */
int px_temp_remove(const char *path);
/* Removes the temporary file or directory if it has not been renamed, and the
 * directories that were made for it; closes and frees everything. */
void px_temp_fini(struct px_temp *t);

#endif
