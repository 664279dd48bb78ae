/* SPDX-License-Identifier: MIT */
#ifndef PX_PATH_H
#define PX_PATH_H
/*
 * Functions on paths. A path is treated as text only; the functions that access
 * the file system say so.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

/* Returns "dir/name", or only the other string if one of them is "". The caller
 * frees it. NULL if out of memory. */
char *px_path_join(const char *dir, const char *name);

/* Returns the part of `path` after its last slash, or all of `path` if it has
 * no slash. The result points into `path`. */
const char *px_path_name(const char *path);

/* Returns the number of bytes before the last slash of `path`, or 0 if it has
 * no slash. */
size_t px_path_parent_length(const char *path);

/* Returns a copy of the part before the last slash ("" if there is no slash),
 * which the caller frees. NULL if out of memory. */
char *px_path_parent(const char *path);

/* Splits `path` into its directory and its last name as dirname(1) and
 * basename(1) do: the directory of "a" is ".", that of "/a" is "/", and slashes
 * at the end are ignored. The caller frees both strings. Returns 0 or -ENOMEM.
 */
int px_path_split(const char *path, char **ret_parent, char **ret_name);

/* Whether a file can be created under or renamed to this name, that is, whether
 * it is none of "", "." and "..". */
bool px_path_is_name(const char *name);

/* Returns `path` with its directory part made absolute and free of symlinks (as
 * realpath(3) does). The last name is left as it is and need not exist. The
 * caller frees the result. NULL if the directory does not exist, if the last
 * name is "", "." or "..", or if out of memory. Accesses the file system and
 * may block. */
char *px_path_real_parent(const char *path);

/* Returns `path`, of which the last names may be missing: what is there is made
 * absolute and free of symlinks (as realpath(3) does), and the rest is added as
 * it is. The caller frees the result. NULL if there is a ".." in that rest, or
 * if out of memory. Accesses the file system and may block. */
char *px_path_real_missing(const char *path);

/* Whether `name` ends in `suffix`, or is equal to it. */
bool px_ends_in(const char *name, const char *suffix);

/* Whether `path`, which is absolute and without symlinks, is the directory
 * `dir` or inside it. Directories are compared by device and inode number, so
 * that a bind mount of `dir` counts as `dir`. False if `dir` does not exist;
 * true if out of memory, because callers use this to refuse a path. Accesses
 * the file system and may block. */
bool px_path_inside(const char *path, const char *dir);

#endif
