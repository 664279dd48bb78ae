/* SPDX-License-Identifier: MIT */
/* The pool with compilers that fail in every way: tests/unit/fake_compiler.c.
 * How they start: test_pool_start.c. With the real one: test_pool_python.c. */
#include "pool_unit.h"

/* Jobs ahead that a pool of one worker has room for. */
#define AHEAD 4

/* ------------------------------------------------------------- answers */

static void test_answers(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j;

	unit_fake(u, 1, 0);
	unit_expect(unit_submit(u, "echo", "some code"), PX_BLOB_CODE,
		    "some code");
	unit_expect(unit_submit(u, "plain", "plain"), PX_BLOB_CODE, "plain");
	unit_expect(unit_submit(u, "failed", "memory"), PX_BLOB_FAILED,
		    "memory");
	j = unit_submit(u, "reject", "no good");
	unit_expect(j, PX_BLOB_REJECTED, "no good");
	assert_int_equal(j->blob->line, 3);
	assert_int_equal(j->blob->column, 4);
	assert_int_equal(unit_stat(u, PX_COUNT_compiled), 4);
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 2);
	assert_int_equal(unit_stat(u, PX_COUNT_plain), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

static void test_large_frames(void **state)
{
	const size_t n = 20u << 20;
	struct unit_pool *u = *state;
	char *source = malloc(n + 1);
	struct unit_job *j;

	for (size_t i = 0; i < n; i++)
		source[i] = (char)('a' + i * i % 26);
	source[n] = '\0';
	unit_fake(u, 1, 0);
	j = unit_wait(unit_submit(u, "echo", source));
	assert_int_equal(j->err, 0);
	assert_int_equal(j->blob->size, n);
	assert_memory_equal(j->blob->data, source, n);
	unit_expect(unit_submit(u, "echo", "small"), PX_BLOB_CODE, "small");
	free(source);
}

/* An answer has a bound that follows from the source. */
static void test_largest_answer(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j;

	unit_fake(u, 1, 0);
	j = unit_wait(unit_submit(u, "large", "x = 1"));
	assert_int_equal(j->err, 0);
	assert_int_equal(j->blob->kind, PX_BLOB_CODE);
	assert_true(j->blob->size > 16u << 20);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

static void test_many_jobs_once_each(void **state)
{
	struct unit_pool *u = *state;
	char source[20];

	unit_fake(u, 3, 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(source, sizeof(source), "<%u>", i);
		unit_submit(u, "echo", source);
	}
	for (unsigned i = 0; i < 200; i++) {
		snprintf(source, sizeof(source), "<%u>", i);
		unit_expect(&u->jobs[i], PX_BLOB_CODE, source);
	}
	assert_int_equal(u->n_done, 200);
	assert_int_equal(unit_stat(u, PX_COUNT_compiled), 200);
	assert_in_range(unit_stat(u, PX_COUNT_spawned), 1, 3);
}

/* -------------------------------------------------------------- ordering */

static void test_priorities(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *a, *b, *c, *w1, *w2;

	unit_fake(u, 1, 0);
	shut_gate(u);
	a = unit_ahead(u, "echo");
	b = unit_ahead(u, "echo");
	c = unit_ahead(u, "echo");
	w1 = unit_submit(u, "echo", "");
	px_pool_promote(u->p, c->id);
	w2 = unit_submit(u, "echo", "");
	px_pool_promote(u->p, c->id);	   /* it is waited for already */
	px_pool_promote(u->p, w1->id);	   /* so is this */
	px_pool_promote(u->p, 1000000000); /* nobody */
	assert_false(unit_ends(w1, 50));
	open_gate(u);
	unit_wait(a);
	unit_wait(b);
	assert_int_equal(w1->order, 2);
	assert_int_equal(unit_wait(c)->order, 3);
	assert_int_equal(w2->order, 4);
	assert_int_equal(a->order, 5);
	assert_int_equal(b->order, 6);
	px_pool_promote(u->p, a->id); /* done long ago */
	/* Somebody asked for c before it was compiled. */
	assert_int_equal(unit_stat(u, PX_COUNT_ahead), 2);
}

/* Taking the last of a queue, then adding to it. */
static void test_promote_the_last(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *a, *b, *c;

	unit_fake(u, 1, 0);
	shut_gate(u);
	a = unit_ahead(u, "echo");
	b = unit_ahead(u, "echo");
	px_pool_promote(u->p, b->id);
	c = unit_ahead(u, "echo");
	px_pool_promote(u->p, a->id);
	open_gate(u);
	assert_int_equal(unit_wait(c)->order, 4);
	assert_int_equal(b->order, 2);
	assert_int_equal(a->order, 3);
}

static void *wait_room(void *arg)
{
	struct unit_pool *u = arg;

	return (void *)(intptr_t)px_pool_wait_room(u->p);
}

static bool joins(pthread_t thread, unsigned ms, int expected)
{
	struct timespec end;
	void *r;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	if (pthread_timedjoin_np(thread, &r, &end) != 0)
		return false;
	assert_int_equal((intptr_t)r, expected);
	return true;
}

static void test_room(void **state)
{
	struct unit_pool *u = *state;
	pthread_t thread;

	unit_fake(u, 1, 0);
	assert_int_equal(px_pool_wait_room(u->p), 0);
	shut_gate(u);
	for (int i = 0; i < AHEAD; i++) {
		assert_int_equal(px_pool_wait_room(u->p), 0);
		unit_ahead(u, "echo");
	}
	unit_submit(u, "echo", ""); /* does not count */
	pthread_create(&thread, NULL, wait_room, u);
	assert_false(joins(thread, 100, 0));
	open_gate(u);
	assert_true(joins(thread, PATIENCE * 1000, 0));
}

static void test_promotion_makes_room(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *a = NULL;
	pthread_t thread;

	unit_fake(u, 1, 0);
	shut_gate(u);
	for (int i = 0; i < AHEAD; i++)
		a = unit_ahead(u, "echo");
	pthread_create(&thread, NULL, wait_room, u);
	assert_false(joins(thread, 50, 0));
	px_pool_promote(u->p, a->id);
	assert_true(joins(thread, PATIENCE * 1000, 0));
	open_gate(u);
	unit_wait(a);
}

/* -------------------------------------------------------------- failures */

static void test_death_is_tried_again(void **state)
{
	struct unit_pool *u = *state;
	char name[250];

	unit_fake(u, 1, 0);
	snprintf(name, sizeof(name), "die-once %s/died", u->top);
	unit_expect(unit_submit(u, name, "survived"), PX_BLOB_CODE, "survived");
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 2);
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 0);
}

static void test_death_twice_is_final(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{"die", "status 5: last words"},
		{"signal", "signal 6"},
		{"garbage", "died"},
		{"unknown", "died"},
		{"huge", "sent what is no answer"},
		{"larger", "sent what is no answer"},
		{"short", "died"},
		{"wrong-id", "died"},
		{"hello", "died"},
		{"no-mark", "sent what is no answer"},
		{"far-mark", "sent what is no answer"},
	};
	struct unit_pool *u = *state;

	unit_fake(u, 1, 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct unit_job *j, *next;

		print_message("%s\n", cases[i].name);
		j = unit_submit(u, cases[i].name, "");
		next = unit_submit(u, "echo", "fine");
		unit_expect(j, PX_BLOB_FAILED, cases[i].text);
		unit_expect(next, PX_BLOB_CODE, "fine");
		assert_int_equal(unit_stat(u, PX_COUNT_crashes), 2 * (i + 1));
		assert_int_equal(unit_stat(u, PX_COUNT_rejected), i + 1);
	}
	assert_int_equal(unit_stat(u, PX_COUNT_spawned),
			 1 + 2 * PX_ARRAY_LEN(cases));
}

static void test_deadline(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *late, *next;
	int64_t start;

	unit_fake(u, 1, 300);
	start = px_now_ms();
	late = unit_submit(u, "stall", "");
	next = unit_submit(u, "echo", "fine");
	unit_expect(late, PX_BLOB_FAILED, "0.300 seconds");
	assert_true(px_now_ms() - start >= 300);
	unit_expect(next, PX_BLOB_CODE, "fine");
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

/* The deadline is of CPU time, as long as there is some. */
static void test_deadline_is_of_cpu_time(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *slow, *late;
	int64_t start;

	unit_fake(u, 1, 400);
	start = px_now_ms();
	slow = unit_submit(u, "starve", "fine");
	unit_expect(slow, PX_BLOB_CODE, "fine");
	assert_true(px_now_ms() - start >= 700);
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 0);
	late = unit_submit(u, "spin", "");
	unit_expect(late, PX_BLOB_FAILED, "0.400 seconds of CPU time");
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 1);
}

/* A worker's CPU time has an end, but none that a module dies of. */
static void test_worn_out(void **state)
{
	PX_AUTOFREE char *source = calloc(1, 40001);
	struct unit_pool *u = *state;

	/* So large that one is sent at a time, and none is done twice. */
	memset(source, 'w', 40000);
	/* Long, for a machine where others are busy, too. */
	unit_fake(u, 1, 500);
	for (int i = 0; i < 70; i++)
		unit_submit(u, "work", source);
	for (int i = 0; i < 70; i++)
		unit_expect(&u->jobs[i], PX_BLOB_CODE, "w");
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 2);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 0);
}

/* A deadline is a job's, not a queue's. */
static void test_waiting_is_not_compiling(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *last = NULL;

	unit_fake(u, 1, 400);
	for (int i = 0; i < 3; i++)
		unit_submit(u, "stall", "");
	last = unit_submit(u, "echo", "fine");
	unit_expect(last, PX_BLOB_CODE, "fine");
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 3);
}

static void test_one_stalls_others_go_on(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *gate;

	unit_fake(u, 2, 0);
	gate = shut_gate(u);
	for (int i = 0; i < 20; i++)
		unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE,
			    "fine");
	assert_int_equal(gate->n_done, 0);
	open_gate(u);
	unit_wait(gate);
}

static void test_killed_while_idle(void **state)
{
	struct unit_pool *u = *state;

	unit_fake(u, 1, 0);
	for (int i = 0; i < 3; i++) {
		assert_true(unit_kill_child());
		unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE,
			    "fine");
	}
	unit_expect(unit_submit(u, "twice", "fine"), PX_BLOB_CODE, "fine");
	unit_expect(unit_submit(u, "quit", "fine"), PX_BLOB_CODE, "fine");
	unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE, "fine");
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 0);
}

static void test_killed_while_busy(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *gate;

	unit_fake(u, 1, 0);
	gate = shut_gate(u);
	assert_false(unit_ends(gate, 100));
	assert_true(unit_kill_child());
	open_gate(u);
	assert_int_equal(unit_wait(gate)->blob->kind, PX_BLOB_CODE);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 1);
}

/* What lay behind the module that a worker died of had no part in it. */
static void test_death_spares_those_behind(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *gate, *behind[5];
	char source[20];

	unit_fake(u, 1, 0);
	unit_expect(unit_submit(u, "echo", "up"), PX_BLOB_CODE, "up");
	for (unsigned n = 1; n <= 2; n++) {
		gate = shut_gate_of(u, 10);
		for (unsigned i = 0; i < 5; i++) {
			snprintf(source, sizeof(source), "<%u>", i);
			behind[i] = unit_submit(u, "echo", source);
		}
		/* At once, and when they have been taken back. */
		assert_false(unit_ends(gate, n == 1 ? 20 : 200));
		assert_true(unit_kill_child());
		open_gate(u);
		assert_int_equal(unit_wait(gate)->blob->kind, PX_BLOB_CODE);
		for (unsigned i = 0; i < 5; i++) {
			snprintf(source, sizeof(source), "<%u>", i);
			unit_expect(behind[i], PX_BLOB_CODE, source);
		}
		assert_int_equal(unit_stat(u, PX_COUNT_crashes), n);
		gate_unlink(u);
	}
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 0);
	assert_int_equal(unit_stat(u, PX_COUNT_compiled), 1 + 2 * 6);
}

/* What lies behind a module that takes long goes to another worker, and what
 * the first one answers later is nobody's. */
static void test_taken_back(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *gate, *jobs[30];
	char source[20];

	unit_fake(u, 2, 0);
	for (unsigned i = 0; i < 10; i++)
		unit_submit(u, "echo", "");
	unit_wait(&u->jobs[9]);
	gate = shut_gate_of(u, 10);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(source, sizeof(source), "<%u>", i);
		jobs[i] = unit_submit(u, "echo", source);
	}
	for (unsigned i = 0; i < 30; i++) {
		snprintf(source, sizeof(source), "<%u>", i);
		unit_expect(jobs[i], PX_BLOB_CODE, source);
	}
	assert_int_equal(gate->n_done, 0);
	open_gate(u);
	unit_wait(gate);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(source, sizeof(source), "[%u]", i);
		jobs[i] = unit_submit(u, "echo", source);
	}
	for (unsigned i = 0; i < 30; i++) {
		snprintf(source, sizeof(source), "[%u]", i);
		unit_expect(jobs[i], PX_BLOB_CODE, source);
	}
	assert_int_equal(unit_stat(u, PX_COUNT_compiled), 10 + 1 + 60);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

/* -------------------------------------------------------------- stopping */

static void test_stop(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *j;
	pthread_t thread;
	unsigned n;

	unit_fake(u, 2, 0);
	unit_submit(u, "stall", "");
	unit_submit(u, "stall", "");
	for (int i = 0; i < 20; i++)
		unit_submit(u, "echo", "");
	for (int i = 0; i < 2 * AHEAD; i++)
		unit_ahead(u, "echo");
	pthread_create(&thread, NULL, wait_room, u);
	assert_false(joins(thread, 100, 0));
	n = u->n_jobs;
	px_pool_stop(u->p);
	assert_true(joins(thread, PATIENCE * 1000, -ECANCELED));
	assert_int_equal(u->n_done, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(u->jobs[i].n_done, 1);
		assert_int_equal(u->jobs[i].err, -ECANCELED);
		assert_null(u->jobs[i].blob);
	}
	assert_int_equal(px_pool_wait_room(u->p), -ECANCELED);
	assert_int_equal(unit_try_submit(u, "echo", "", PX_PRIORITY_WAITED, &j),
			 -ECANCELED);
	assert_int_equal(unit_try_submit(u, "echo", "", PX_PRIORITY_AHEAD, &j),
			 -ECANCELED);
	assert_int_equal(j->n_done, 0);
	px_pool_promote(u->p, 1);
	px_pool_stop(u->p);
	px_pool_stop(NULL);
	px_pool_free(NULL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_stop_at_once(void **state)
{
	struct unit_pool *u = *state;

	for (int i = 0; i < 10; i++) {
		unit_fake(u, 4, 0);
		for (int k = 0; k < 20; k++)
			unit_submit(u, k % 3 ? "echo" : "die", "");
		px_pool_free(u->p);
		u->p = NULL;
		assert_int_equal(u->n_done, u->n_jobs);
	}
}

static void test_too_large_to_send(void **state)
{
	struct unit_pool *u = *state;
	const struct px_frame_compile task = {
		.co_filename = {(const uint8_t *)"x", 1},
		.source = {(const uint8_t *)"", PX_FRAME_MAX},
	};

	unit_fake(u, 1, 0);
	assert_int_equal(px_pool_submit(u->p, &task, PX_PRIORITY_WAITED,
					unit_on_done, NULL, NULL),
			 -EFBIG);
}

/* Without isolation a worker goes on; with it, it ends after its group. */
static void test_groups(void **state)
{
	struct unit_pool *u = *state;
	static const uint64_t groups[] = {7, 7, 8, 8, 7};

	u->o.isolate = true;
	unit_fake(u, 1, 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(groups); i++) {
		u->group = groups[i];
		unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE,
			    "fine");
	}
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 3);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

/* Many at once, of many groups: each worker has one, and jobs of one group are
 * taken before the next, though others came first. */
static void test_groups_at_once(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *jobs[60];

	u->o.isolate = true;
	unit_fake(u, 3, 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(jobs); i++) {
		u->group = 1 + i % 6;
		jobs[i] = unit_submit(u, "echo", "fine");
	}
	for (size_t i = 0; i < PX_ARRAY_LEN(jobs); i++)
		unit_expect(jobs[i], PX_BLOB_CODE, "fine");
	/* One for each group, and for jobs that came when theirs was gone. */
	assert_in_range(unit_stat(u, PX_COUNT_spawned), 6, 30);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
}

static void test_a_death_in_a_group(void **state)
{
	struct unit_pool *u = *state;

	u->o.isolate = true;
	unit_fake(u, 2, 0);
	u->group = 5;
	unit_expect(unit_submit(u, "die", ""), PX_BLOB_FAILED, "status 5");
	unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE, "fine");
	u->group = 6;
	unit_expect(unit_submit(u, "echo", "fine"), PX_BLOB_CODE, "fine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(test_answers),
		POOL_TEST(test_large_frames),
		POOL_TEST(test_largest_answer),
		POOL_TEST(test_many_jobs_once_each),
		POOL_TEST(test_priorities),
		POOL_TEST(test_promote_the_last),
		POOL_TEST(test_room),
		POOL_TEST(test_promotion_makes_room),
		POOL_TEST(test_death_is_tried_again),
		POOL_TEST(test_death_twice_is_final),
		POOL_TEST(test_deadline),
		POOL_TEST(test_waiting_is_not_compiling),
		POOL_TEST(test_deadline_is_of_cpu_time),
		POOL_TEST(test_worn_out),
		POOL_TEST(test_one_stalls_others_go_on),
		POOL_TEST(test_killed_while_idle),
		POOL_TEST(test_killed_while_busy),
		POOL_TEST(test_death_spares_those_behind),
		POOL_TEST(test_taken_back),
		POOL_TEST(test_stop),
		POOL_TEST(test_stop_at_once),
		POOL_TEST(test_too_large_to_send),
		POOL_TEST(test_groups),
		POOL_TEST(test_groups_at_once),
		POOL_TEST(test_a_death_in_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
