/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_SCRIPTS_H
#define PX_CLI_SCRIPTS_H
/*
 * The console scripts that --scripts asks for.
 *
 * Threads: the main thread.
 */

#include "pycfs/opt.h"
#include "pycfs/python.h"
#include "pycfs/scripts.h"

#include <stdio.h>

/* Makes them, if the options ask for them, and logs how many there are and
 * which are not made. *ret is the caller's, and stays NULL without --scripts.
 * Errors and blocking are those of px_scripts_make. */
int px_scripts_begin(const struct px_opt *o, struct px_tree *tree,
		     const struct px_python *python, const char *cache_tag,
		     struct px_scripts **ret, struct px_why *why);

/* Prints the members "scripts" and "scripts_left" of a JSON object, with a
 * comma before each; nothing if `s` is NULL. */
void px_scripts_print_json(const struct px_scripts *s, FILE *to);

#endif
