/* SPDX-License-Identifier: MIT */
#include "python_probe.h"
#include "python_place.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_PLACES 3

/*
 * Where version managers put interpreters. The root is the value of the first
 * environment variable that has an absolute path, followed by `below`, which is
 * how the manager itself looks for it; or it is `root`. `pattern`, with braces
 * (GLOB_BRACE of glob(3)), leads from there to directories of interpreters.
 *
 * uv: docs, "Storage" and crates/uv-python/src/managed.rs of 0.9 (an
 * installation is named cpython-3.14.2+freethreaded-linux-x86_64-gnu). mise:
 * src/env.rs and src/dirs.rs of 2025.3. asdf: docs, "Environment variables" of
 * 0.16. pyenv: README of 2.4. conda: where the installers of Miniconda,
 * Anaconda and Miniforge, images and micromamba (1 and 2) put the root;
 * environments are in envs/ of it, or in ~/.conda/envs where it cannot be
 * written.
 */
#define CONDA "{,/envs/*}/bin/"
#define ROOTS "{miniconda3,anaconda3,miniforge3,mambaforge"
static const struct manager {
	struct {
		const char *variable, *below;
	} place[MAX_PLACES];
	const char *root;
	const char *pattern;
} managers[] = {
	{{{"UV_PYTHON_INSTALL_DIR", ""},
	  {"XDG_DATA_HOME", "/uv/python"},
	  {"HOME", "/.local/share/uv/python"}},
	 NULL,
	 "/cpython-*/bin/"},
	{{{"MISE_DATA_DIR", ""},
	  {"XDG_DATA_HOME", "/mise"},
	  {"HOME", "/.local/share/mise"}},
	 NULL,
	 "/installs/python/*/bin/"},
	{{{"ASDF_DATA_DIR", ""}, {"HOME", "/.asdf"}},
	 NULL,
	 "/installs/python/*/bin/"},
	{{{"PYENV_ROOT", ""}, {"HOME", "/.pyenv"}}, NULL, "/versions/*/bin/"},
	{{{"CONDA_PREFIX", ""}}, NULL, CONDA},
	{{{"MAMBA_ROOT_PREFIX", ""}, {"HOME", "/micromamba"}}, NULL, CONDA},
	{{{"HOME", ""}}, NULL, "/" ROOTS ",.conda,.local/share/mamba}" CONDA},
	{{{NULL, NULL}}, "/opt", "/" ROOTS ",conda}" CONDA},
};

struct version {
	unsigned long major, minor;
	bool free_threaded;
};

/* Whether `spec` is a version ("3.12", "3.12.1", "3.14t") and not a program's
 * name. What only looks like one ("3..1") passes here and is not found later.
 */
static bool is_version(const char *spec)
{
	const char *end = spec + strspn(spec, "0123456789.");

	return strchr(spec, '.') &&
	       (*end == '\0' || (end[0] == 't' && end[1] == '\0'));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* -ENOENT: it does not begin with a major and a minor version. */
static int parse_version(const char *spec, struct version *ret)
{
	char *end;

	if (!is_digit(*spec))
		return -ENOENT;
	ret->major = strtoul(spec, &end, 10);
	if (*end != '.' || !is_digit(end[1]))
		return -ENOENT;
	ret->minor = strtoul(end + 1, &end, 10);
	ret->free_threaded = spec[strlen(spec) - 1] == 't';
	return 0;
}

/* A version that we could not use is said to be so, rather than not to be
 * installed. */
static int check_supported(const char *spec, const struct version *v,
			   struct px_why *why)
{
	if (v->major < 3 || (v->major == 3 && v->minor < 8))
		return px_because(why, -EPROTONOSUPPORT,
				  "Python %s is not supported; 3.8 or later is "
				  "needed",
				  spec);
	if (v->free_threaded && v->major == 3 && v->minor < 14)
		return px_because(why, -EPROTONOSUPPORT,
				  "a free-threaded Python %s is not supported; "
				  "of those 3.14 or later is needed",
				  spec);
	return 0;
}

/* Appends `text` with a backslash before each character that is special to
 * glob(3). */
static int add_escaped(struct px_buf *b, const char *text)
{
	int r = 0;

	for (; *text && r == 0; text++) {
		if (strchr("*?[]{},\\~", *text))
			r = px_buf_add(b, "\\", 1);
		if (r == 0)
			r = px_buf_add(b, text, 1);
	}
	return r;
}

/* The glob(3) pattern of the manager's interpreters that are called `name`,
 * with a NUL; empty if the manager has no root. */
static int make_pattern(const struct manager *m, const char *name,
			struct px_buf *b)
{
	const char *root = m->root, *below = "";
	int r;

	for (size_t i = 0; i < MAX_PLACES && m->place[i].variable && !root;
	     i++) {
		root = getenv(m->place[i].variable);
		below = m->place[i].below;
		if (root && *root != '/')
			root = NULL;
	}
	if (!root)
		return 0;
	r = add_escaped(b, root);
	if (r == 0)
		r = px_buf_add(b, below, strlen(below));
	if (r == 0)
		r = px_buf_add(b, m->pattern, strlen(m->pattern));
	if (r == 0)
		r = px_buf_add(b, name, strlen(name) + 1);
	return r;
}

/* All managers' interpreters that are called `name`. The caller has to call
 * globfree(3). -ENOMEM. */
static int find_installed(const char *name, glob_t *ret)
{
	int flags = GLOB_BRACE | GLOB_NOSORT, r = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < PX_ARRAY_LEN(managers) && r == 0; i++) {
		PX_AUTO(px_buf_fini) struct px_buf b = {.max = 4 * PATH_MAX};

		if (make_pattern(&managers[i], name, &b) < 0 || b.size == 0)
			continue;
		r = glob((const char *)b.data, flags, NULL, ret);
		r = r == GLOB_NOSPACE ? -ENOMEM : 0;
		if (ret->gl_pathv)
			flags |= GLOB_APPEND;
	}
	return r;
}

/* Whether users other than the owner and root may write: a group whose number
 * is that of the owner is taken for the owner's private group. */
static bool others_can_write(const struct stat *st)
{
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))
		return false;
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && st->st_gid != st->st_uid);
}

/*
 * Whoever can change `real`, an absolute path without links, or a directory
 * above it, chooses which program we run. The user has chosen what is in PATH,
 * but not what is here. -EPERM and a sentence, if that is anybody but root and
 * the caller.
 */
static int check_place(const char *real, struct px_why *why)
{
	PX_AUTOFREE char *at = strdup(real);
	struct stat st;
	char *slash;

	/* From the file up to "/". */
	while (at) {
		if (stat(at, &st) < 0)
			return px_because(why, -errno, "%s: %s", at,
					  strerror(errno));
		if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
		    others_can_write(&st))
			return px_because(
				why, -EPERM,
				"%s (user %u, mode %04o) can be written by "
				"others than root and user %u, who could put "
				"another Python there: 'chmod go-w' it, or say "
				"--python PATH",
				at, st.st_uid, st.st_mode & 07777, geteuid());
		if (at[1] == '\0')
			return 0;
		slash = strrchr(at, '/');
		slash[slash == at] = '\0';
	}
	return px_because(why, -ENOMEM, "out of memory");
}

/* Asks interpreter `real`. *best becomes the newer one of the two. */
static int ask_one(const char *real, const struct px_python_query *q,
		   struct px_python **best, struct px_why *why)
{
	struct px_python *py = NULL;
	int r = check_place(real, why);

	if (r == 0)
		r = px_python_ask(real, q, &py, why);
	if (py && (!*best || py->hexversion > (*best)->hexversion)) {
		px_python_free(*best);
		*best = PX_STEAL(py);
	}
	px_python_free(py);
	return r;
}

/* The paths without symbolic links, without those that lead nowhere or must be
 * avoided, each once. *ret_n strings, which the caller frees. NULL: ENOMEM. */
static char **real_paths(const glob_t *found, const char *const *avoid,
			 size_t *ret_n)
{
	char **real = calloc(found->gl_pathc + 1, sizeof(*real));
	size_t n = 0, k;

	for (size_t i = 0; i < found->gl_pathc && real; i++) {
		if (px_place_avoided(found->gl_pathv[i], avoid, true))
			continue;
		real[n] = realpath(found->gl_pathv[i], NULL);
		for (k = 0; k < n && real[n] && strcmp(real[k], real[n]) != 0;
		     k++)
			;
		if (k < n)
			free(PX_STEAL(real[n]));
		n += real[n] != NULL;
	}
	*ret_n = n;
	return real;
}

/*
 * The newest interpreter of any manager that fits q->spec. -ENOENT; or what is
 * wrong with the one that would fit. All are asked, as the names of directories
 * need not contain the version. They are asked by their real paths: so several
 * links to one (an environment's python is a link, too) cost only one probe,
 * and no link can be changed between check_place and the start.
 */
static int ask_installed(const char *name, const struct px_python_query *q,
			 struct px_python **ret, struct px_why *why)
{
	struct px_python *best = NULL;
	struct px_why inner;
	char **real = NULL;
	size_t n = 0, i;
	int r = -ENOENT, err;
	glob_t found;

	if (find_installed(name, &found) == 0)
		real = real_paths(&found, q->avoid, &n);
	globfree(&found);
	if (!real)
		return px_because(why, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		err = ask_one(real[i], q, &best, &inner);
		/* That its library is missing tells the user best what to do.
		 */
		if (err < 0 && err != -ENOENT && r != -ELIBACC) {
			r = err;
			*why = inner;
		}
		free(real[i]);
	}
	free(real);
	*ret = best;
	return best ? 0 : r;
}

/* The interpreter in PATH that is called by the version's major and minor
 * number, if it fits; else that of a manager. */
static int ask_version(const struct px_python_query *q, struct px_python **ret,
		       struct px_why *why)
{
	const char *spec = q->spec;
	struct px_why first, second;
	struct version v;
	char name[64];
	int in_path, r = parse_version(spec, &v);

	if (r < 0)
		return px_because(why, r,
				  "no Python %s found: name it as in 3.12, or "
				  "say --python PATH",
				  spec);
	r = check_supported(spec, &v, why);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "python%lu.%lu%s", v.major, v.minor,
		 v.free_threaded ? "t" : "");
	in_path = px_python_ask(name, q, ret, &first);
	if (in_path == 0)
		return 0;
	r = ask_installed(name, q, ret, &second);
	if (r == 0)
		return 0;
	/* If there is one, but it is of no use, the user has to know why. */
	if (r != -ENOENT && in_path != -ELIBACC) {
		*why = second;
		return r;
	}
	if (in_path != -ENOENT) {
		*why = first;
		return in_path;
	}
	return px_because(
		why, -ENOENT,
		"no Python %s found, as %s in PATH or among those of "
		"uv, mise, asdf, pyenv and conda%s: install it, or "
		"say --python PATH",
		spec, name,
		q->avoid ? " (what is in SOURCE or in a venv is not run "
			   "unless you name it)"
			 : "");
}

int px_python_find(const struct px_python_query *q, struct px_python **ret,
		   struct px_why *why)
{
	struct px_python_query any = *q;
	struct px_why inner;
	int r;

	if (q->spec && is_version(q->spec))
		return ask_version(q, ret, why);
	any.spec = NULL;
	r = px_python_ask(q->spec ? q->spec : "python3", &any, ret, &inner);
	if (r == 0)
		return 0;
	if (r == -ENOENT && !q->spec)
		return px_python_ask_build(&any, ret, why);
	if (r == -ENOENT)
		return px_because(why, r,
				  "no Python '%s' found: install it, or say "
				  "--python PATH",
				  q->spec);
	*why = inner;
	return r;
}
