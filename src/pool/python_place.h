/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_PYTHON_PLACE_H
#define PX_POOL_PYTHON_PLACE_H
/*
 * Where interpreters lie, and which of them must not be run because of that.
 *
 * `avoid` is a list of absolute paths of directories that ends with NULL: what
 * lies at or below one of them is not run. If the list itself is NULL, the user
 * has named the interpreter, and nothing is avoided.
 *
 * Threads: any. Calls block only while the file system does.
 */

#include <limits.h>
#include <stdbool.h>

/*
 * Whether the program `path` lies in one of the directories, or, with `venvs`,
 * is that of a venv; or is a symbolic link that leads to its file by way of
 * such a place. True also if that cannot be found out.
 */
bool px_place_avoided(const char *path, const char *const *avoid, bool venvs);

/*
 * Finds the program `name`: a path if it has a slash, otherwise the first
 * program of that name in PATH that is not to be avoided; then entries of PATH
 * that are not absolute are passed over. Stores its absolute path, in which
 * links are left as they are. Returns 0, -ENOENT, -ENAMETOOLONG, or the -errno
 * of getcwd(3).
 */
int px_place_find(const char *name, const char *const *avoid, bool venvs,
		  char ret[PATH_MAX]);

#endif
