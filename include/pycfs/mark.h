/* SPDX-License-Identifier: MIT */
#ifndef PX_MARK_H
#define PX_MARK_H
/*
 * What a view has to know of the entries of a directory and their names alone
 * do not say: which links lose a module, and which files are scripts. It is
 * found out here and marked in the listing.
 *
 * Threads: any; px_owners has a lock of its own. Blocks while the file system
 * does.
 */

#include "pycfs/tree.h"

/* Whether Python's import would look for a file of this name: X.py, X.pyc, or a
 * native module such as X.so or X.cpython-312-x86_64-linux-gnu.so. Libraries
 * (libX.so) and names that begin with a dot are none. */
bool px_mark_is_module(const char *name);

/* Sets `lost` of each symlink of the directory `dir` that a module, or a
 * directory with modules, is lost to, because it leads out of SOURCE, nowhere
 * or in a circle. A link that leads out of SOURCE and may be a package counts
 * if modules are found in the directory that it leads to; one that leads
 * nowhere, if its name could be a package's and others beside it are modules.
 * `lost` is a static string. Returns 0 or -ENOMEM. */
int px_mark_lost(struct px_tree *t, const char *dir, struct px_listing *l);

/* Which paths the RECORDs of a tree own. A RECORD is read when it is first
 * needed, and again when a directory beside it has come or gone. */
struct px_owners;

int px_owners_new(struct px_owners **ret); /* -ENOMEM */
void px_owners_free(struct px_owners *o);  /* NULL is fine */

/* Sets `is_script` of each X.py of the directory `dir` that somebody may
 * execute, that begins with "#!", and that no RECORD owns. A file that cannot
 * be read is not marked. Returns 0 or -ENOMEM. */
int px_mark_scripts(struct px_owners *o, struct px_tree *t, const char *dir,
		    struct px_listing *l);

#endif
