/* SPDX-License-Identifier: MIT */
/* How workers start, and what is done when they do not. */
#include "pool_unit.h"

static void compiler_moves(struct unit_pool *u, const char *from,
			   const char *to)
{
	char old[200], new[200];

	snprintf(old, sizeof(old), "%s/%s", u->top, from);
	snprintf(new, sizeof(new), "%s/%s", u->top, to);
	assert_int_equal(rename(old, new), 0);
}

static void use_own_compiler(struct unit_pool *u, char path[200])
{
	snprintf(path, 200, "%s/compiler", u->top);
	assert_int_equal(symlink(unit_program("PYCFS_FAKE_COMPILER"), path), 0);
	u->o.compiler = path;
}

static void test_start_errors(void **state)
{
	static const struct {
		const char *how;
		const char *text;
	} cases[] = {
		{"protocol", "another version"},
		{"magic", "libpython"},
		{"canary", "does not compile as"},
		{"hexversion", "3.8.1"},
		{"garbage", "worker"},
		{"result", "worker"},
		{"long-hello", "sent what is no answer"},
		{"exit", "the last words"},
		{"long-words", "the last words"},
	};
	struct unit_pool *u = *state;

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		int r = unit_try_fake(u, cases[i].how, 2, 0);

		print_message("%s: %d %s\n", cases[i].how, r, u->why.text);
		assert_true(r < 0);
		assert_null(u->p);
		assert_non_null(strstr(u->why.text, cases[i].text));
		assert_int_equal(unit_n_fds(), u->n_fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

/* Asked for at once, answered once a worker is there, or never is. */
static void test_ready_later(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j, *late;

	u->o.start_async = true;
	assert_int_equal(unit_try_fake(u, "slow", 1, 0), 0);
	j = unit_submit(u, "echo", "fine");
	assert_false(unit_ends(j, 50));
	assert_int_equal(px_pool_ready(u->p, &u->why), 0);
	unit_expect(j, PX_BLOB_CODE, "fine");
	px_pool_free(PX_STEAL(u->p));

	assert_int_equal(unit_try_fake(u, "exit", 1, 0), 0);
	j = unit_submit(u, "echo", "fine");
	assert_int_equal(px_pool_ready(u->p, &u->why), -EIO);
	assert_non_null(strstr(u->why.text, "the last words"));
	assert_int_equal(unit_wait(j)->err, -EIO);
	late = unit_submit(u, "echo", "fine");
	assert_int_equal(unit_wait(late)->err, -EIO);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 2);
	px_pool_free(PX_STEAL(u->p));

	assert_int_equal(unit_try_fake(u, "slow", 1, 0), 0);
	px_pool_stop(u->p);
	assert_int_equal(px_pool_ready(u->p, &u->why), -ECANCELED);
}

static void test_start_without_compiler(void **state)
{
	static const char *const paths[] = {"/nonexistent/pycfs-compiler",
					    "/dev/null", "/"};
	struct unit_pool *u = *state;

	for (size_t i = 0; i < PX_ARRAY_LEN(paths); i++) {
		u->o.compiler = paths[i];
		assert_true(unit_try_fake(u, "ok", 2, 0) < 0);
		assert_non_null(strstr(u->why.text, paths[i]));
		assert_null(u->p);
	}
}

static void test_slow_start(void **state)
{
	struct unit_pool *u = *state;

	assert_int_equal(unit_try_fake(u, "slow", 2, 50), 0);
	unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE, "fine");
}

/* Reinstalled, or its file system is gone: jobs fail, they do not hang, and
 * go on once it is back. */
static void test_compiler_vanishes(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j;
	char path[200];

	use_own_compiler(u, path);
	unit_fake(u, 1, 0);
	compiler_moves(u, "compiler", "away");
	j = unit_submit(u, "die", "");
	if (!unit_ends(j, 5000))
		fail_msg("a job hangs when no worker can be started");
	assert_int_equal(j->err, -EIO);
	compiler_moves(u, "away", "compiler");
	do
		j = unit_wait(unit_submit(u, "echo", "back"));
	while (j->err == -EIO && usleep(100000) == 0 && u->n_jobs < 100);
	unit_expect(j, PX_BLOB_CODE, "back");
}

/* One worker runs and others cannot be started, as where processes or memory
 * are limited: it does all, and others join when they can. */
static void test_some_cannot_start(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *gate, *jobs[10], *last;
	char path[200];

	use_own_compiler(u, path);
	unit_fake(u, 3, 0);
	compiler_moves(u, "compiler", "away");
	gate = shut_gate(u);
	for (unsigned i = 0; i < PX_ARRAY_LEN(jobs); i++)
		jobs[i] = unit_submit(u, "echo", "fine");
	assert_false(unit_ends(jobs[0], 300));
	open_gate(u);
	for (unsigned i = 0; i < PX_ARRAY_LEN(jobs); i++)
		unit_expect(jobs[i], PX_BLOB_CODE, "fine");
	unit_expect(gate, PX_BLOB_CODE, "g");
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 1);
	gate_unlink(u);
	gate = shut_gate(u);
	last = unit_submit(u, "echo", "fine");
	assert_false(unit_ends(last, 50));
	compiler_moves(u, "away", "compiler");
	unit_expect(last, PX_BLOB_CODE, "fine");
	assert_int_equal(gate->n_done, 0);
	open_gate(u);
	unit_wait(gate);
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 0);
}

/* The same before the first one is there. */
static void test_some_cannot_start_at_first(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *jobs[10];
	char path[200];

	use_own_compiler(u, path);
	u->o.start_async = true;
	assert_int_equal(unit_try_fake(u, "slow", 3, 0), 0);
	while (unit_stat(u, PX_COUNT_spawned) == 0)
		usleep(1000);
	compiler_moves(u, "compiler", "away");
	for (unsigned i = 0; i < PX_ARRAY_LEN(jobs); i++)
		jobs[i] = unit_submit(u, "echo", "fine");
	assert_int_equal(px_pool_ready(u->p, &u->why), 0);
	for (unsigned i = 0; i < PX_ARRAY_LEN(jobs); i++)
		unit_expect(jobs[i], PX_BLOB_CODE, "fine");
}

/* To say hello is not to be of use. */
static void test_lost_before_an_answer(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j;

	assert_int_equal(unit_try_fake(u, "twice", 1, 0), 0);
	j = unit_submit(u, "echo", "fine");
	if (!unit_ends(j, 10000))
		fail_msg("%u workers were started, and the job hangs",
			 (unsigned)unit_stat(u, PX_COUNT_spawned));
	assert_int_equal(j->err, -EIO);
	assert_in_range(unit_stat(u, PX_COUNT_spawned), 1, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(test_start_errors),
		POOL_TEST(test_ready_later),
		POOL_TEST(test_start_without_compiler),
		POOL_TEST(test_slow_start),
		POOL_TEST(test_compiler_vanishes),
		POOL_TEST(test_some_cannot_start),
		POOL_TEST(test_some_cannot_start_at_first),
		POOL_TEST(test_lost_before_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
