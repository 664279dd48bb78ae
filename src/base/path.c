/* SPDX-License-Identifier: MIT */
#include "pycfs/path.h"

#include <limits.h>
#include <stdio.h>
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

int px_path_split(const char *path, char **ret_parent, char **ret_name)
{
	PX_AUTOFREE char *copy = strdup(path);
	PX_AUTOFREE char *name = NULL;
	size_t n = copy ? strlen(copy) : 0, n_parent;

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	name = copy ? strdup(px_path_name(copy)) : NULL;
	if (!name)
		return -ENOMEM;
	n_parent = px_path_parent_length(copy);
	/* The slash of the root directory is kept. */
	copy[n_parent > 0 ? n_parent : *copy == '/'] = '\0';
	*ret_parent = *copy ? PX_STEAL(copy) : strdup(".");
	if (!*ret_parent)
		return -ENOMEM;
	*ret_name = PX_STEAL(name);
	return 0;
}

bool px_path_is_name(const char *name)
{
	return *name != '\0' && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

char *px_path_real_parent(const char *path)
{
	PX_AUTOFREE char *parent = NULL;
	PX_AUTOFREE char *name = NULL;
	PX_AUTOFREE char *real = NULL;
	char *joined;

	if (px_path_split(path, &parent, &name) < 0 || !px_path_is_name(name))
		return NULL;
	real = realpath(parent, NULL);
	if (!real || asprintf(&joined, "%s/%s",
			      strcmp(real, "/") == 0 ? "" : real, name) < 0)
		return NULL;
	return joined;
}

char *px_path_real_missing(const char *path)
{
	PX_AUTOFREE char *there = strdup(path);
	PX_AUTOFREE char *rest = strdup("");
	char *real = NULL, *there_and_rest;

	while (there && rest && !(real = realpath(there, NULL))) {
		PX_AUTOFREE char *parent = NULL;
		PX_AUTOFREE char *name = NULL;
		char *longer;

		if (px_path_split(there, &parent, &name) < 0 ||
		    strcmp(name, "..") == 0 || strcmp(parent, there) == 0)
			return NULL;
		longer = px_path_join(strcmp(name, ".") == 0 ? "" : name, rest);
		free(rest);
		rest = longer;
		free(there);
		there = PX_STEAL(parent);
	}
	if (!real || !rest || *rest == '\0')
		return real;
	if (asprintf(&there_and_rest, "%s/%s",
		     strcmp(real, "/") == 0 ? "" : real, rest) < 0)
		there_and_rest = NULL;
	free(real);
	return there_and_rest;
}

bool px_ends_in(const char *name, const char *suffix)
{
	const size_t n = strlen(name), n_suffix = strlen(suffix);

	return n >= n_suffix && strcmp(name + n - n_suffix, suffix) == 0;
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
