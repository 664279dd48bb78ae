/* SPDX-License-Identifier: MIT */
#include "pycfs/path.h"

#include <sys/stat.h>

char *px_path_join(const char *dir, const char *name)
{
	const size_t n_dir = strlen(dir), n_name = strlen(name);
	char *path = malloc(n_dir + n_name + 2), *p = path;

	if (!path)
		return NULL;
	p = mempcpy(p, dir, n_dir);
	if (n_dir > 0 && n_name > 0)
		*p++ = '/';
	memcpy(p, name, n_name + 1);
	return path;
}

const char *px_path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

size_t px_path_parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

char *px_path_parent(const char *path)
{
	return strndup(path, px_path_parent_length(path));
}

bool px_ends_in(const char *name, const char *suffix)
{
	const size_t n = strlen(name), n_suffix = strlen(suffix);

	return n > n_suffix && strcmp(name + n - n_suffix, suffix) == 0;
}

bool px_path_inside(const char *path, const char *dir)
{
	PX_AUTOFREE char *up = strdup(path);
	struct stat at, wanted;
	char *slash;

	if (!up)
		return true;
	if (stat(dir, &wanted) < 0)
		return false;
	for (;;) {
		if (stat(*up ? up : "/", &at) == 0 &&
		    at.st_dev == wanted.st_dev && at.st_ino == wanted.st_ino)
			return true;
		slash = strrchr(up, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
}
