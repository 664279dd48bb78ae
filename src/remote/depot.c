/* SPDX-License-Identifier: MIT */
#include "depot.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define SCHEME "file://"
/* The directory of this format of objects. */
#define FORMAT "pycfs1"
/* An object that was not written for so long is written anew when it is used,
 * in seconds: stores delete what is older than a month, say. */
#define OLD (14 * 86400)

struct px_depot {
	char *dir; /* absolute */
	size_t n;  /* bytes of `dir` */
};

/* Where an object is, in its parts: each directory of it may be missing. */
struct place {
	char folder[PATH_MAX];
	char file[PATH_MAX];
};

int px_depot_check_url(const char *url, struct px_why *why)
{
	const size_t n = strlen(SCHEME);

	if (strncmp(url, SCHEME, n) != 0)
		return px_because(
			why, -EPROTONOSUPPORT,
			"bad store '%s': this pycfs knows file:///DIR "
			"only",
			url);
	if (url[n] != '/' || strlen(url + n) > PATH_MAX / 2)
		return px_because(why, -EINVAL,
				  "bad store '%s': the directory has to be an "
				  "absolute path: file:///DIR",
				  url);
	return 0;
}

int px_depot_open(const char *url, struct px_depot **ret)
{
	struct px_depot *d = calloc(1, sizeof(*d));

	if (d)
		d->dir = strdup(url + strlen(SCHEME));
	if (!d || !d->dir) {
		free(d);
		return -ENOMEM;
	}
	for (d->n = strlen(d->dir); d->n > 1 && d->dir[d->n - 1] == '/'; d->n--)
		d->dir[d->n - 1] = '\0';
	*ret = d;
	return 0;
}

void px_depot_close(struct px_depot *d)
{
	if (!d)
		return;
	free(d->dir);
	free(d);
}

static void put_hex(char *p, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(p + 2 * i, "%02x", bytes[i]);
}

static void find_place(const struct px_depot *d,
		       const uint8_t signer[PX_SIGNER_ID_SIZE],
		       const uint8_t name[PX_DIGEST_SIZE], struct place *ret)
{
	char id[2 * PX_SIGNER_ID_SIZE + 1], hex[2 * PX_DIGEST_SIZE + 1];

	put_hex(id, signer, PX_SIGNER_ID_SIZE);
	put_hex(hex, name, PX_DIGEST_SIZE);
	snprintf(ret->folder, sizeof(ret->folder), "%.*s/" FORMAT "/%s/%.2s",
		 PATH_MAX / 2, d->dir, id, hex);
	snprintf(ret->file, sizeof(ret->file), "%.*s/%s",
		 (int)(PATH_MAX - sizeof(hex) - 1), ret->folder, hex);
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

int px_depot_get(struct px_depot *d, const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], bool keep,
		 struct px_buf *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct place at;
	int err;

	find_place(d, signer, name, &at);
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

int px_depot_put(struct px_depot *d, const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], const void *data, size_t n)
{
	char temporary[PATH_MAX];
	struct place at;
	int r;

	find_place(d, signer, name, &at);
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
