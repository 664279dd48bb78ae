/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_PYTHON_PROBE_H
#define PX_POOL_PYTHON_PROBE_H
/*
 * Asks one interpreter, or one libpython, what it is.
 */

#include "pycfs/python.h"

/* Asks `program`, a path or a name to find in PATH, as px_place_find does.
 * q->spec is the version that it must have ("3.12", "3.12.1", "3.14t"), or
 * NULL; with a version, interpreters of venvs are avoided as well. Errors,
 * blocking and *ret are those of px_python_find; -ENOENT also if it is another
 * version. */
int px_python_ask(const char *program, const struct px_python_query *q,
		  struct px_python **ret, struct px_why *why);

/* Asks the libpython that this build was made with, by way of q->compiler.
 * q->spec must be NULL. */
int px_python_ask_build(const struct px_python_query *q, struct px_python **ret,
			struct px_why *why);

#endif
