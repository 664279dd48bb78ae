/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_PY_H
#define PX_COMPILER_PY_H
/*
 * The target's Python inside this process: libpython found at run time, used
 * through the stable ABI only, so that one binary serves every version.
 *
 * Threads: one. Process-wide by nature: one Python per process.
 */

#include "pycfs/frame.h"

struct py;

struct py_options {
	const char *libpython; /* path or soname for dlopen */
	const char *home;      /* PYTHONHOME; NULL: px_py_start sets it to where
				  libpython lies, if it can tell */
	bool debug_ranges; /* keep columns in line tables (3.11 and later) */
	bool compileall;   /* import what `python -m compileall` does: up to
			      3.10 that shows in what is compiled */
	bool analyse;	   /* px_py_compile finds risks (risks.py) instead */
};

/* Loads and initialises Python, with nothing of this process's environment. The
 * current directory must be one that nobody else can write: CPython looks
 * around in it for its library (pyvenv.cfg, pybuilddir.txt). What goes wrong is
 * a sentence in `why`; some failures inside Py_InitializeEx end the process
 * with CPython's own message on stderr. */
int px_py_start(struct py_options *o, struct py **ret, struct px_why *why);

/* What this Python is. Strings live as long as `py`. */
void px_py_describe(const struct py *py, struct px_frame_hello *ret);
const char *px_py_cache_tag(const struct py *py);

/* Compiles one module; ret->data is valid until the next call. Returns 0 with
 * a result of any status, or -ENOMEM. */
int px_py_compile(struct py *py, const struct px_frame_compile *task,
		  struct px_frame_result *ret);

#endif
