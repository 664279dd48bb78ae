/* SPDX-License-Identifier: MIT */
#ifndef PX_CHOOSE_H
#define PX_CHOOSE_H
/*
 * Chooses SOURCE and the Python, as far as the user leaves that to pycfs, and
 * says what was chosen.
 *
 * The Python is the one that --python names; else that of the version that
 * SOURCE is for, as venv.h finds it; else python3 of PATH. SOURCE may be
 * hostile: unless --python names it, no interpreter is run that lies in SOURCE,
 * in the venv of SOURCE or in the project in which SOURCE was found.
 *
 * Threads: one thread at a time.
 */

#include "pycfs/opt.h"
#include "pycfs/python.h"
#include "pycfs/tree.h"

#include <stdio.h>

/*
 * If the argument SOURCE of `o` (the first one) is a venv, or a project with a
 * venv that is called .venv, puts the site-packages of that in its place, sets
 * o->found_in, and says so in the log. A rule that excludes .venv keeps a
 * project as it is. Then removes the rules whose condition does not hold there,
 * and says what those of the profile are for. Returns 0, or -errno with a
 * sentence in `why`: an error of px_venv_site. Blocks only while the file
 * system does.
 */
int px_choose_source(struct px_opt *o, struct px_why *why);

/* A Python, and why that one. Must be all zero before px_choose_python. */
struct px_choice {
	struct px_python *python;
	char *because; /* as a sentence without a full stop: "--python 3.12", or
			* "/v/pyvenv.cfg says Python 3.12" */
};

/*
 * Chooses the Python for `source`, an absolute path without symlinks, and if
 * --python did not name it, says in the log which and why. Returns 0, or -errno
 * with a sentence in `why`: an error of px_python_find or of px_venv_find. In
 * any case call px_choice_fini. Blocks as px_python_find does.
 */
int px_choose_python(const struct px_opt *o, const char *source,
		     const char *compiler, struct px_choice *ret,
		     struct px_why *why);
void px_choice_fini(struct px_choice *c);

/* Writes the members "python" (its version, such as "3.12.1"),
 * "python_executable" (the path of the interpreter, or that of the libpython
 * that pycfs was built with) and "python_because" of a JSON object, with commas
 * between them. Errors are left in the stream, for ferror(3). */
void px_choice_print_json(const struct px_choice *c, FILE *to);

/*
 * Checks that the Python fits the native modules of SOURCE: if they are made
 * for other versions, and none for this one, that is -EPROTONOSUPPORT with a
 * sentence in `why`, but only a warning in the log if --python names this one.
 * Reads directories, at most as many as px_native_look. Otherwise 0 or -ENOMEM.
 */
int px_choose_check(const struct px_opt *o, struct px_tree *tree,
		    const struct px_choice *c, struct px_why *why);

#endif
