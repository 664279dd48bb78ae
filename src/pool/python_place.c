/* SPDX-License-Identifier: MIT */
#include "python_place.h"

#include "pycfs/util.h"

#include <stdio.h>
#include <sys/stat.h>

#define MAX_LINKS 40 /* MAXSYMLINKS, include/linux/namei.h */

/* Whether `dir` is the directory of a venv's interpreter: its pyvenv.cfg is
 * beside the interpreter or one directory above (CPython 3.14,
 * Modules/getpath.py). */
static bool is_of_venv(const char *dir)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/pyvenv.cfg", dir);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "%s/../pyvenv.cfg", dir);
	return access(path, F_OK) == 0;
}

static bool is_avoided_dir(const char *dir, const char *const *avoid,
			   bool venvs)
{
	for (; *avoid; avoid++)
		if (px_path_inside(dir, *avoid))
			return true;
	return venvs && is_of_venv(dir);
}

/* If the file `name` in `dir` is a symbolic link, stores the path that it leads
 * to. Returns 1; 0 if it is no link; -errno. */
static int follow(const char *dir, const char *name, char ret[PATH_MAX])
{
	char path[PATH_MAX + 32], target[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return errno == EINVAL ? 0 : -errno;
	if (n >= PATH_MAX ||
	    snprintf(ret, PATH_MAX, "%s%s%.*s", *target == '/' ? "" : dir,
		     *target == '/' ? "" : "/", (int)n, target) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 1;
}

bool px_place_avoided(const char *path, const char *const *avoid, bool venvs)
{
	char at[PATH_MAX];

	if (!avoid)
		return false;
	if (snprintf(at, sizeof(at), "%s", path) >= PATH_MAX)
		return true;
	for (int i = 0; i < MAX_LINKS; i++) {
		PX_AUTOFREE char *parent = NULL;
		PX_AUTOFREE char *name = NULL;
		PX_AUTOFREE char *dir = NULL;
		int r;

		if (px_path_split(at, &parent, &name) < 0)
			return true;
		dir = realpath(parent, NULL);
		if (!dir || is_avoided_dir(dir, avoid, venvs))
			return true;
		r = follow(dir, name, at);
		if (r <= 0)
			return r < 0;
	}
	return true;
}

/* Finds `name` in PATH, as posix_spawnp does. */
static int find_in_path(const char *name, const char *const *avoid, bool venvs,
			char ret[PATH_MAX])
{
	const char *p = getenv("PATH");
	struct stat st;
	int n;

	if (!p)
		p = "/bin:/usr/bin"; /* glibc 2.36, posix/execvpe.c */
	for (; *name != '\0'; p += n + 1) {
		n = (int)strcspn(p, ":");
		/* An empty entry stands for the current directory. */
		if ((!avoid || *p == '/') &&
		    snprintf(ret, PATH_MAX, "%.*s/%s", n > 0 ? n : 1,
			     n > 0 ? p : ".", name) < PATH_MAX &&
		    stat(ret, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(ret, X_OK) == 0 &&
		    !px_place_avoided(ret, avoid, venvs))
			return 0;
		if (p[n] == '\0')
			break;
	}
	return -ENOENT;
}

int px_place_find(const char *name, const char *const *avoid, bool venvs,
		  char ret[PATH_MAX])
{
	char found[PATH_MAX], here[PATH_MAX];
	int r = 0;

	if (!strchr(name, '/'))
		r = find_in_path(name, avoid, venvs, found);
	else if (snprintf(found, sizeof(found), "%s", name) >= PATH_MAX)
		r = -ENAMETOOLONG;
	if (r < 0)
		return r;
	if (*found != '/' && !getcwd(here, sizeof(here)))
		return -errno;
	if (snprintf(ret, PATH_MAX, "%s%s%s", *found == '/' ? "" : here,
		     *found == '/' ? "" : "/", found) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}
