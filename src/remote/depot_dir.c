/* SPDX-License-Identifier: MIT */
#include "depot_dir.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* An object that was not written for so long is written anew when it is used,
 * in seconds: stores delete what is older than a month, say. */
#define OLD (14 * 86400)

struct px_depot_dir {
	char *dir; /* absolute */
	size_t n;  /* bytes of `dir` */
};

/* Where an object is, in its parts: each directory of it may be missing. */
struct place {
	char folder[PATH_MAX];
	char file[PATH_MAX];
};

int px_depot_dir_open(const char *dir, struct px_depot_dir **ret)
{
	struct px_depot_dir *d = calloc(1, sizeof(*d));

	if (d)
		d->dir = strdup(dir);
	if (!d || !d->dir) {
		free(d);
		return -ENOMEM;
	}
	for (d->n = strlen(d->dir); d->n > 1 && d->dir[d->n - 1] == '/'; d->n--)
		d->dir[d->n - 1] = '\0';
	*ret = d;
	return 0;
}

void px_depot_dir_close(struct px_depot_dir *d)
{
	if (!d)
		return;
	free(d->dir);
	free(d);
}

static void find_place(const struct px_depot_dir *d, const char *name,
		       struct place *ret)
{
	snprintf(ret->file, sizeof(ret->file), "%.*s/%s", PATH_MAX / 2, d->dir,
		 name);
	snprintf(ret->folder, sizeof(ret->folder), "%.*s",
		 (int)px_path_parent_length(ret->file), ret->file);
}

static int read_object(int fd, bool keep, struct px_buf *ret)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > PX_CHUNK_OBJECT_MAX)
		return -EFBIG;
	r = px_buf_reserve(ret, (size_t)st.st_size);
	if (r == 0)
		r = px_slurp(fd, ret);
	if (r == 0 && keep && px_wall_ns() / 1000000000 - st.st_mtime > OLD)
		futimens(fd, NULL); /* no harm if it may not */
	return r;
}

int px_depot_dir_get(const struct px_depot_dir *d, const char *name, bool keep,
		     struct px_buf *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct place at;
	int err;

	find_place(d, name, &at);
	/* A fifo in its place must not hold us up. */
	fd = open(at.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		return read_object(fd, keep, ret);
	err = errno;
	if (err == ELOOP)
		return -EBADMSG;
	if (err == ENOENT && access(d->dir, F_OK) < 0 && errno == ENOENT)
		return -ENODEV;
	return -err;
}

/* Makes the directories of `path` that are missing, from the one at byte
 * `from` on. */
static int make_dirs(char *path, size_t from)
{
	char *slash = path + from;

	for (;;) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (*path && mkdir(path, 0777) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash++ = '/';
	}
}

/* Writes the file `path` anew. */
static int write_file(const char *path, const void *data, size_t n)
{
	PX_AUTOCLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		     0644);
	int r = fd < 0 ? -errno : px_write_full(fd, data, n);

	if (r == 0)
		r = close(px_steal_fd(&fd)) < 0 ? -errno : 0;
	return r;
}

int px_depot_dir_put(const struct px_depot_dir *d, const char *name,
		     const void *data, size_t n)
{
	char temporary[PATH_MAX];
	struct place at;
	int r;

	find_place(d, name, &at);
	snprintf(temporary, sizeof(temporary), "%.*s.%ld.%llx.tmp",
		 PATH_MAX - 64, at.file, (long)getpid(),
		 (unsigned long long)px_wall_ns());
	r = write_file(temporary, data, n);
	if (r == -ENOENT) {
		r = make_dirs(at.folder, 0);
		if (r == 0)
			r = write_file(temporary, data, n);
	}
	if (r == 0 && rename(temporary, at.file) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}
