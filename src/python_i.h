/* SPDX-License-Identifier: MIT */
#ifndef PX_PYTHON_I_H
#define PX_PYTHON_I_H
/*
 *   python.c       asks an interpreter what it is
 *   python_find.c  which interpreters to ask
 */

#include "pycfs/python.h"

/* Asks `program`, a path or a name to look for in PATH. `spec` is the version
 * that it must have ("3.12", "3.12.1", "3.14t"), or NULL. Errors, blocking and
 * *ret are those of px_python_find; -ENOENT also if it is another version. */
int px_python_ask(const char *program, const char *spec, struct px_python **ret,
		  struct px_why *why);

/* No python3 anywhere: the libpython that this build was made with. */
int px_python_ask_build(const char *compiler, struct px_python **ret,
			struct px_why *why);

#endif
