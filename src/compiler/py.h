/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_PY_H
#define PX_COMPILER_PY_H
/*
 * The target's Python inside this process. libpython is loaded at run time, or
 * the process is a Python's (takeover.c); it is used through the stable ABI
 * only, so that one binary serves every version.
 *
 * Threads: one. There can be only one Python in a process.
 */

#include "pycfs/frame.h"

struct py;

struct py_options {
	/* One of these two is NULL. */
	const char *libpython;	 /* path or soname for dlopen */
	const char *interpreter; /* the path of this process's program, which
				  * is that of a Python */
	/* PYTHONHOME. NULL: px_py_start sets it to the prefix that libpython
	 * is installed in, if it finds the standard library there. */
	const char *home;
	bool debug_ranges; /* keep columns in line tables (3.11 and later) */
	bool compileall;   /* import compileall first: up to 3.10 that shows
			      in the bytes */
	bool analyse;	   /* px_py_compile finds risks (analysis.py) instead */
};

/* Loads and initialises Python; clears the environment before. No other user
 * may be able to write to the current directory, as CPython looks around in it
 * for its library (pyvenv.cfg, pybuilddir.txt). -errno with a sentence in
 * `why`; but some failures in Py_InitializeEx end the process with CPython's
 * own message on stderr. */
int px_py_start(struct py_options *o, struct py **ret, struct px_why *why);

/* What this Python is: every member of the hello frame but `sandboxed`. Strings
 * live as long as `py`, as does the cache tag. */
void px_py_describe(const struct py *py, struct px_frame_hello *ret);
const char *px_py_cache_tag(const struct py *py);

/* Compiles one module; ret->data is valid until the next call. Returns 0 with
 * a result of any status, or -ENOMEM. */
int px_py_compile(struct py *py, const struct px_frame_compile *task,
		  struct px_frame_result *ret);

#endif
