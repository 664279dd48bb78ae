/* SPDX-License-Identifier: MIT */
#ifndef PX_PATH_H
#define PX_PATH_H
/*
 * Paths. They are taken as text, but by the functions that say that they ask
 * the file system.
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

/* Splits `path` into the directory that has it and its name there, as
 * dirname(1) and basename(1) do: "a" is in ".", "/a" in "/", and slashes at the
 * end do not count. The caller frees both. 0, -ENOMEM. */
int px_path_split(const char *path, char **ret_parent, char **ret_name);

/* Whether a name is one that something can be given: not "", "." or "..". */
bool px_path_is_name(const char *name);

/* `path` with its directory made absolute and free of links; its name, which
 * need not exist, stays as it is. The caller frees it. NULL: the directory is
 * not there, or it is no name to give. Asks the file system, and may block. */
char *px_path_real_parent(const char *path);

/* Whether `name` ends in `suffix`, or is just that. */
bool px_ends_in(const char *name, const char *suffix);

/* Whether `path`, absolute and without links, is the directory `dir` or below
 * it, under whatever name: a bind mount of it is the same directory. False if
 * there is no `dir`. */
bool px_path_inside(const char *path, const char *dir);

#endif
