/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_MODULES_H
#define PX_REPORT_MODULES_H
/*
 * The modules of SOURCE by the names by which they are imported: those that the
 * layer has, and those that it lacks.
 *
 * Threads: the caller serialises access with a lock of its own.
 */

#include "pycfs/map.h"
#include "pycfs/set.h"

/* All zero: there are none. */
struct px_modules {
	struct px_map hidden;
	struct px_set shipped;
};

struct px_hidden_module {
	struct px_map_node node;
	char *name; /* "a.b" */
	char *rule; /* the one that ships it: "include /a/tests/"; "": none */
};

/* Adds the file `path` (from SOURCE on), if it is one that can be imported.
 * What a rule hides has the path of what that matches, the file itself or a
 * directory above it; NULL: another reason hides it. -ENOMEM. */
int px_modules_add_shipped(struct px_modules *m, const char *path);
int px_modules_add_hidden(struct px_modules *m, const char *path,
			  const char *top, bool top_is_dir);

/* The hidden module with the name that the `n` bytes are, unless the layer has
 * another file for it; else NULL. */
const struct px_hidden_module *px_modules_find_hidden(
	const struct px_modules *m, const char *name, size_t n);
/* Whether the layer has nothing of the top-level package that a name begins
 * with. Then it may come from elsewhere. */
bool px_modules_is_apart(const struct px_modules *m, const char *name);

void px_modules_fini(struct px_modules *m);

#endif
