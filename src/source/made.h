/* SPDX-License-Identifier: MIT */
#ifndef PX_SOURCE_MADE_H
#define PX_SOURCE_MADE_H
/*
 * The files that px_tree_put has put into a tree, and the directories that they
 * need and SOURCE has not. They are kept in memory.
 *
 * Threads: any, once px_tree_put is not called any more.
 */

#include "pycfs/tree.h"

struct px_made; /* one file or directory */

struct px_made_set {
	struct px_made **all; /* in byte order of their paths */
	size_t n;
};

void px_made_fini(struct px_made_set *s);

/* Adds one, or replaces that of the same path. A directory has no bytes. 0 or
 * -ENOMEM. */
int px_made_put(struct px_made_set *s, const char *path,
		const struct px_stat *like, const void *data, size_t n,
		bool listed);

/* NULL: there is none of that path. */
const struct px_made *px_made_find(const struct px_made_set *s,
				   const char *path);
const struct px_stat *px_made_stat(const struct px_made *m);

/* Opens a file for reading, at its start. 0; -EINVAL: it is a directory;
 * -errno. */
int px_made_open(const struct px_made *m, int *ret_fd);

/* The next one in directory `dir` that is to be listed, from index *at on,
 * which is moved behind it; NULL: no more. */
const struct px_made *px_made_next(const struct px_made_set *s, const char *dir,
				   size_t *at);
const char *px_made_name(const struct px_made *m); /* the end of its path */

#endif
