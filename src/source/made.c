/* SPDX-License-Identifier: MIT */
#include "made.h"

#include <sys/mman.h>
#include <sys/stat.h>

struct px_made {
	char *path;
	bool listed;
	struct px_stat st;
	size_t n;
	uint8_t data[]; /* of a file */
};

static struct px_made *made_new(const char *path, const struct px_stat *like,
				const void *data, size_t n)
{
	struct px_made *m = calloc(1, sizeof(*m) + n);

	if (!m)
		return NULL;
	m->path = strdup(path);
	if (!m->path) {
		free(m);
		return NULL;
	}
	if (n > 0)
		memcpy(m->data, data, n);
	m->n = n;
	m->st = *like;
	/* No file of a file system has this device. The number is another one
	 * when the bytes are, so that nobody takes an old version for a new
	 * one. */
	m->st.fp.dev = 0;
	m->st.fp.ino = px_hash64(px_hash64(0, path, strlen(path)), m->data, n);
	m->st.fp.size = n;
	m->st.fp.ctime_ns = m->st.fp.mtime_ns;
	return m;
}

static void made_free(struct px_made *m)
{
	free(m->path);
	free(m);
}

void px_made_fini(struct px_made_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		made_free(s->all[i]);
	free(s->all);
}

/* The index of the first one whose path is not before `path`. */
static size_t find_index(const struct px_made_set *s, const char *path)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (strcmp(s->all[mid]->path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct px_made *px_made_find(const struct px_made_set *s,
				   const char *path)
{
	const size_t i = find_index(s, path);

	return i < s->n && strcmp(s->all[i]->path, path) == 0 ? s->all[i]
							      : NULL;
}

const struct px_stat *px_made_stat(const struct px_made *m)
{
	return &m->st;
}

const char *px_made_name(const struct px_made *m)
{
	return px_path_name(m->path);
}

/* Every open file is one of its own, so that each has its own position. */
int px_made_open(const struct px_made *m, int *ret_fd)
{
	const struct timespec time = {
		.tv_sec = m->st.fp.mtime_ns / 1000000000,
		.tv_nsec = m->st.fp.mtime_ns % 1000000000,
	};
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (m->st.type != PX_TYPE_REG)
		return -EINVAL;
	fd = memfd_create("pycfs", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = px_write_full(fd, m->data, m->n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    futimens(fd, (struct timespec[]){time, time}) < 0)
		return -errno;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

const struct px_made *px_made_next(const struct px_made_set *s, const char *dir,
				   size_t *at)
{
	const size_t n = strlen(dir);

	while (*at < s->n) {
		const struct px_made *m = s->all[(*at)++];
		const size_t parent = px_path_parent_length(m->path);

		if (m->listed && parent == n && strncmp(m->path, dir, n) == 0)
			return m;
	}
	return NULL;
}

int px_made_put(struct px_made_set *s, const char *path,
		const struct px_stat *like, const void *data, size_t n,
		bool listed)
{
	const size_t i = find_index(s, path);
	struct px_made *m = made_new(path, like, data, n);
	struct px_made **all;

	if (!m)
		return -ENOMEM;
	m->listed = listed;
	if (i < s->n && strcmp(s->all[i]->path, m->path) == 0) {
		made_free(s->all[i]);
		s->all[i] = m;
		return 0;
	}
	all = reallocarray(s->all, s->n + 1, sizeof(struct px_made *));
	if (!all) {
		made_free(m);
		return -ENOMEM;
	}
	memmove(all + i + 1, all + i, (s->n - i) * sizeof(struct px_made *));
	all[i] = m;
	s->all = all;
	s->n++;
	return 0;
}
