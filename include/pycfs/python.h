/* SPDX-License-Identifier: MIT */
#ifndef PX_PYTHON_H
#define PX_PYTHON_H
/*
 * Which Python compiles: finds the interpreter that the user asks for, its
 * exact version, and what workers run: the libpython that compiles as that
 * interpreter would, or the interpreter's own program.
 *
 * Threads: one at a time. Blocks while an interpreter answers, 10 s at most for
 * each that is asked.
 */

#include "pycfs/util.h"

/* What a worker takes its Python from. */
enum px_python_worker {
	PX_PYTHON_AUTO, /* libpython if one can be used, else the interpreter */
	PX_PYTHON_LIBPYTHON,
	PX_PYTHON_INTERPRETER,
};

struct px_python {
	char *executable; /* absolute path; NULL: the build's own libpython is
			   * used */
	/* At least one of these two is there. */
	char *libpython; /* path or soname for dlopen; NULL: not used */
	/* Absolute path of the program, no link and no script, that workers run
	 * in if libpython is NULL or cannot be used; NULL: none may. */
	char *interpreter;
	char *home;	 /* for PYTHONHOME: sys.base_prefix, and after a colon
			  * sys.base_exec_prefix if that is another */
	char *version;	 /* sys.version, one line */
	char *cache_tag; /* sys.implementation.cache_tag */
	char *canary;	 /* what its compiler makes of a given text, as a
			  * digest (canary.py): 16 hexadecimal digits */
	uint32_t magic;	 /* le32 of importlib.util.MAGIC_NUMBER */
	uint32_t hexversion;
	bool free_threaded; /* a build without the global interpreter lock */
};

/* What px_python_find is asked. All of it stays the caller's. */
struct px_python_query {
	const char *spec;
	const char *const *avoid;
	const char *compiler;
	enum px_python_worker worker;
};

/*
 * Finds a Python for the members of `q`. `spec` is a path (it has a slash), a
 * program's name ("python3.12"), a version ("3.12", "3.12.1"; "3.14t" is a
 * free-threaded build, which the others do not match), or NULL for python3 of
 * PATH, and if there is none, for the libpython that this build was made with,
 * which `compiler`, the path of pycfs-compiler, is asked about. A version is
 * looked for in PATH, then among those that uv, mise, asdf, pyenv and conda
 * have installed, of which the newest that fits is taken: only from places
 * where nobody but root and the caller can write.
 *
 * `avoid` is NULL if the user has named the Python. Otherwise it is a list of
 * absolute paths of directories that ends with NULL, and `spec` is a version or
 * NULL: no interpreter is run that lies in one of them or is a link into one of
 * them, nor one of an entry of PATH that is not absolute; for a version, no
 * interpreter of any venv, as the one that it was made from is as good.
 *
 * `worker` decides which of px_python.libpython and .interpreter are set.
 *
 * Returns 0 (free *ret with px_python_free), or with a sentence in `why`:
 * -ENOENT: there is no such interpreter; -ELIBACC: it has no libpython, or its
 * program can hold no worker, and `worker` needs that; -EPROTONOSUPPORT: it is,
 * or would be, older than 3.8 (free-threaded: than 3.14) or no CPython; -EPERM:
 * other users could exchange it; -ETIMEDOUT; -EIO: it ran, but its answer makes
 * no sense; -ENOMEM.
 */
int px_python_find(const struct px_python_query *q, struct px_python **ret,
		   struct px_why *why);
void px_python_free(struct px_python *p); /* NULL is fine */
void px_python_freep(struct px_python **p);

/* "3.12.1", into `buf`. */
const char *px_python_short(const struct px_python *p, char *buf, size_t n);

/* Where it is, for messages: the path of the interpreter, or that of libpython
 * if there is no interpreter. `p` owns it. */
const char *px_python_path(const struct px_python *p);

/* The file that workers take their Python from at first. `p` owns it. */
const char *px_python_file(const struct px_python *p);

/* The path of pycfs-compiler: beside this program, in libexec of its prefix, or
 * where it was installed. *ret is the caller's. -ENOENT. */
int px_python_compiler(char **ret, struct px_why *why);

#endif
