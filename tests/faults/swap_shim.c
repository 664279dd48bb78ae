/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: somebody who may rename in a directory, and is quick. What mkdtemp
 * or mkdirat makes under a name of pycfs's gets ".aside" behind its name at
 * once, and the directory that $SWAP_WITH names takes its place.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void swap(int dir, const char *name)
{
	const char *with = getenv("SWAP_WITH");
	char aside[PATH_MAX + 8];

	if (!with || !strstr(name, "pycfs-"))
		return;
	snprintf(aside, sizeof(aside), "%s.aside", name);
	if (renameat(dir, name, dir, aside) == 0)
		renameat(AT_FDCWD, with, dir, name);
}

char *mkdtemp(char *template)
{
	static char *(*real)(char *);
	char *made;

	if (!real)
		real = (char *(*)(char *))(uintptr_t)dlsym(RTLD_NEXT,
							   "mkdtemp");
	made = real(template);
	if (made)
		swap(AT_FDCWD, made);
	return made;
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	static int (*real)(int, const char *, mode_t);
	int r;

	if (!real)
		real = (int (*)(int, const char *, mode_t))(uintptr_t)dlsym(
			RTLD_NEXT, "mkdirat");
	r = real(dir, name, mode);
	if (r == 0)
		swap(dir, name);
	return r;
}
