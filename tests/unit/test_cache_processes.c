/* SPDX-License-Identifier: MIT */
/*
 * The cache among other processes and short of room: writers beside it,
 * killed or stopped, the same PID elsewhere, a full disk.
 */
#include "cache_child.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* The sanitizers need the address space themselves. */
#if defined(__has_feature)
#define IS_SANITIZED \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

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
		assert_int_equal(px_cache_was_rebuilt(u->c), 0);
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
	/* The writer, which still runs, must not count in here any more. */
	memset(&u->stats, 0xff, sizeof(u->stats));
	_exit(0);
}

static void hold_write_lock(struct unit_cache *u, struct pipes *p)
{
	MDB_txn *txn;

	CHECK(unit_try_open(u) == 0);
	CHECK(px_db_begin(u->c->db, 0, &txn) == 0);
	tell(p->up);
	hear(p->down);
	px_db_abort(u->c->db, txn);
	px_cache_close(u->c);
	_exit(0);
}

static pid_t start_holder(struct unit_cache *u, struct pipes *p)
{
	pid_t pid;

	make_pipes(p);
	pid = fork();
	if (pid == 0)
		hold_write_lock(u, p);
	hear(p->up);
	return pid;
}

static void test_stopped_writer(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t holder;

	fill(u);
	holder = start_holder(u, &p);
	run(use_beside_stopped_writer, u);
	tell(p.down);
	assert_int_equal(join(holder), 0);
	close_pipes(&p);
}

/* A close gives up on its writer, which can go on only afterwards. It must not
 * use memory that the closer has unmapped by then. */
static void close_before_writer_ends(struct unit_cache *u, struct pipes *p)
{
	struct px_stats *stats =
		mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct px_cache_options o = {
		.dir = u->dir, .max_bytes = u->max_bytes, .stats = stats};

	CHECK(stats != MAP_FAILED);
	u->tuning.give_up_ms = 50;
	CHECK(px_cache_open_tuned(&o, &u->tuning, &u->c, &u->why) == 0);
	unit_put(u->c, 900, SIZE, true);
	px_cache_close(u->c);
	munmap(stats, sizeof(*stats));
	tell(p->down);
	/* The writer stores it meanwhile. */
	usleep(300000);
	_exit(0);
}

static void test_late_writer(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t holder;
	pid_t pid;

	fill(u);
	holder = start_holder(u, &p);
	pid = fork();
	if (pid == 0)
		close_before_writer_ends(u, &p);
	assert_int_equal(join(pid), 0);
	assert_int_equal(join(holder), 0);
	close_pipes(&p);
	unit_open(u);
	assert_int_equal(unit_get(u->c, 900, SIZE), 0);
}

static void *clear_cache(void *arg)
{
	struct px_cache *c = arg;

	return px_cache_clear(c) == 0 ? NULL : c;
}

/* Until the writer has taken all that was queued. */
static void wait_until_writing(struct px_cache *c)
{
	struct px_writer *w = c->writer;
	bool writing = false;

	while (!writing) {
		usleep(1000);
		pthread_mutex_lock(&w->lock);
		writing = w->pending.place[PX_PLACE_WRITING].first &&
			  !w->pending.place[PX_PLACE_QUEUED].first;
		pthread_mutex_unlock(&w->lock);
	}
}

/* A clear also deletes what the writer has taken and not yet written. */
static void test_clear_while_busy(void **state)
{
	struct unit_cache *u = *state;
	pthread_t thread;
	struct pipes p;
	void *bad = u;
	pid_t holder;

	fill(u);
	holder = start_holder(u, &p);
	u->tuning.delay_ms = 1;
	unit_open(u);
	unit_put(u->c, 900, SIZE, true);
	wait_until_writing(u->c);
	assert_int_equal(pthread_create(&thread, NULL, clear_cache, u->c), 0);
	while (unit_get(u->c, 900, SIZE) == 0)
		usleep(1000);
	unit_put(u->c, 901, SIZE, true);
	tell(p.down);
	assert_int_equal(join(holder), 0);
	pthread_join(thread, &bad);
	assert_null(bad);
	assert_int_equal(px_cache_flush(u->c), 0);
	assert_int_equal(unit_get(u->c, 900, SIZE), -ENOENT);
	assert_int_equal(unit_get_index(u->c, 900, SIZE), -ENOENT);
	assert_int_equal(unit_get(u->c, 0, SIZE), -ENOENT);
	assert_true(unit_info(u->c).n_blobs <= 1);
	unit_put(u->c, 901, SIZE, true);
	unit_reopen(u);
	assert_int_equal(unit_info(u->c).n_blobs, 1);
	assert_int_equal(unit_get_index(u->c, 901, SIZE), 0);
	close_pipes(&p);
}

struct clearing {
	struct px_writer *writer;
	atomic_bool done;
};

static void *clear_memory(void *arg)
{
	struct clearing *c = arg;

	px_writer_clear(c->writer);
	atomic_store(&c->done, true);
	return NULL;
}

/* What a clear does before its own transaction: it forgets what is in memory at
 * once, and waits until the writer has written what it had taken. */
static void test_clear_waits_for_batch(void **state)
{
	struct unit_cache *u = *state;
	struct clearing clearing = {.done = false};
	pthread_t thread;
	struct pipes p;
	bool too_early;
	pid_t holder;

	fill(u);
	holder = start_holder(u, &p);
	u->tuning.delay_ms = 1;
	unit_open(u);
	unit_put(u->c, 900, SIZE, true);
	wait_until_writing(u->c);
	clearing.writer = u->c->writer;
	assert_int_equal(pthread_create(&thread, NULL, clear_memory, &clearing),
			 0);
	while (unit_get(u->c, 900, SIZE) == 0)
		usleep(1000);
	usleep(50000);
	too_early = atomic_load(&clearing.done);
	tell(p.down);
	assert_int_equal(join(holder), 0);
	pthread_join(thread, NULL);
	assert_false(too_early);
	assert_int_equal(unit_info(u->c).n_blobs, N + 1);
	assert_int_equal(px_cache_clear(u->c), 0);
	assert_int_equal(unit_info(u->c).n_blobs, 0);
	close_pipes(&p);
}

/* An index entry is replaced while the old one is being written. */
static void test_index_changes_while_busy(void **state)
{
	struct unit_cache *u = *state;
	struct px_cache_entry e = {.kind = PX_BLOB_CODE, .size = SIZE};
	uint8_t index[PX_DIGEST_SIZE];
	struct px_cache_entry got;
	struct pipes p;
	pid_t holder;

	fill(u);
	holder = start_holder(u, &p);
	u->tuning.delay_ms = 1;
	unit_open(u);
	unit_key(5000, index);
	unit_key(1, e.key);
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	wait_until_writing(u->c);
	unit_key(2, e.key);
	px_cache_put(u->c, e.key, NULL, 0, index, &e);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(px_cache_index_get(u->c, index, &got), 0);
		assert_memory_equal(got.key, e.key, sizeof(got.key));
		if (i == 0)
			tell(p.down);
		assert_int_equal(px_cache_flush(u->c), 0);
	}
	assert_int_equal(join(holder), 0);
	close_pipes(&p);
}

/* If the holder of the writer mutex is killed, the next process gets it. */
static void test_killed_in_transaction(void **state)
{
	struct unit_cache *u = *state;
	struct pipes p;
	pid_t holder;

	holder = start_holder(u, &p);
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
	if (IS_SANITIZED)
		skip();
	run(use_little_memory, *state);
}

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
	CHECK(px_cache_was_rebuilt(u->c) == 0);
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
		WITH_CACHE(test_two_processes),
		WITH_CACHE(test_killed_writers),
		WITH_CACHE(test_same_pid_elsewhere),
		WITH_CACHE(test_stopped_writer),
		WITH_CACHE(test_late_writer),
		WITH_CACHE(test_clear_while_busy),
		WITH_CACHE(test_clear_waits_for_batch),
		WITH_CACHE(test_index_changes_while_busy),
		WITH_CACHE(test_killed_in_transaction),
		WITH_CACHE(test_map_grows_elsewhere),
		WITH_CACHE(test_little_address_space),
		WITH_CACHE(test_full_disk),
		WITH_CACHE(test_no_disk_at_all),
		WITH_CACHE(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
