/* SPDX-License-Identifier: MIT */
#include "pycfs/python.h"

#include "pycfs/spawn.h"

#include <limits.h>
#include <stdio.h>

const char *px_python_short(const struct px_python *p, char *buf, size_t n)
{
	snprintf(buf, n, "%u.%u.%u", p->hexversion >> 24,
		 p->hexversion >> 16 & 255, p->hexversion >> 8 & 255);
	return buf;
}

const char *px_python_path(const struct px_python *p)
{
	return p->executable ? p->executable : p->libpython;
}

const char *px_python_file(const struct px_python *p)
{
	return p->libpython ? p->libpython : p->interpreter;
}

void px_python_free(struct px_python *p)
{
	if (!p)
		return;
	free(p->executable);
	free(p->libpython);
	free(p->interpreter);
	free(p->home);
	free(p->version);
	free(p->cache_tag);
	free(p->canary);
	free(p);
}

void px_python_freep(struct px_python **p)
{
	px_python_free(*p);
}

int px_python_compiler(char **ret, struct px_why *why)
{
	return px_spawn_find("pycfs-compiler", ret, why);
}
