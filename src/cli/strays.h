/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_STRAYS_H
#define PX_CLI_STRAYS_H
/*
 * How export and report tell what is astray (pycfs/stray.h), and when they fail
 * for it.
 *
 * Threads: the main thread.
 */

#include "pycfs/engine.h"
#include "pycfs/stray.h"

#include <stdio.h>

/* Prints a section for each kind. */
void px_strays_print(struct px_strays *s, FILE *to);

/* Prints two members of a JSON object, with a comma before each: "lost" and
 * "strays". Errors are left in the stream. */
void px_strays_print_json(struct px_strays *s, FILE *to);

/* Returns 0, or -ENOLINK with a sentence in `why` if modules are lost to links,
 * or `n_modules`, the number of those that are shipped, is 0 although SOURCE
 * has names of modules. Where the options let that pass, the latter is logged
 * as a warning. `about` begins the sentence. Blocks while it looks for such
 * names. */
int px_strays_check(struct px_engine *e, const struct px_opt *o,
		    const char *about, uint64_t n_modules, struct px_why *why);

#endif
