/* SPDX-License-Identifier: MIT */
/*
 * The cache among enemies: damaged files, other processes, kill -9, full
 * disks. Every process opens the cache after its fork, as LMDB wants it.
 */
#include "cache_unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SIZE 20000
#define N    30

/* In a child, where cmocka's way of failing would run the other tests. */
#define CHECK(what)                                                        \
	do {                                                               \
		if (!(what)) {                                             \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#what);                                    \
			_exit(1);                                          \
		}                                                          \
	} while (0)
#define EXIT_SKIP 77

static int join(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Runs `fn` in a process of its own. Returns false if it wants to skip. */
static bool run(void (*fn)(struct unit_cache *), struct unit_cache *u)
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

static void file_path(struct unit_cache *u, const char *name, char *ret)
{
	snprintf(ret, 2 * UNIT_PATH, "%s/%s/%s", u->dir, PX_CACHE_SUBDIR, name);
}

static uint8_t *read_data(struct unit_cache *u, size_t *ret_n)
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

static void write_file(struct unit_cache *u, const char *name,
		       const uint8_t *data, size_t n)
{
	char path[2 * UNIT_PATH];
	int fd;

	file_path(u, name, path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, data, n), 0);
	close(fd);
}

/* N blobs and their entries, stored. */
static void fill(struct unit_cache *u)
{
	unit_open(u);
	for (unsigned i = 0; i < N; i++)
		unit_put(u->c, i, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_close(u);
}

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
	assert_false(px_cache_was_rebuilt(u->c));
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

/* The row leads to something that does not look like a blob. */
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
	/* It goes on in memory. */
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

static void assert_starts_afresh(struct unit_cache *u, bool rebuilt)
{
	unit_open(u);
	assert_int_equal(px_cache_was_rebuilt(u->c), rebuilt);
	assert_int_equal(unit_get(u->c, 5, SIZE), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 5, SIZE), -ENOENT);
	unit_put(u->c, 5, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	unit_reopen(u);
	assert_false(px_cache_was_rebuilt(u->c));
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
		assert_starts_afresh(u, lengths[i] > 0);
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
	assert_starts_afresh(u, true);
	memset(garbage, 0, 100000);
	write_file(u, PX_CACHE_DATA, garbage, 100000);
	assert_starts_afresh(u, true);
	/* LMDB's data version, by a later LMDB */
	data[20] = 2;
	write_file(u, PX_CACHE_DATA, data, n);
	assert_starts_afresh(u, true);
	/* Nobody has the lock file open, so what is in it does not matter. */
	memset(garbage, 0xff, 100000);
	write_file(u, PX_CACHE_LOCK, garbage, 100000);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 5, SIZE), 0);
	free(garbage);
	free(data);
}

static void open_and_use(struct unit_cache *u)
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

/* Each bit that LMDB believes before it has read a page. */
static void test_flipped_metas(void **state)
{
	struct unit_cache *u = *state;
	uint8_t *data;
	size_t n;

	fill(u);
	data = read_data(u, &n);
	for (size_t bit = 0; bit < 2 * 152 * 8; bit += 5) {
		size_t at = bit / 8 < 152 ? bit / 8 : bit / 8 - 152 + 4096;

		data[at] ^= (uint8_t)(1 << bit % 8);
		write_file(u, PX_CACHE_DATA, data, n);
		run(open_and_use, u);
		data[at] ^= (uint8_t)(1 << bit % 8);
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
	/* That others can read it is fine: what is in it they cannot. */
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

static void store_many(struct unit_cache *u, unsigned from)
{
	CHECK(unit_try_open(u) == 0);
	for (unsigned i = from; i < from + 200; i++) {
		unit_put(u->c, i, SIZE, true);
		if (i % 20 == 19)
			CHECK(px_cache_flush(u->c) == 0);
		CHECK(unit_get(u->c, i, SIZE) == 0);
	}
	px_cache_close(u->c);
	CHECK(px_stats_get(&u->stats, PX_COUNT_cache_errors) == 0);
	_exit(0);
}

static void test_two_processes(void **state)
{
	struct unit_cache *u = *state;
	pid_t pid[2];

	for (unsigned i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			store_many(u, i * 100);
	}
	assert_int_equal(join(pid[0]), 0);
	assert_int_equal(join(pid[1]), 0);
	unit_open(u);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(unit_get(u->c, i, SIZE), 0);
		assert_int_equal(unit_get_index(u->c, i, SIZE), 0);
	}
	assert_int_equal(unit_info(u->c).n_blobs, 300);
}

static void store_for_ever(struct unit_cache *u)
{
	u->tuning.delay_ms = 1;
	u->max_bytes = 1000000; /* so that eviction is cut short as well */
	CHECK(unit_try_open(u) == 0);
	for (unsigned i = 0;; i++) {
		unit_put(u->c, i % 500, SIZE, true);
		px_cache_flush(u->c);
	}
}

static void test_killed_writers(void **state)
{
	struct unit_cache *u = *state;
	unsigned n_there = 0;

	for (unsigned round = 0; round < 15; round++) {
		pid_t pid = fork();

		if (pid == 0)
			store_for_ever(u);
		usleep(20000 + round * 7001);
		kill(pid, SIGKILL);
		join(pid);
		unit_open(u);
		assert_false(px_cache_was_rebuilt(u->c));
		for (unsigned i = 0; i < 500; i++) {
			int r = unit_get(u->c, i, SIZE);

			assert_true(r == 0 || r == -ENOENT);
			n_there += r == 0;
			if (unit_get_index(u->c, i, SIZE) == 0)
				assert_int_equal(r, 0);
		}
		unit_put(u->c, 600 + round, SIZE, true);
		assert_int_equal(px_cache_flush(u->c), 0);
		unit_close(u);
	}
	assert_true(n_there > 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_damaged), 0);
	assert_int_equal(unit_count(u, PX_COUNT_cache_errors), 0);
}

struct pipes {
	int up[2];   /* "I am ready" */
	int down[2]; /* "go on" */
};

static void make_pipes(struct pipes *p)
{
	assert_int_equal(pipe(p->up), 0);
	assert_int_equal(pipe(p->down), 0);
}

static void close_pipes(struct pipes *p)
{
	close(p->up[0]);
	close(p->up[1]);
	close(p->down[0]);
	close(p->down[1]);
}

static void tell(const int fd[2])
{
	CHECK(write(fd[1], "x", 1) == 1);
}

static void hear(const int fd[2])
{
	char byte;

	CHECK(read(fd[0], &byte, 1) == 1);
}

/* Runs `fn` as process 1 of a PID namespace of its own. */
static void as_pid_1(void (*fn)(struct unit_cache *, struct pipes *),
		     struct unit_cache *u, struct pipes *p)
{
	int status = 0;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(EXIT_SKIP);
	pid = fork();
	if (pid == 0) {
		CHECK(getpid() == 1);
		fn(u, p);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	_exit(status != 0);
}

static void hold_cache(struct unit_cache *u, struct pipes *p)
{
	CHECK(unit_try_open(u) == 0);
	unit_put(u->c, 1, SIZE, true);
	CHECK(px_cache_flush(u->c) == 0);
	tell(p->up);
	hear(p->down);
	CHECK(unit_get(u->c, 1, SIZE) == 0);
	unit_put(u->c, 2, SIZE, true);
	CHECK(px_cache_flush(u->c) == 0);
	CHECK(unit_get(u->c, 2, SIZE) == 0);
	px_cache_close(u->c);
}

static void meet_holder(struct unit_cache *u, struct pipes *p)
{
	for (int i = 0; i < 3; i++) {
		CHECK(unit_try_open(u) == -EADDRINUSE);
		CHECK(strstr(u->why.text, "PID"));
		CHECK(strstr(u->why.text, "--no-cache"));
		u->c = NULL;
	}
	tell(p->down);
}

static void use_alone(struct unit_cache *u, struct pipes *p PX_UNUSED)
{
	CHECK(unit_try_open(u) == 0);
	CHECK(unit_get(u->c, 1, SIZE) == 0);
	CHECK(unit_get(u->c, 2, SIZE) == 0);
	px_cache_close(u->c);
}

static void test_same_pid_elsewhere(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	int status;
	pid_t a;
	pid_t b;

	make_pipes(&p);
	a = fork();
	if (a == 0)
		as_pid_1(hold_cache, u, &p);
	close(p.up[1]);
	{
		char byte;

		if (read(p.up[0], &byte, 1) != 1) {
			status = join(a);
			close_pipes(&p);
			assert_int_equal(WEXITSTATUS(status), EXIT_SKIP);
			skip();
		}
	}
	b = fork();
	if (b == 0)
		as_pid_1(meet_holder, u, &p);
	assert_int_equal(join(b), 0);
	assert_int_equal(join(a), 0);
	b = fork();
	if (b == 0)
		as_pid_1(use_alone, u, &p);
	assert_int_equal(join(b), 0);
	close_pipes(&p);
}

/* Another process is stopped in the middle of a write transaction. */
static void use_beside_stopped_writer(struct unit_cache *u)
{
	int64_t start;

	u->tuning.give_up_ms = 300;
	CHECK(unit_try_open(u) == 0);
	for (unsigned i = 0; i < N; i++) {
		CHECK(unit_get(u->c, i, SIZE) == 0);
		unit_put(u->c, N + i, SIZE, true);
		CHECK(unit_get(u->c, N + i, SIZE) == 0);
		CHECK(unit_get_index(u->c, N + i, SIZE) == 0);
	}
	start = px_now_ms();
	CHECK(px_cache_flush(u->c) == -ETIMEDOUT);
	CHECK(px_cache_queued(u->c) > 0);
	px_cache_close(u->c);
	CHECK(px_now_ms() - start >= 600);
	CHECK(px_now_ms() - start < 4000);
	/* What the writer still has must not be ours any more. */
	memset(&u->stats, 0xff, sizeof(u->stats));
	_exit(0);
}

static void hold_write_lock(struct unit_cache *u, struct pipes *p)
{
	MDB_txn *txn;

	CHECK(unit_try_open(u) == 0);
	CHECK(px_cache_begin(u->c, 0, &txn) == 0);
	tell(p->up);
	hear(p->down);
	px_cache_abort(u->c, txn);
	px_cache_close(u->c);
	_exit(0);
}

static void test_stopped_writer(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t holder;

	fill(u);
	make_pipes(&p);
	holder = fork();
	if (holder == 0)
		hold_write_lock(u, &p);
	hear(p.up);
	run(use_beside_stopped_writer, u);
	tell(p.down);
	assert_int_equal(join(holder), 0);
	close_pipes(&p);
}

/* The writer is let go after close has given up: it must finish in peace. */
static void close_then_let_go(struct unit_cache *u, struct pipes *p)
{
	u->tuning.give_up_ms = 50;
	CHECK(unit_try_open(u) == 0);
	unit_put(u->c, 900, SIZE, true);
	px_cache_close(u->c);
	memset(u, 0xff, sizeof(*u));
	tell(p->down);
	usleep(500000);
	_exit(0);
}

static void test_late_writer(void **state)
{
	struct unit_cache *u = *state;
	_Atomic uint32_t *today;
	struct pipes p;
	pid_t holder;
	pid_t pid;

	/* The clock of the test outlives the cache's user. */
	today = calloc(1, sizeof(*today));
	u->tuning.today = today;
	fill(u);
	make_pipes(&p);
	holder = fork();
	if (holder == 0)
		hold_write_lock(u, &p);
	hear(p.up);
	pid = fork();
	if (pid == 0)
		close_then_let_go(u, &p);
	assert_int_equal(join(pid), 0);
	assert_int_equal(join(holder), 0);
	close_pipes(&p);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 900, SIZE), 0);
	unit_close(u);
	free(today);
}

/* A killed holder of the writer mutex leaves it to the next. */
static void test_killed_in_transaction(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t holder;

	make_pipes(&p);
	holder = fork();
	if (holder == 0)
		hold_write_lock(u, &p);
	hear(p.up);
	kill(holder, SIGKILL);
	join(holder);
	fill(u);
	unit_open(u);
	assert_int_equal(unit_info(u->c).n_blobs, N);
	close_pipes(&p);
}

static void read_through_small_map(struct unit_cache *u, struct pipes *p)
{
	u->tuning.map_bytes = 1 << 20;
	CHECK(unit_try_open(u) == 0);
	CHECK(unit_get(u->c, 1, SIZE) == -ENOENT);
	tell(p->up);
	hear(p->down);
	for (unsigned i = 0; i < 200; i++) {
		CHECK(unit_get(u->c, i, SIZE) == 0);
		CHECK(unit_get_index(u->c, i, SIZE) == 0);
	}
	unit_put(u->c, 500, SIZE, true);
	CHECK(px_cache_flush(u->c) == 0);
	px_cache_close(u->c);
	_exit(0);
}

static void test_map_grows_elsewhere(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t pid;

	make_pipes(&p);
	pid = fork();
	if (pid == 0)
		read_through_small_map(u, &p);
	hear(p.up);
	unit_open(u);
	for (unsigned i = 0; i < 200; i++)
		unit_put(u->c, i, SIZE, true);
	assert_int_equal(px_cache_flush(u->c), 0);
	tell(p.down);
	assert_int_equal(join(pid), 0);
	assert_int_equal(unit_get(u->c, 500, SIZE), 0);
	close_pipes(&p);
}

/* The sanitizers need the address space themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void use_little_memory(struct unit_cache *u)
{
	struct rlimit limit = {512 << 20, 512 << 20};

	u->tuning.map_bytes = 0;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	open_and_use(u);
	CHECK(px_stats_get(&u->stats, PX_COUNT_cache_stored) == N);
}

static void test_little_address_space(void **state)
{
	run(use_little_memory, *state);
}
#endif

static void use_full_disk(struct unit_cache *u)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("px", u->top, "tmpfs", 0, "size=1m,mode=0700") < 0)
		_exit(EXIT_SKIP);
	CHECK(unit_try_open(u) == 0);
	for (unsigned i = 0; i < 200; i++) {
		unit_put(u->c, i, SIZE, true);
		if (i % 10 == 9)
			px_cache_flush(u->c);
		CHECK(unit_get(u->c, i, SIZE) == 0);
		CHECK(unit_get_index(u->c, i, SIZE) == 0);
	}
	/* Full, but it goes on: the last ones are stored. */
	CHECK(px_stats_get(&u->stats, PX_COUNT_cache_evicted) > 50);
	CHECK(px_stats_get(&u->stats, PX_COUNT_cache_damaged) == 0);
	px_cache_close(u->c);
	CHECK(unit_try_open(u) == 0);
	CHECK(!px_cache_was_rebuilt(u->c));
	CHECK(unit_get(u->c, 199, SIZE) == 0);
	px_cache_close(u->c);
}

static void test_full_disk(void **state)
{
	if (!run(use_full_disk, *state))
		skip();
}

static void open_on_full_disk(struct unit_cache *u)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("px", u->top, "tmpfs", 0, "size=64k,mode=0700") < 0)
		_exit(EXIT_SKIP);
	CHECK(unit_try_open(u) == -ENOSPC);
	CHECK(strstr(u->why.text, "--no-cache"));
}

static void test_no_disk_at_all(void **state)
{
	if (!run(open_on_full_disk, *state))
		skip();
}

static void open_read_only(struct unit_cache *u)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(u->top, u->top, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, u->top, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) <
		    0)
		_exit(EXIT_SKIP);
	CHECK(unit_try_open(u) == -EROFS);
	CHECK(strstr(u->why.text, "--no-cache"));
}

static void test_read_only(void **state)
{
	fill(*state);
	if (!run(open_read_only, *state))
		skip();
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_flipped_payload),
		WITH_CACHE(test_dropped_without_put),
		WITH_CACHE(test_damaged_structure),
		WITH_CACHE(test_truncated),
		WITH_CACHE(test_garbage),
		WITH_CACHE(test_flipped_metas),
		WITH_CACHE(test_refusals),
		WITH_CACHE(test_not_a_directory),
		WITH_CACHE(test_makes_directories),
		WITH_CACHE(test_two_processes),
		WITH_CACHE(test_killed_writers),
		WITH_CACHE(test_same_pid_elsewhere),
		WITH_CACHE(test_stopped_writer),
		WITH_CACHE(test_late_writer),
		WITH_CACHE(test_killed_in_transaction),
		WITH_CACHE(test_map_grows_elsewhere),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		WITH_CACHE(test_little_address_space),
#endif
		WITH_CACHE(test_full_disk),
		WITH_CACHE(test_no_disk_at_all),
		WITH_CACHE(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
