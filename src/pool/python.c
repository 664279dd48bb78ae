/* SPDX-License-Identifier: MIT */
#include "pycfs/python.h"

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

void px_python_free(struct px_python *p)
{
	if (!p)
		return;
	free(p->executable);
	free(p->libpython);
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
	static const char *const near[] = {
		"/pycfs-compiler", /* where it was built */
		PX_COMPILER_NEAR,
	};
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *found = NULL;
	size_t i;

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
	}
	for (i = 0; n > 0 && i < PX_ARRAY_LEN(near) && !found; i++) {
		snprintf(path, sizeof(path), "%s%s", self, near[i]);
		if (access(path, X_OK) == 0)
			found = path;
	}
	if (!found && access(PX_COMPILER_PATH, X_OK) == 0)
		found = PX_COMPILER_PATH;
	if (!found)
		return px_because(why, -ENOENT,
				  "pycfs-compiler is missing beside pycfs and "
				  "at %s: install pycfs again",
				  PX_COMPILER_PATH);
	*ret = strdup(found);
	return *ret ? 0 : px_because(why, -ENOMEM, "out of memory");
}
