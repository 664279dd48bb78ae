/* SPDX-License-Identifier: MIT */
/*
 * A directory being written. A directory's own attributes are set when
 * everything in it is there: its times change until then, and its mode may
 * forbid writing.
 */
#include "sink_i.h"

#include <fcntl.h>
#include <sys/stat.h>

#define WRITABLE_DIR 0700
#define COPY_CHUNK   (1u << 20)

struct open_dir {
	struct open_dir *parent;
	struct px_attr attr;
	size_t n; /* bytes of path */
	char path[];
};

struct px_dir_sink {
	int root;
	bool owns; /* whether we may give files away */
	struct open_dir *top;
	uint8_t *buffer; /* of COPY_CHUNK; NULL until needed */
};

int px_dir_sink_new(int fd, struct px_dir_sink **ret)
{
	struct px_dir_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = fd;
	s->owns = geteuid() == 0;
	*ret = s;
	return 0;
}

static struct timespec time_of(const struct px_attr *a)
{
	return (struct timespec){.tv_sec = a->mtime};
}

/* As cp -a: owners are kept by whoever may keep them. */
static int give(const struct px_dir_sink *s, int fd, const char *path,
		const struct px_attr *a)
{
	if (!s->owns || fchownat(fd, path, a->uid, a->gid,
				 AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	return -errno;
}

static int set_times(int fd, const char *path, const struct px_attr *a)
{
	const struct timespec times[] = {time_of(a), time_of(a)};

	return utimensat(fd, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Takes the topmost directory off: nothing more will come into it. */
static int close_top(struct px_dir_sink *s)
{
	struct open_dir *d = s->top;
	const char *path = *d->path ? d->path : ".";
	int r = give(s, s->root, path, &d->attr);

	if (r == 0 && fchmodat(s->root, path, d->attr.mode, 0) < 0)
		r = -errno;
	if (r == 0)
		r = set_times(s->root, path, &d->attr);
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
	struct open_dir *d;

	if (n > 0 && mkdirat(s->root, e->path, WRITABLE_DIR) < 0)
		return -errno;
	d = calloc(1, sizeof(*d) + n + 1);
	if (!d)
		return -ENOMEM;
	d->parent = s->top;
	d->attr = *e->attr;
	d->n = n;
	memcpy(d->path, e->path, n);
	s->top = d;
	return 0;
}

static int put_link(struct px_dir_sink *s, const struct px_sink_entry *e)
{
	int r;

	if (symlinkat(e->target, s->root, e->path) < 0)
		return -errno;
	r = give(s, s->root, e->path, e->attr);
	return r < 0 ? r : set_times(s->root, e->path, e->attr);
}

/* Within the kernel where it can; 1: it cannot here, nothing was copied. */
static int copy_in_kernel(int from, int to, uint64_t n)
{
	bool any = false;

	while (n > 0) {
		const ssize_t got =
			copy_file_range(from, NULL, to, NULL, (size_t)n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		/* Some file systems say 0 for files that are not empty. */
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
		s->root, e->path,
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
	/* It grew meanwhile: what was copied is no version of it. */
	if (r == 0 && from >= 0 && px_read_full(from, &more, 1) != 0)
		r = -ESTALE;
	if (r == 0)
		r = give(s, fd, "", e->attr);
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
		return linkat(s->root, e->target, s->root, e->path, 0) < 0
			       ? -errno
			       : 0;
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
	for (; s->top; s->top = parent) {
		parent = s->top->parent;
		free(s->top);
	}
	free(s->buffer);
	free(s);
}
