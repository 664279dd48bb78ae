/* SPDX-License-Identifier: MIT */
/* A cache that is only read, beside one that is written. */
#include "cache_child.h"

#include <signal.h>

#define N_FLIPS 400

static void seed_path(struct unit_cache *u, const char *name, char *ret)
{
	snprintf(ret, 2 * UNIT_PATH, "%s/seed%s%s", u->top, *name ? "/" : "",
		 name);
}

/* A cache with the N blobs of fill() in top/seed, and an empty one in u. */
static void make_seed(struct unit_cache *u)
{
	char path[2 * UNIT_PATH];

	fill(u);
	seed_path(u, "", path);
	assert_int_equal(rename(u->dir, path), 0);
}

static int add_seed(struct unit_cache *u)
{
	char path[2 * UNIT_PATH];

	seed_path(u, "", path);
	return px_cache_seed(u->c, path, &u->why);
}

static void data_path(struct unit_cache *u, char *ret)
{
	seed_path(u, PX_CACHE_SUBDIR "/" PX_CACHE_DATA, ret);
}

static void test_served_and_not_copied(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_entry e = {.kind = PX_BLOB_CODE, .size = SIZE};
	uint8_t index[PX_DIGEST_SIZE];

	make_seed(u);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 3, SIZE), -ENOENT);
	assert_int_equal(add_seed(u), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(unit_get(u->c, i, SIZE), 0);
	assert_int_equal(unit_get(u->c, N, SIZE), -ENOENT);
	assert_int_equal(unit_count(u, PX_COUNT_seeded), N);
	/* The seed's index is not used, as its rows are for files elsewhere.
	 * But an entry of this cache may lead to a blob of the seed. */
	assert_int_equal(unit_get_index(u->c, 3, SIZE), -ENOENT);
	unit_key(3, e.key);
	unit_key(1000003, index);
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	assert_int_equal(unit_get_index(u->c, 3, SIZE), 0);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_get_index(u->c, 3, SIZE), 0);
	/* What is new is stored in this cache. */
	unit_put(u->c, 500, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, 1);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 3, SIZE), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 3, SIZE), -ENOENT);
	assert_int_equal(add_seed(u), 0);
	assert_int_equal(unit_get_index(u->c, 3, SIZE), 0);
	assert_int_equal(unit_get(u->c, 500, SIZE), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
}

static void test_read_only(void **state)
{
	struct unit_cache *u = *state;
	char path[2 * UNIT_PATH];
	struct stat before, after;

	make_seed(u);
	data_path(u, path);
	assert_int_equal(chmod(path, 0400), 0);
	seed_path(u, PX_CACHE_SUBDIR "/" PX_CACHE_LOCK, path);
	assert_int_equal(unlink(path), 0);
	seed_path(u, PX_CACHE_SUBDIR, path);
	assert_int_equal(stat(path, &before), 0);
	unit_open(u);
	assert_int_equal(add_seed(u), 0);
	assert_int_equal(unit_get(u->c, 3, SIZE), 0);
	unit_close(u);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
		    after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

static void expect_refused(struct unit_cache *u, const char *name, mode_t mode)
{
	char path[2 * UNIT_PATH];
	struct stat st;

	seed_path(u, name, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(add_seed(u), -EPERM);
	assert_non_null(strstr(u->why.text, "could put code"));
	assert_int_equal(chmod(path, st.st_mode & 07777), 0);
}

static void test_refused(void **state)
{
	struct unit_cache *u = *state;
	char path[2 * UNIT_PATH];
	char elsewhere[2 * UNIT_PATH];

	unit_open(u);
	assert_int_equal(add_seed(u), -ENOENT);
	unit_close(u);
	make_seed(u);
	unit_open(u);
	expect_refused(u, "", 0777);
	expect_refused(u, PX_CACHE_SUBDIR, 0770);
	expect_refused(u, PX_CACHE_SUBDIR "/" PX_CACHE_DATA, 0622);
	/* Nor if everybody can put another directory in its place. */
	assert_int_equal(chmod(u->top, 0777), 0);
	assert_int_equal(add_seed(u), -EPERM);
	assert_non_null(strstr(u->why.text, "in its place"));
	assert_int_equal(chmod(u->top, 01777), 0);
	/* Its file must be no symbolic link and no FIFO. */
	data_path(u, path);
	seed_path(u, "data", elsewhere);
	assert_int_equal(rename(path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_true(add_seed(u) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(add_seed(u) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(add_seed(u), -ENOENT);
	/* An empty file is a database that nobody has written yet. */
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_true(add_seed(u) < 0);
}

static void test_damaged(void **state)
{
	struct unit_cache *u = *state;
	char path[2 * UNIT_PATH];
	uint32_t x = 5;
	unsigned n_found = 0, n_opened = 0;
	struct stat st;
	int fd;

	make_seed(u);
	data_path(u, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	for (unsigned i = 0; i < N_FLIPS; i++) {
		uint8_t byte, flipped;
		off_t at;

		x = x * 1664525u + 1013904223u;
		/* Half of them where the trees begin. */
		at = (off_t)(x >> 4) % (i % 2 ? st.st_size : st.st_size / 20);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ (uint8_t)(1u << (x & 7));
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		unit_open(u);
		n_opened += add_seed(u) == 0;
		for (unsigned k = 0; k < N; k++) {
			const int r = unit_get(u->c, k, SIZE);

			assert_true(r == 0 || r == -ENOENT);
			n_found += r == 0;
		}
		unit_close(u);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	assert_true(n_opened > N_FLIPS / 2);
	assert_true(n_found > N * N_FLIPS / 2 && n_found < N * N_FLIPS);
}

static void keep_writing(struct unit_cache *u)
{
	unsigned n = 1000;

	seed_path(u, "", u->dir);
	u->tuning.delay_ms = 1;
	CHECK(unit_try_open(u) == 0);
	for (;;) {
		unit_put(u->c, n++, SIZE, true);
		CHECK(px_cache_flush(u->c) == 0);
		if (n % 20 == 0)
			CHECK(px_cache_clear(u->c) == 0);
	}
}

/* While another process writes to the seed, what is read is right or missing.
 */
static void test_written_meanwhile(void **state)
{
	struct unit_cache *u = *state;
	const int64_t until = px_now_ms() + 1500;
	pid_t pid;

	make_seed(u);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		keep_writing(u);
	unit_open(u);
	for (unsigned i = 0; px_now_ms() < until; i++) {
		if (i % 50 == 0) {
			unit_reopen(u);
			add_seed(u); /* may find it empty */
		}
		for (unsigned k = 0; k < 2000; k += 37)
			assert_int_not_equal(unit_get(u->c, k, SIZE), 1);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_served_and_not_copied),
		WITH_CACHE(test_read_only),
		WITH_CACHE(test_refused),
		WITH_CACHE(test_damaged),
		WITH_CACHE(test_written_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
