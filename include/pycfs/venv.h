/* SPDX-License-Identifier: MIT */
#ifndef PX_VENV_H
#define PX_VENV_H
/*
 * Virtual environments (venvs) as they lie on disk: which version of Python a
 * directory is for, and where the site-packages of a venv or a project is.
 *
 * What is read may be hostile. Nothing is executed, no path that is written in
 * a file is used, and of a pyvenv.cfg only the number of a version is taken. A
 * pyvenv.cfg of another user than root, the caller and the owner of SOURCE is
 * ignored, as anybody may put one into /tmp.
 *
 * Threads: any. Calls block only while the file system does.
 */

#include "pycfs/util.h"

/* What is known about a directory. Must be all zero before px_venv_find. */
struct px_venv {
	char *dir; /* absolute path without symlinks of the venv that contains
		    * the directory; NULL: none does */
	/* The version of Python that the directory is for, such as "3.12", or
	 * "3.14t" for a free-threaded one; "": nothing says it. */
	char version[24];
	char *says; /* who says it, as a sentence without a full stop:
		     * "/v/pyvenv.cfg says Python 3.12"; NULL: nobody */
};

/*
 * Finds out which version of Python `source` is for, an absolute path without
 * symlinks. The nearest to it of these decides: a directory above it that is
 * called pythonX.Y, and a pyvenv.cfg in `source` or above it. If there is
 * neither, and `active` (the value of VIRTUAL_ENV, or NULL) is a directory that
 * contains `source`, its only lib/pythonX.Y does.
 *
 * Returns 0, also if nothing says a version; -EINVAL with a sentence in `why`
 * if the pyvenv.cfg of a venv contradicts the name of that venv's own
 * lib/pythonX.Y, in which `source` is; -ENOMEM. In any case call px_venv_fini.
 */
int px_venv_find(const char *source, const char *active, struct px_venv *ret,
		 struct px_why *why);
void px_venv_fini(struct px_venv *v);

/*
 * Finds the site-packages of the directory `path` if that is a venv (it has a
 * pyvenv.cfg), or, with `project`, if it has a venv that is called .venv.
 * Symbolic links are not followed, so that the result lies in `path`.
 *
 * Returns 1 with its absolute path without symlinks in *ret, which the caller
 * frees; 0 if `path` is no such directory, or is none at all; -ENOENT with a
 * sentence in `why` if it is a venv that has no site-packages, or several;
 * -ENOMEM.
 */
int px_venv_site(const char *path, bool project, char **ret,
		 struct px_why *why);

#endif
