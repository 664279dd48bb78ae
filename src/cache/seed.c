/* SPDX-License-Identifier: MIT */
#include "seed.h"

#include "pycfs/io.h"

#include "dir.h"
#include "find.h"

#include <fcntl.h>
#include <sys/stat.h>

struct px_seed {
	struct px_pages file;
	struct px_pages_table blob;
	struct px_pages_table used;
};

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

static int open_tables(struct px_seed *s, int fd)
{
	int r = px_pages_open(fd, &s->file);

	if (r == 0)
		r = px_pages_find_table(&s->file, "blob", &s->blob);
	if (r == 0)
		r = px_pages_find_table(&s->file, "used", &s->used);
	return r;
}

int px_seed_open(const char *dir, struct px_seed **ret, struct px_why *why)
{
	PX_AUTOCLOSE int fd = open_data(dir, why);
	struct px_seed *s;
	int r;

	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	r = s ? open_tables(s, fd) : -ENOMEM;
	if (r < 0) {
		free(s);
		return px_because(why, r, "cannot read the cache %s: %s", dir,
				  r == -ENOENT ? "it is empty" : strerror(-r));
	}
	s->file.fd = px_steal_fd(&fd);
	*ret = s;
	return 0;
}

void px_seed_close(struct px_seed *s)
{
	if (!s)
		return;
	close(s->file.fd);
	free(s);
}

int px_seed_find(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret)
{
	uint8_t row[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(row, sizeof(row));

	if (px_pages_row(&s->file, &s->used, key, PX_DIGEST_SIZE, row,
			 sizeof(row)) < 0)
		return -ENOENT;
	return px_used_decode(&v, ret) < 0 ? -ENOENT : 0;
}

int px_seed_get(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		struct px_blob **ret)
{
	uint8_t header[PX_BLOB_STORED_HEADER];
	struct px_blob *b;
	size_t size;
	off_t at;
	int r = px_pages_find(&s->file, &s->blob, key, PX_DIGEST_SIZE, &at,
			      &size);

	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	if (size < sizeof(header))
		return -ENOENT;
	b = px_blob_alloc(size - sizeof(header));
	if (!b)
		return -ENOMEM;
	if (px_pread2(s->file.fd, header, sizeof(header), b->data, b->size,
		      at) < 0 ||
	    px_blob_check(b, key, header) < 0) {
		px_blob_unref(b);
		return -ENOENT;
	}
	*ret = b;
	return 0;
}
