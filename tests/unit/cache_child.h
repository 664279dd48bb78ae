/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_CHILD_H
#define PX_CACHE_CHILD_H
/*
 * For tests that use the cache in child processes. Each child opens the cache
 * itself, after the fork, because an LMDB environment must not be used in
 * another process than the one that opened it.
 */

#include "cache_unit.h"

#include <sys/wait.h>

#define SIZE 20000 /* bytes of each blob */
#define N    30	   /* number of blobs that fill() stores */

/* An assertion in a child process. The assertions of cmocka must not be used
 * there, because after a failure the child would run the other tests. */
#define CHECK(what)                                                        \
	do {                                                               \
		if (!(what)) {                                             \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#what);                                    \
			_exit(1);                                          \
		}                                                          \
	} while (0)
/* The exit status of a child whose test cannot be run here. */
#define EXIT_SKIP 77

/* Waits for a child, and returns its status as waitpid(2) has it. */
static inline int join(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Runs `fn` in a child process and fails the test if the child fails. Returns
 * false if the child exited with EXIT_SKIP. */
static inline bool run(void (*fn)(struct unit_cache *), struct unit_cache *u)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fn(u);
		_exit(0);
	}
	status = join(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		return false;
	assert_int_equal(status, 0);
	return true;
}

/* Stores N blobs and their index entries, and closes the cache. */
static inline void fill(struct unit_cache *u)
{
	unit_open(u);
	for (unsigned i = 0; i < N; i++)
		unit_put(u->c, i, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_close(u);
}

/* In a child: opens the cache, and checks that each blob is right or missing,
 * and can be stored and read again. */
static inline void open_and_use(struct unit_cache *u)
{
	CHECK(unit_try_open(u) == 0);
	for (unsigned i = 0; i < N; i++) {
		int r = unit_get(u->c, i, SIZE);

		CHECK(r == 0 || r == -ENOENT);
		unit_put(u->c, i, SIZE, true);
		CHECK(unit_get(u->c, i, SIZE) == 0);
	}
	px_cache_close(u->c);
}

/* The path of a file of the database. */
static inline void file_path(struct unit_cache *u, const char *name, char *ret)
{
	snprintf(ret, 2 * UNIT_PATH, "%s/%s/%s", u->dir, PX_CACHE_SUBDIR, name);
}

static inline uint8_t *read_data(struct unit_cache *u, size_t *ret_n)
{
	char path[2 * UNIT_PATH];
	uint8_t *data;
	struct stat st;
	int fd;

	file_path(u, PX_CACHE_DATA, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(px_read_full(fd, data, (size_t)st.st_size),
			 st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	return data;
}

static inline void write_file(struct unit_cache *u, const char *name,
			      const uint8_t *data, size_t n)
{
	char path[2 * UNIT_PATH];
	int fd;

	/* The cache has removed the directory if its database was damaged. */
	file_path(u, "", path);
	mkdir(path, 0700);
	file_path(u, name, path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, data, n), 0);
	close(fd);
}

#endif
