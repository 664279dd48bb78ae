/* SPDX-License-Identifier: MIT */
#ifndef PX_NATIVE_H
#define PX_NATIVE_H
/*
 * Which Python the native modules of SOURCE are made for, as far as their names
 * say so: X.cpython-312-x86_64-linux-gnu.so runs on 3.12 only. X.abi3.so runs
 * on many versions, and X.so does not say.
 *
 * Threads: any. Blocks only while the file system does.
 */

#include "pycfs/rules.h"
#include "pycfs/tree.h"

/* How many directories px_native_look reads at most. */
#define PX_NATIVE_MAX_DIRS 1000

struct px_native {
	/* The first native module that is made for another Python: its path in
	 * SOURCE, which the caller frees. NULL: there is none. */
	char *other;
	char version[24]; /* what that is made for: "3.12", "3.14t" */
	bool fits;	  /* whether one is made for the Python asked for */
};

/*
 * Looks for native modules that are made for Python 3.`minor` (free-threaded or
 * not), and for those that are made for another one. What the rules exclude is
 * passed over; `rules` may be NULL. Directories are read level by level, SOURCE
 * itself first, until a module fits or PX_NATIVE_MAX_DIRS have been read. A
 * directory that cannot be read has no modules.
 *
 * Returns 0 or -ENOMEM.
 */
int px_native_look(struct px_tree *tree, const struct px_rules *rules,
		   unsigned minor, bool free_threaded, struct px_native *ret);

/* Which Python the file `name` is made for, as px_native.version says it.
 * False if it is no native module, or does not say. */
bool px_native_version(const char *name, char ret[24]);

#endif
