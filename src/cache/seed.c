/* SPDX-License-Identifier: MIT */
#include "seed.h"

#include "dir.h"
#include "pages.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* Fails if others than root and we can write there. Root is trusted, because
 * whatever root has put into an image is run anyhow. */
static int check_place(int fd, const char *dir, const char *what,
		       struct px_why *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return px_because(why, -errno, "the cache %s%s: %s", dir, what,
				  strerror(errno));
	if ((st.st_uid == 0 || st.st_uid == geteuid()) &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return px_because(why, -EPERM,
			  "the cache %s%s (user %u, mode %04o) can be written "
			  "by others than root and user %u, who could put code "
			  "in your image: 'chown -R root' and 'chmod -R go-w' "
			  "it, or do without --cache-from",
			  dir, what, st.st_uid, st.st_mode & 07777, geteuid());
}

static int open_data(const char *dir, struct px_why *why)
{
	PX_AUTOCLOSE int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	PX_AUTOCLOSE int sub_fd = -1;
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (dir_fd < 0)
		return px_because(why, -errno, "no cache in %s: %s", dir,
				  strerror(errno));
	sub_fd = openat(dir_fd, PX_CACHE_SUBDIR,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_fd >= 0)
		fd = openat(sub_fd, PX_CACHE_DATA,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return px_because(why, -errno,
				  "no cache of this version, machine and libc "
				  "(" PX_CACHE_SUBDIR ") in %s: %s",
				  dir, strerror(errno));
	r = px_cache_dir_check_ways(dir, "do without --cache-from", why);
	if (r == 0)
		r = check_place(dir_fd, dir, "", why);
	if (r == 0)
		r = check_place(sub_fd, dir, "/" PX_CACHE_SUBDIR, why);
	if (r == 0)
		r = check_place(fd, dir, "/" PX_CACHE_SUBDIR "/" PX_CACHE_DATA,
				why);
	return r < 0 ? r : px_steal_fd(&fd);
}

/* LMDB is given a path through the descriptor, so that it opens the very file
 * that was checked. */
static int open_db(const char *dir, int fd, const struct px_db_options *o,
		   struct px_db **ret)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EUCLEAN;
	if (st.st_size == 0)
		return -ENOENT;
	if (stat(path, &st) < 0) /* no /proc here */
		n = snprintf(path, sizeof(path), "%s/%s/%s", dir,
			     PX_CACHE_SUBDIR, PX_CACHE_DATA);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	n = px_pages_check_metas(fd);
	return n < 0 ? n : px_db_open(path, o, ret);
}

int px_seed_open(const char *dir, const struct px_cache_tuning *t,
		 struct px_counts *n, struct px_db **ret, struct px_why *why)
{
	PX_AUTOCLOSE int fd = open_data(dir, why);
	const struct px_db_options o = {.dir_fd = -1,
					.sub_fd = -1,
					.read_only = true,
					.tuning = t,
					.counts = n};
	int r;

	if (fd < 0)
		return fd;
	r = open_db(dir, fd, &o, ret);
	if (r == -ENOENT)
		return px_because(why, r,
				  "cannot read the cache %s: it is empty", dir);
	if (r == -EPROTONOSUPPORT)
		return px_because(
			why, r,
			"cannot read the cache %s: it was written by "
			"a newer LMDB (0.9.90 or later), whose format "
			"this pycfs does not know",
			dir);
	if (r < 0)
		return px_because(why, r, "cannot read the cache %s: %s", dir,
				  strerror(-r));
	return 0;
}
