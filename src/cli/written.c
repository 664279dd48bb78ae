/* SPDX-License-Identifier: MIT */
#include "written.h"

#include <fcntl.h>

/* Prints to `fd`, which stays open. 0 or -errno. */
static int print_to(int fd, void (*print)(const void *arg, FILE *to),
		    const void *arg)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	bool bad;

	if (!to) {
		const int err = errno;

		if (copy >= 0)
			close(copy);
		return -err;
	}
	errno = 0;
	print(arg, to);
	bad = ferror(to);
	if (fclose(to) != 0 || bad)
		return errno ? -errno : -EIO;
	return 0;
}

int px_written_make(struct px_temp *t, const char *path,
		    void (*print)(const void *arg, FILE *to), const void *arg,
		    struct px_why *why)
{
	int r = px_temp_make(t, path, false, false, why);

	if (r < 0)
		return r;
	r = print_to(t->lock, print, arg);
	return r < 0 ? px_because(why, r, "%s: %s", path, strerror(-r)) : 0;
}
