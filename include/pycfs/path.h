/* SPDX-License-Identifier: MIT */
#ifndef PX_PATH_H
#define PX_PATH_H
/*
 * Paths as text: nothing here asks the file system but px_path_inside.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

/* "dir/name"; if one of the two is "", the other alone. The caller frees it.
 * NULL: no memory. */
char *px_path_join(const char *dir, const char *name);

/* What follows the last slash; all of `path` if it has none. It points into
 * `path`. */
const char *px_path_name(const char *path);

/* The bytes of `path` before its last slash; 0 if it has none. */
size_t px_path_parent_length(const char *path);

/* A copy of those bytes, which the caller frees. NULL: no memory. */
char *px_path_parent(const char *path);

/* Whether `name` ends in `suffix` and has something before it: a file named
 * just ".py" is not one whose name ends in ".py". */
bool px_ends_in(const char *name, const char *suffix);

/* Whether `path`, absolute and without links, is the directory `dir` or below
 * it, under whatever name: a bind mount of it is the same directory. False if
 * there is no `dir`. */
bool px_path_inside(const char *path, const char *dir);

#endif
