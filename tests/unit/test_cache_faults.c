/* SPDX-License-Identifier: MIT */
/* The cache and damaged files, and directories it must not trust. */
#include "cache_child.h"

#define META_SIZE 152 /* of a meta page: header, MDB_meta (mdb.c 0.9.24) */

static size_t find_payload(const uint8_t *data, size_t n, unsigned blob)
{
	struct px_blob *b = unit_blob(blob, SIZE);
	const uint8_t *at = memmem(data, n, b->data, b->size);

	px_blob_unref(b);
	assert_non_null(at);
	return (size_t)(at - data);
}

static void test_flipped_payload(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	data[find_payload(data, n, 5) + 777] ^= 0x10;
	write_file(u, PX_CACHE_DATA, data, n);
	free(data);
	u->tuning.delay_ms = 3600000;
	unit_open(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(unit_get(u->c, 5, SIZE), -ENOENT);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 1);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(unit_get(u->c, i, SIZE), i == 5 ? -ENOENT : 0);
	unit_put(u->c, 5, SIZE, true);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_reopen(u);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(unit_get(u->c, i, SIZE), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 1);
	assert_int_equal(unit_info(u->c).n_blobs, N);
	assert_int_equal(unit_info(u->c).blob_bytes,
			 N * (SIZE + PX_BLOB_STORED_HEADER));
}

static void test_dropped_without_put(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	data[find_payload(data, n, 5) + SIZE - 1] ^= 1;
	write_file(u, PX_CACHE_DATA, data, n);
	free(data);
	unit_open(u);
	assert_int_equal(unit_get_index(u->c, 5, SIZE), 0);
	assert_int_equal(unit_get(u->c, 5, SIZE), -ENOENT);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, N - 1);
	assert_int_equal(unit_get_index(u->c, 5, SIZE), -ENOENT);
}

/* The row leads to something that does not begin as a blob does. */
static void test_damaged_structure(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	memset(data + find_payload(data, n, 5) - PX_BLOB_STORED_HEADER, 0, 40);
	write_file(u, PX_CACHE_DATA, data, n);
	free(data);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 5, SIZE), -ENOENT);
	assert_true(unit_count(u, PX_COUNT_cache_damaged) > 0);
	assert_true(unit_count(u, PX_COUNT_cache_errors) > 0);
	/* The cache goes on in memory. */
	assert_int_equal(unit_get(u->c, 6, SIZE), -ENOENT);
	unit_put(u->c, 5, SIZE, true);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	assert_int_equal(unit_get_index(u->c, 5, SIZE), 0);
	px_cache_flush(u->c);
	unit_reopen(u);
	assert_int_equal(unit_info(u->c).n_blobs, 0);
	unit_put(u->c, 5, SIZE, true);
	unit_reopen(u);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
}

static void test_verify_leaves_no_trace(void **state)
{
	struct unit_cache *u = *state;
	uint64_t n, damaged;
	uint8_t *data;
	size_t size;

	fill(u);
	u->today = 150;
	unit_open(u);
	assert_int_equal(px_cache_verify(u->c, &n, &damaged), 0);
	assert_true(n == N && damaged == 0);
	unit_reopen(u);
	assert_int_equal(unit_info(u->c).oldest_day, 100);
	assert_int_equal(unit_info(u->c).n_served, 0);
	unit_close(u);
	data = read_data(u, &size);
	data[find_payload(data, size, 5) + 777] ^= 0x10;
	write_file(u, PX_CACHE_DATA, data, size);
	free(data);
	unit_open(u);
	assert_int_equal(px_cache_verify(u->c, &n, &damaged), 0);
	assert_true(n == N && damaged == 1);
	assert_int_equal(px_cache_verify(u->c, &n, &damaged), 0);
	assert_true(n == N - 1 && damaged == 0);
}

#define N_MANY 600

static void evict_and_fill(struct unit_cache *u)
{
	uint64_t n, bytes;

	CHECK(unit_try_open(u) == 0);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < N_MANY; i++)
			unit_put(u->c, i, 100, false);
		CHECK(px_cache_flush(u->c) == 0);
		CHECK(px_cache_gc(u->c, UINT32_MAX, 0, &n, &bytes) == 0);
	}
	px_cache_close(u->c);
}

/* Blobs that another process evicts meanwhile do not count as damaged. */
static void test_verify_while_others_evict(void **state)
{
	struct unit_cache *u = *state;
	uint64_t n, damaged;
	int status;
	pid_t pid;

	fill(u);
	pid = fork();
	if (pid == 0) {
		evict_and_fill(u);
		_exit(0);
	}
	unit_open(u);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_int_equal(px_cache_verify(u->c, &n, &damaged), 0);
		assert_int_equal(damaged, 0);
	}
	assert_int_equal(status, 0);
}

static void assert_starts_afresh(struct unit_cache *u, int rebuilt)
{
	unit_open(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), rebuilt);
	assert_int_equal(unit_get(u->c, 5, SIZE), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 5, SIZE), -ENOENT);
	unit_put(u->c, 5, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_reopen(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), 0);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	unit_close(u);
}

static void test_truncated(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	const size_t lengths[] = {0,	1,     100,   4096,	5000, 8192,
				  8193, 12288, n / 2, n - 4097, n - 1};

	for (size_t i = 0; i < PX_ARRAY_LEN(lengths); i++) {
		write_file(u, PX_CACHE_DATA, data, lengths[i]);
		assert_starts_afresh(u, lengths[i] > 0 ? -EUCLEAN : 0);
	}
	free(data);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors),
			 PX_ARRAY_LEN(lengths) - 1);
}

static void test_garbage(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *garbage = malloc(100000);
	size_t n;
	uint8_t *data;

	fill(u);
	data = read_data(u, &n);
	for (size_t i = 0; i < 100000; i++)
		garbage[i] = (uint8_t)(i * 2654435761u >> 13);
	write_file(u, PX_CACHE_DATA, garbage, 100000);
	assert_starts_afresh(u, -EUCLEAN);
	memset(garbage, 0, 100000);
	write_file(u, PX_CACHE_DATA, garbage, 100000);
	assert_starts_afresh(u, -EUCLEAN);
	/* LMDB's data version, by a later LMDB; then as 0.9.90 has it, 8 bytes
	 * later. */
	data[20] = 2;
	write_file(u, PX_CACHE_DATA, data, n);
	assert_starts_afresh(u, -EPROTONOSUPPORT);
	memmove(data + 24, data + 16, 8);
	memset(data + 16, 0, 8);
	write_file(u, PX_CACHE_DATA, data, n);
	assert_starts_afresh(u, -EPROTONOSUPPORT);
	/* The first process to open the cache initialises the lock file, so it
	 * does not matter what is in it. */
	memset(garbage, 0xff, 100000);
	write_file(u, PX_CACHE_LOCK, garbage, 100000);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	free(garbage);
	free(data);
}

/* Writes into both mutexes of the lock file (mdb.c 0.9.24, MDB_txninfo:
 * mti_rmutex and mti_wmutex) that thread 1 owns them, which never unlocks them.
 * The file stays open, because closing it would release LMDB's fcntl locks. */
static void hold_locks_for_ever(struct unit_cache *u)
{
	static const off_t places[] = {8, 64};
	char path[2 * UNIT_PATH];
	uint8_t owner[4];
	int fd;

	file_path(u, PX_CACHE_LOCK, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	px_put_le32(owner, 1);
	for (size_t i = 0; i < PX_ARRAY_LEN(places); i++)
		CHECK(pwrite(fd, owner, sizeof(owner), places[i]) == 4);
}

static void *read_all(void *arg)
{
	struct unit_cache *u = arg;

	for (unsigned i = 0; i < N; i++) {
		CHECK(unit_get(u->c, i, SIZE) == 0);
		CHECK(unit_get_index(u->c, i, SIZE) == 0);
		unit_put(u->c, N + i, SIZE, true);
		CHECK(unit_get(u->c, N + i, SIZE) == 0);
	}
	return NULL;
}

static void open_beside(struct unit_cache *u)
{
	alarm(30);
	CHECK(unit_try_open(u) == -ETIMEDOUT);
	CHECK(strstr(u->why.text, PX_CACHE_LOCK));
}

/* Threads that have not read before, and more than there are transactions. */
static void use_with_held_locks(struct unit_cache *u)
{
	pthread_t thread[20];

	alarm(30);
	u->tuning.give_up_ms = 300;
	CHECK(unit_try_open(u) == 0);
	hold_locks_for_ever(u);
	for (size_t i = 0; i < PX_ARRAY_LEN(thread); i++)
		CHECK(px_thread_start(&thread[i], read_all, u) == 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	CHECK(px_cache_flush(u->c) == -ETIMEDOUT);
	px_cache_close(u->c);
	u->c = NULL;
	/* LMDB still has the lock file open in this process. */
	run(open_beside, u);
	_exit(0);
}

static void test_locks_held_for_ever(void **state)
{
	struct unit_cache *u = *state;

	fill(u);
	run(use_with_held_locks, u);
	/* The first process to open the cache initialises the lock file, so it
	 * does not matter what is in it. */
	unit_open(u);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	unit_put(u->c, 900, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
}

/* Opens the cache with one bit of its meta pages wrong. */
static void flip_meta_bit(struct unit_cache *u, uint8_t *data, size_t n,
			  size_t bit)
{
	size_t at = bit / 8 < META_SIZE ? bit / 8 : bit / 8 - META_SIZE + 4096;

	data[at] ^= (uint8_t)(1 << bit % 8);
	write_file(u, PX_CACHE_DATA, data, n);
	run(open_and_use, u);
	data[at] ^= (uint8_t)(1 << bit % 8);
}

/* LMDB uses the meta pages before it has read any other. All their 2,432 bits
 * were tried once, in two minutes; this tries every 31st of them, and those at
 * which LMDB crashed. */
static void test_flipped_metas(void **state)
{
	/* page size 0; flags DUPSORT; roots */
	static const size_t crashed[] = {332, 354, 642, 643, 644, 1026};
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	for (size_t bit = 0; bit < 2 * META_SIZE * 8; bit += 31)
		flip_meta_bit(u, data, n, bit);
	for (size_t i = 0; i < PX_ARRAY_LEN(crashed); i++) {
		flip_meta_bit(u, data, n, crashed[i]);
		flip_meta_bit(u, data, n, crashed[i] + META_SIZE * 8);
	}
	free(data);
}

static void test_refusals(void **state)
{
	struct unit_cache *u = *state;
	char path[2 * UNIT_PATH];
	static const mode_t modes[] = {0777, 01777, 0770, 0702};

	assert_int_equal(mkdir(u->dir, 0755), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(modes); i++) {
		chmod(u->dir, modes[i]);
		assert_int_equal(unit_try_open(u), -EPERM);
		assert_non_null(strstr(u->why.text, "--cache DIR"));
		assert_non_null(strstr(u->why.text, "--no-cache"));
		assert_non_null(strstr(u->why.text, "go-w"));
	}
	/* Others may read DIR: the database in it they cannot. */
	chmod(u->dir, 0755);
	unit_open(u);
	unit_close(u);
	snprintf(path, sizeof(path), "%s/%s", u->dir, PX_CACHE_SUBDIR);
	chmod(path, 0707);
	assert_int_equal(unit_try_open(u), -EPERM);
	chmod(path, 0755);
	unit_open(u);
	unit_close(u);
	file_path(u, PX_CACHE_DATA, path);
	chmod(path, 0622);
	assert_int_equal(unit_try_open(u), -EPERM);
	chmod(path, 0600);
	file_path(u, PX_CACHE_LOCK, path);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(unit_try_open(u), -EPERM);
	unlink(path);
	if (geteuid() == 0) {
		assert_int_equal(chown(u->dir, 1234, 0), 0);
		assert_int_equal(unit_try_open(u), -EPERM);
		assert_non_null(strstr(u->why.text, "1234"));
		assert_non_null(strstr(u->why.text, "--no-cache"));
		assert_int_equal(chown(u->dir, 0, 0), 0);
	}
	unit_open(u);
}

/* A temporary one is made where TMPDIR says: nobody else may be able to put
 * another in its place. */
static void test_temporary_place(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_options o = {.max_bytes = u->max_bytes,
				     .stats = &u->stats};
	const char *old = getenv("TMPDIR");
	PX_AUTOFREE char *kept = old ? strdup(old) : NULL;
	char tmp[2 * UNIT_PATH];
	static const struct {
		mode_t mode;
		int wanted;
	} rows[] = {
		{0777, -EPERM}, {0703, -EPERM}, {01777, 0},
		{0755, 0},	{0770, 0},
	};

	snprintf(tmp, sizeof(tmp), "%s/tmp", u->top);
	assert_int_equal(mkdir(tmp, 0700), 0);
	setenv("TMPDIR", tmp, 1);
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		int r;

		chmod(tmp, rows[i].mode);
		r = px_cache_open_tuned(&o, &u->tuning, &u->c, &u->why);
		if (r != rows[i].wanted)
			fail_msg("%04o: %d", rows[i].mode, r);
		if (r < 0)
			assert_non_null(strstr(u->why.text, "set TMPDIR"));
		else
			unit_close(u);
		/* Nothing is left in it. */
		assert_int_equal(rmdir(tmp), 0);
		assert_int_equal(mkdir(tmp, 0700), 0);
	}
	if (kept)
		setenv("TMPDIR", kept, 1);
	else
		unsetenv("TMPDIR");
}

static void test_not_a_directory(void **state)
{
	struct unit_cache *u = *state;
	char other[2 * UNIT_PATH];
	char *end;

	snprintf(other, sizeof(other), "%s/other", u->top);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlink(other, u->dir), 0);
	assert_int_equal(unit_try_open(u), -ENOTDIR);
	end = u->dir + strlen(u->dir);
	memcpy(end, "//", 3); /* would follow it */
	assert_int_equal(unit_try_open(u), -ENOTDIR);
	*end = '\0';
	unlink(u->dir);
	close(creat(u->dir, 0600));
	assert_int_equal(unit_try_open(u), -ENOTDIR);
	assert_non_null(strstr(u->why.text, "--no-cache"));
	memcpy(end, "/x/y", 5);
	assert_int_equal(unit_try_open(u), -ENOTDIR);
	u->dir[0] = '\0';
	assert_int_equal(unit_try_open(u), -EINVAL);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_makes_directories(void **state)
{
	struct unit_cache *u = *state;
	static const char line[] =
		"Signature: 8a477f597d28d172789f06886806bc55\n";
	char path[2 * UNIT_PATH];
	char text[64] = "";
	mode_t old = umask(022);
	int fd;

	snprintf(u->dir, sizeof(u->dir), "%.400s/a/b//c/", u->top);
	unit_open(u);
	umask(old);
	assert_int_equal(mode_of(u->dir), 0700);
	snprintf(path, sizeof(path), "%s/a/b", u->top);
	assert_int_equal(mode_of(path), 0755);
	snprintf(path, sizeof(path), "%s/%s", u->dir, PX_CACHE_SUBDIR);
	assert_int_equal(mode_of(path), 0700);
	file_path(u, PX_CACHE_DATA, path);
	assert_int_equal(mode_of(path), 0600);
	file_path(u, PX_CACHE_LOCK, path);
	assert_int_equal(mode_of(path), 0600);
	snprintf(path, sizeof(path), "%s/CACHEDIR.TAG", u->dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(px_read_full(fd, text, sizeof(text)) > 0);
	assert_memory_equal(text, line, sizeof(line) - 1);
	close(fd);
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_flipped_payload),
		WITH_CACHE(test_dropped_without_put),
		WITH_CACHE(test_damaged_structure),
		WITH_CACHE(test_verify_leaves_no_trace),
		WITH_CACHE(test_verify_while_others_evict),
		WITH_CACHE(test_truncated),
		WITH_CACHE(test_garbage),
		WITH_CACHE(test_locks_held_for_ever),
		WITH_CACHE(test_flipped_metas),
		WITH_CACHE(test_refusals),
		WITH_CACHE(test_temporary_place),
		WITH_CACHE(test_not_a_directory),
		WITH_CACHE(test_makes_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
