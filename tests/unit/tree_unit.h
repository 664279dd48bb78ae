/* SPDX-License-Identifier: MIT */
#ifndef PX_TREE_UNIT_H
#define PX_TREE_UNIT_H
/*
 * Helpers for the tests of the source tree. Every test runs twice: with
 * openat2(2), and with the fallback that opens each directory with openat(2).
 * SOURCE is TOP/src; files in TOP/outside must not be reachable.
 */

#include "unit.h"
#include "source/tree_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct fixture {
	bool walk;
	char top[PATH_MAX];
	int top_fd;
	int fd; /* descriptor of SOURCE */
	struct px_tree *t;
};

static inline void put_file(int dirfd, const char *name, const char *text)
{
	PX_AUTOCLOSE int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
}

static inline void put_dir(int dirfd, const char *name)
{
	assert_int_equal(mkdirat(dirfd, name, 0755), 0);
}

static inline void put_link(int dirfd, const char *name, const char *target)
{
	assert_int_equal(symlinkat(target, dirfd, name), 0);
}

/* Removes a directory tree. It uses descriptors, because some tests make paths
 * that are longer than PATH_MAX. */
static inline void remove_tree(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	const struct dirent *e;
	DIR *dir;

	if (fd < 0) {
		unlinkat(dirfd, name, 0);
		return;
	}
	dir = fdopendir(fd);
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	}
	closedir(dir);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static inline int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	const bool *walk = *state;
	struct fixture *f = calloc(1, sizeof(*f));
	char src[PATH_MAX + 8];

	if (!f)
		return -1;
	f->walk = *walk;
	snprintf(f->top, sizeof(f->top), "%s/pycfs-tree-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(f->top))
		return -1;
	f->top_fd = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_dir(f->top_fd, "src");
	put_dir(f->top_fd, "outside");
	put_file(f->top_fd, "outside/secret.py", "secret");
	put_file(f->top_fd, "secret.py", "secret");
	snprintf(src, sizeof(src), "%s/src", f->top);
	f->fd = open(src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (px_tree_open(src, &f->t, NULL) < 0)
		return -1;
	f->t->walk = f->walk;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	px_tree_close(f->t);
	close(f->fd);
	close(f->top_fd);
	remove_tree(AT_FDCWD, f->top);
	free(f);
	return 0;
}

static inline int read_text(struct px_tree *t, const char *path, char *ret,
			    size_t n)
{
	struct px_buf b = {.max = n - 1};
	struct px_stat st;
	int r = px_tree_read(t, path, &b, &st);

	if (r == 0) {
		assert_int_equal(b.size, st.fp.size);
		if (b.size > 0)
			memcpy(ret, b.data, b.size);
		ret[b.size] = '\0';
	} else {
		assert_int_equal(b.size, 0);
	}
	px_buf_fini(&b);
	return r;
}

static inline int n_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Checks that stat, open and read of a file all return `expected`, and, if that
 * is 0, that its contents are `text`. */
static inline void check_file(struct px_tree *t, const char *path, int expected,
			      const char *text)
{
	struct px_stat st;
	struct px_stat opened;
	char got[100];
	int fd = -1;

	print_message("%.60s\n", path);
	assert_int_equal(px_tree_stat_file(t, path, &st), expected);
	assert_int_equal(px_tree_open_file(t, path, &fd, &opened), expected);
	assert_int_equal(read_text(t, path, got, sizeof(got)), expected);
	if (expected < 0) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_int_equal(st.type, PX_TYPE_REG);
	assert_true(px_fingerprint_equal(&st.fp, &opened.fp));
	assert_string_equal(got, text);
	memset(got, 0, sizeof(got));
	assert_int_equal(px_read_full(fd, got, sizeof(got)), strlen(text));
	assert_string_equal(got, text);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* For a thread that changes the tree while it is read. */
struct changer {
	int fd;
	_Atomic bool stop;
};

static bool unit_fast = false;
static bool unit_walking = true;

#define TREE_TEST(f)                                               \
	{#f, f, setup, teardown, &unit_fast},                      \
	{                                                          \
#f " (walking)", f, setup, teardown, &unit_walking \
	}

#endif
