/* SPDX-License-Identifier: MIT */
#ifndef PX_TEMP_H
#define PX_TEMP_H
/*
 * A file or directory that is written under a temporary name beside its
 * destination and then takes its place, at once. Whatever ends the process
 * before that, the destination is as it was; what is left is removed by the
 * next one with the same destination.
 *
 * The temporary name is ".NAME.pycfs-" and six letters, and is locked
 * (flock(2)) while its process lives.
 *
 * Threads: one at a time.
 */

#include "pycfs/util.h"

struct px_temp {
	int parent; /* directory of both names */
	int lock;   /* the temporary thing itself, locked; negative: none */
	bool is_dir;
	char *name;   /* NULL once renamed, or before it is made */
	char *target; /* in parent */
	bool force;
};

/* Makes an empty file (0666 as the umask says) or directory (0700 until it is
 * finished) beside `dest`, open as t->lock. `force`: a directory that is not
 * empty may be replaced. -EEXIST: it may not, or `dest` is of another type;
 * -errno; with a sentence in `why`. Call px_temp_fini in any case. */
int px_temp_make(struct px_temp *t, const char *dest, bool is_dir, bool force,
		 struct px_why *why);
/* Puts it into its place. Files are synced first. */
int px_temp_commit(struct px_temp *t, struct px_why *why);
/* Makes a directory of mode 0700 and opens it. -ENOTDIR: what is there by then
 * is none, or not the user's own and closed to others; -errno. */
int px_temp_mkdir(int parent, const char *name, int *ret_fd);
void px_temp_fini(struct px_temp *t); /* removes it if it still is there */

#endif
