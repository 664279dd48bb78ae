/* SPDX-License-Identifier: MIT */
#ifndef PX_SCRIPTS_H
#define PX_SCRIPTS_H
/*
 * The console scripts of the distributions in SOURCE, such as gunicorn. An
 * installer makes them from entry_points.txt (PyPA specification "Entry points
 * specification") and puts them into bin/, outside of site-packages and for the
 * Python that it runs on. Here they are made anew, for the Python and the place
 * in which they are to run, and put into the tree.
 *
 * Threads: px_scripts_make belongs to the thread that owns the tree, before
 * others use it; afterwards any. It blocks only while the file system does.
 */

#include "pycfs/rules.h"
#include "pycfs/tree.h"

struct px_scripts;

struct px_scripts_options {
	struct px_tree *tree;
	const struct px_rules *rules; /* NULL: none */
	const char *cache_tag;	      /* as px_view_options has it */
	/* Where they are, and where the modules are: relative paths of names in
	 * the same directory; `site` may be "" for that directory itself. */
	const char *dir;
	const char *site;
	const char *python; /* what stands behind "#!" */
};

struct px_script {
	char *name;	 /* as gunicorn */
	char *path;	 /* its path where `dir` and `site` are */
	char *source;	 /* its path in the tree */
	char *dist_info; /* the directory in SOURCE that it is made from */
	char *row;	 /* its path in a RECORD, relative to `site` */
	char *rest;	 /* the rest of that row, as px_record_put takes it */
	/* Whether it lies below `site`, so that listings of the tree have it.
	 * What does not can be opened all the same. */
	bool in_view;
};

/* A script that is not made, and why. */
struct px_script_left {
	char *name;
	char *why;
};

/* Makes the scripts of all *.dist-info and *.egg-info in SOURCE, in byte order
 * of their names. None is made of a module that is not shipped, nor over one of
 * the same name: px_scripts_left has those. *ret is freed with px_scripts_free,
 * before the tree or after. Returns 0 or -errno with a sentence in `why`:
 * -EINVAL: a rule excludes the directory; -ENOTDIR; -ENOMEM. */
int px_scripts_make(const struct px_scripts_options *o, struct px_scripts **ret,
		    struct px_why *why);
void px_scripts_free(struct px_scripts *s); /* NULL is fine */

/* In byte order of their paths. NULL, which has none, is fine. */
size_t px_scripts_count(const struct px_scripts *s);
const struct px_script *px_scripts_at(const struct px_scripts *s, size_t i);

size_t px_scripts_n_left(const struct px_scripts *s);
const struct px_script_left *px_scripts_left(const struct px_scripts *s,
					     size_t i);

/* Checks a value for px_scripts_options.python: 0, or -EINVAL: the kernel would
 * not find it (fs/binfmt_script.c of Linux 5.0: 127 bytes, of which a space
 * ends the path). */
int px_scripts_check_python(const char *python);

#endif
