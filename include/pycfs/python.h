/* SPDX-License-Identifier: MIT */
#ifndef PX_PYTHON_H
#define PX_PYTHON_H
/*
 * Which Python compiles: from what the user said to an interpreter, its exact
 * version and the libpython that compiles as it would.
 *
 * Threads: one at a time. Blocks while the interpreter answers (10 s at most).
 */

#include "pycfs/util.h"

struct px_python {
	char *executable; /* NULL when the build's own libpython is used */
	char *libpython;  /* path or soname for dlopen */
	char *home;	  /* for PYTHONHOME: sys.base_prefix */
	char *version;	  /* sys.version, one line */
	char *cache_tag;  /* sys.implementation.cache_tag */
	uint32_t magic;	  /* le32 of importlib.util.MAGIC_NUMBER */
	uint32_t hexversion;
};

/*
 * Finds a Python. `spec` is a path (it has a slash), a program name
 * ("python3.12"), a version ("3.12", "3.12.1"; "3.14t" is a free-threaded
 * build and no other), or NULL for python3 of PATH.
 * `compiler` is the path of pycfs-compiler, asked where there is no python3.
 * Versions are looked for in PATH, then among those that uv, mise, asdf, pyenv
 * and conda have installed, the newest that fits: only where nobody but root
 * and the caller can write.
 *
 * Returns 0 (free with px_python_free), or with a sentence in `why`: -ENOENT
 * no such interpreter, -ELIBACC it has no libpython, -EPROTONOSUPPORT older
 * than 3.8 (free-threaded: than 3.14) or not CPython, there or not; -EPERM
 * others could exchange it, -ETIMEDOUT, -EIO it ran but made no sense.
 */
int px_python_find(const char *spec, const char *compiler,
		   struct px_python **ret, struct px_why *why);
void px_python_free(struct px_python *p); /* NULL is fine */
void px_python_freep(struct px_python **p);

/* "3.12.1", into `buf`. */
const char *px_python_short(const struct px_python *p, char *buf, size_t n);

/* Where pycfs-compiler is: beside this program, in libexec of its prefix, or
 * where it was installed. *ret is the caller's. */
int px_python_compiler(char **ret, struct px_why *why);

#endif
