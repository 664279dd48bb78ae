/* SPDX-License-Identifier: MIT */
/*
 * Writes an export into a directory. The attributes of a directory are set once
 * everything in it has been written: until then each new entry changes its
 * times, and its final mode may forbid writing.
 *
 * Every entry is created by a single name relative to an open directory, never
 * by a longer path: a completed directory may belong to another user, who could
 * replace a directory on that path with a symlink.
 */
#include "sink_i.h"

#include "pycfs/temp.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define COPY_CHUNK (1u << 20)

/* A directory that is being written. They form a stack from the root to the
 * current directory. Only the topmost has a descriptor (px_dir_sink.at),
 * because one for each level could be too many. */
struct open_dir {
	struct open_dir *parent;
	struct px_attr attr;
	dev_t dev;
	ino_t ino;
	size_t n; /* length of path in bytes */
	char path[];
};

struct px_dir_sink {
	int root;
	/* descriptor of the topmost directory: `root`, or one that we close */
	int at;
	bool may_chown; /* may change owners of files */
	struct open_dir *top;
	uint8_t *buffer; /* of COPY_CHUNK; NULL until needed */
};

int px_dir_sink_new(int fd, struct px_dir_sink **ret)
{
	struct px_dir_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = s->at = fd;
	s->may_chown = geteuid() == 0;
	*ret = s;
	return 0;
}

static struct timespec time_of(const struct px_attr *a)
{
	return (struct timespec){.tv_sec = a->mtime};
}

/* Sets the owner. As with cp -a, only a process that may do so does. */
static int set_owner(const struct px_dir_sink *s, int fd, const char *path,
		     const struct px_attr *a)
{
	if (!s->may_chown || fchownat(fd, path, a->uid, a->gid,
				      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	/* EINVAL: the user namespace has no such user (Linux 6.1, fs/open.c,
	 * chown_common). */
	return errno == EINVAL ? -EOVERFLOW : -errno;
}

static int set_times(int fd, const char *path, const struct px_attr *a)
{
	const struct timespec times[] = {time_of(a), time_of(a)};

	return utimensat(fd, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Makes `fd` the directory in which entries are created. Takes ownership of
 * `fd`. */
static void set_at(struct px_dir_sink *s, int fd)
{
	if (s->at != s->root)
		close(s->at);
	s->at = fd;
}

/* Opens the parent of the topmost directory, by "..". -ENOTDIR if that no
 * longer is the directory it was created in. */
static int open_parent(const struct px_dir_sink *s, int *ret_fd)
{
	const struct open_dir *parent = s->top->parent;
	PX_AUTOCLOSE int fd = -1;
	struct stat st;

	if (!parent || parent->n == 0) {
		*ret_fd = s->root;
		return 0;
	}
	fd = openat(s->at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != parent->dev || st.st_ino != parent->ino)
		return -ENOTDIR;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

/* Completes the topmost directory, to which nothing more will be added, and
 * removes it from the stack. */
static int close_top(struct px_dir_sink *s)
{
	struct open_dir *d = s->top;
	const struct timespec times[] = {time_of(&d->attr), time_of(&d->attr)};
	int parent = s->root;
	int r = open_parent(s, &parent);

	if (r == 0)
		r = set_owner(s, s->at, "", &d->attr);
	if (r == 0 && fchmod(s->at, d->attr.mode) < 0)
		r = -errno;
	if (r == 0 && futimens(s->at, times) < 0)
		r = -errno;
	set_at(s, parent);
	s->top = d->parent;
	free(d);
	return r;
}

static bool is_in(const struct open_dir *d, const char *path)
{
	return d->n == 0 ||
	       (strncmp(path, d->path, d->n) == 0 && path[d->n] == '/');
}

static int put_dir(struct px_dir_sink *s, const struct px_sink_entry *e)
{
	const size_t n = strlen(e->path);
	PX_AUTOFREE struct open_dir *d = calloc(1, sizeof(*d) + n + 1);
	int fd = s->root;
	struct stat st;
	int r = 0;

	if (!d)
		return -ENOMEM;
	if (n > 0)
		r = px_temp_mkdir(s->at, px_path_name(e->path), &fd);
	if (r < 0)
		return r;
	set_at(s, fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	d->parent = s->top;
	d->attr = *e->attr;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->n = n;
	memcpy(d->path, e->path, n);
	s->top = PX_STEAL(d);
	return 0;
}

static int put_link(struct px_dir_sink *s, const struct px_sink_entry *e)
{
	const char *name = px_path_name(e->path);
	int r;

	if (symlinkat(e->target, s->at, name) < 0)
		return -errno;
	r = set_owner(s, s->at, name, e->attr);
	return r < 0 ? r : set_times(s->at, name, e->attr);
}

/* Creates a hard link to the file `target`, which may be anywhere in the
 * destination. */
static int put_hardlink(struct px_dir_sink *s, const struct px_sink_entry *e)
{
	PX_AUTOCLOSE int held = -1;
	const char *rest = e->target;
	char name[NAME_MAX + 1];
	int at = s->root;
	size_t n;

	while (rest[n = strcspn(rest, "/")] != '\0') {
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, rest, n);
		name[n] = '\0';
		at = openat(at, name,
			    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (at < 0)
			return -errno;
		px_closep(&held);
		held = at;
		rest += n + 1;
	}
	return linkat(at, rest, s->at, px_path_name(e->path), 0) < 0 ? -errno
								     : 0;
}

/* Copies `n` bytes in the kernel with copy_file_range. Returns 0; 1 if that is
 * not possible for these files, and then nothing has been copied; -ESTALE if
 * `from` has fewer bytes; -errno. */
static int copy_in_kernel(int from, int to, uint64_t n)
{
	bool any = false;

	while (n > 0) {
		const ssize_t got =
			copy_file_range(from, NULL, to, NULL, (size_t)n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		/* Some file systems return 0 here for non-empty files. */
		if (got <= 0 && !any)
			return 1;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ESTALE;
		any = true;
		n -= (uint64_t)got;
	}
	return 0;
}

static int copy(struct px_dir_sink *s, int from, int to, uint64_t n)
{
	ssize_t got;
	int r = copy_in_kernel(from, to, n);

	if (r <= 0)
		return r;
	if (!s->buffer)
		s->buffer = malloc(COPY_CHUNK);
	if (!s->buffer)
		return -ENOMEM;
	while (n > 0) {
		const size_t want = n < COPY_CHUNK ? (size_t)n : COPY_CHUNK;

		got = px_read_full(from, s->buffer, want);
		if (got < 0)
			return (int)got;
		if ((size_t)got < want)
			return -ESTALE;
		r = px_write_full(to, s->buffer, want);
		if (r < 0)
			return r;
		n -= want;
	}
	return 0;
}

static int put_file(struct px_dir_sink *s, const struct px_sink_entry *e,
		    const void *data, int from)
{
	PX_AUTOCLOSE int fd = openat(
		s->at, px_path_name(e->path),
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	const struct timespec times[] = {time_of(e->attr), time_of(e->attr)};
	uint8_t more;
	int r;

	if (fd < 0)
		return -errno;
	if (from >= 0)
		r = copy(s, from, fd, e->attr->size);
	else
		r = px_write_full(fd, data, (size_t)e->attr->size);
	/* The file has grown, so what was copied is not a version of it. */
	if (r == 0 && from >= 0 && px_read_full(from, &more, 1) != 0)
		r = -ESTALE;
	if (r == 0)
		r = set_owner(s, fd, "", e->attr);
	if (r == 0 && fchmod(fd, e->attr->mode) < 0)
		r = -errno;
	if (r == 0 && futimens(fd, times) < 0)
		r = -errno;
	return r;
}

int px_dir_sink_put(struct px_dir_sink *s, const struct px_sink_entry *e,
		    const void *data, int fd)
{
	int r = 0;

	while (r == 0 && s->top && !is_in(s->top, e->path))
		r = close_top(s);
	if (r < 0)
		return r;
	if (e->hardlink)
		return put_hardlink(s, e);
	if (px_kind_is_dir(e->attr->kind))
		return put_dir(s, e);
	if (e->attr->kind == PX_KIND_LINK)
		return put_link(s, e);
	return put_file(s, e, data, fd);
}

int px_dir_sink_finish(struct px_dir_sink *s)
{
	int r = 0;

	while (r == 0 && s->top)
		r = close_top(s);
	return r;
}

void px_dir_sink_free(struct px_dir_sink *s)
{
	struct open_dir *parent;

	if (!s)
		return;
	set_at(s, s->root);
	for (; s->top; s->top = parent) {
		parent = s->top->parent;
		free(s->top);
	}
	free(s->buffer);
	free(s);
}
