/* SPDX-License-Identifier: MIT */
/* The pool with the real pycfs-compiler and the Python of this machine. */
#include "pool_unit.h"
#include "pyc_unit.h"

#include "pycfs/filename.h"

/* Source that takes any Python seconds to compile, and little memory. */
#define SLOW_LINES 150000

static void start(struct unit_pool *u, unsigned n_workers, unsigned timeout_ms)
{
	int r;

	u->o = (struct px_pool_options){
		.compiler = unit_program("PYCFS_COMPILER"),
		.n_workers = n_workers,
		.timeout_ms = timeout_ms,
		.stats = &u->stats,
	};
	r = px_python_find(&(struct px_python_query){.compiler = u->o.compiler},
			   (void *)&u->o.python, &u->why);
	if (r == 0)
		r = px_pool_start(&u->o, &u->p, &u->why);
	if (r < 0)
		fail_msg("%d: %s", r, u->why.text);
}

static int teardown(void **state)
{
	struct unit_pool *u = *state;
	struct px_python *py = (struct px_python *)(uintptr_t)u->o.python;

	px_pool_stop(u->p);
	px_python_free(py);
	return unit_pool_teardown(state);
}

static char *slow_source(void)
{
	static const char line[] = "a = b + c(d)\n";
	char *all = malloc(SLOW_LINES * (sizeof(line) - 1) + 1);
	char *p = all;

	for (int i = 0; i < SLOW_LINES; i++)
		p = stpcpy(p, line);
	return all;
}

static void check_pyc(struct unit_pool *u, struct unit_job *j)
{
	struct pyc_header h = {0};

	assert_int_equal(unit_wait(j)->err, 0);
	assert_int_equal(j->blob->kind, PX_BLOB_CODE);
	assert_int_equal(pyc_decode(j->blob->data, j->blob->size, &h), 0);
	assert_int_equal(h.magic, u->o.python->magic);
	assert_int_equal(h.mode, PX_PYC_UNCHECKED_HASH);
	assert_true(j->blob->size > PX_PYC_HEADER_SIZE + 20);
}

static void test_compiles(void **state)
{
	struct unit_pool *u = *state;
	struct unit_job *a, *b, *c;

	start(u, 1, 0);
	a = unit_submit(u, "dir/a.py", "x = 'some constant'\n");
	b = unit_submit(u, "dir/b.py", "x = 'some constant'\n");
	c = unit_submit(u, "dir/a.py", "x = 'some constant'\n");
	check_pyc(u, a);
	check_pyc(u, b);
	check_pyc(u, c);
	/* Without their names they are the same. */
	assert_int_equal(a->blob->data[a->blob->name_at], PX_FILENAME_MARK);
	assert_null(memmem(a->blob->data, a->blob->size, "dir/a.py", 8));
	assert_int_equal(a->blob->size, b->blob->size);
	assert_memory_equal(a->blob->data, b->blob->data, a->blob->size);
	assert_non_null(memmem(a->blob->data, a->blob->size, "constant", 8));
	assert_int_equal(a->blob->size, c->blob->size);
	assert_memory_equal(a->blob->data, c->blob->data, a->blob->size);
	check_pyc(u, unit_submit(u, "empty.py", ""));
	check_pyc(u, unit_submit(u, "\xff.py", "x = 1"));
	assert_int_equal(unit_stat(u, PX_COUNT_plain), 0);
}

static void test_rejected(void **state)
{
	static const struct {
		const char *source;
		const char *text;
		uint32_t line;
		bool has_column;
	} cases[] = {
		{"x = 1\ny = (\n", "SyntaxError", 2, true},
		{"x = 1\n\nreturn 1\n", "SyntaxError", 3, false},
		{"def f():\nx = 1\n", "IndentationError", 2, true},
		{"# coding: nonsense\n", "SyntaxError", 0, false},
		{"x = '\xff'\n", "SyntaxError", 0, false},
	};
	struct unit_pool *u = *state;

	start(u, 1, 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct unit_job *j = unit_submit(u, "m.py", cases[i].source);

		unit_expect(j, PX_BLOB_REJECTED, cases[i].text);
		print_message("%u:%u %.*s\n", j->blob->line, j->blob->column,
			      (int)j->blob->size, (const char *)j->blob->data);
		if (cases[i].line > 0)
			assert_int_equal(j->blob->line, cases[i].line);
		if (cases[i].has_column)
			assert_true(j->blob->column > 0);
	}
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), PX_ARRAY_LEN(cases));
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 1);
}

/* Nothing that source can say kills or stalls a worker for the next one. */
static void test_hostile(void **state)
{
	static const struct {
		const char *head;
		const char *unit;
		size_t n;
		const char *tail;
	} cases[] = {
		{"x = ", "(", 10000, "1"},
		{"x = ", "-", 200000, "1"},
		{"x = a", ".b", 100000, ""},
		{"x = 1", " + 1", 100000, ""},
		{"x = ", "lambda: ", 20000, "1"},
		{"x = a", "[0]", 100000, ""},
		{"x = a", "()", 100000, ""},
		{"x = ", "not ", 100000, "1"},
		{"x = 0", " if a else 0", 30000, ""},
		{"", "if a:\n ", 200, "x"},
		{"x = 'a' ", "'b' ", 100000, ""},
		{"x = 2 ** 10000000 ", "* 2 ** 1000000", 100, ""},
	};
	struct unit_pool *u = *state;

	start(u, 1, 20000);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char *text = malloc(strlen(cases[i].head) + 1 +
				    strlen(cases[i].unit) * cases[i].n +
				    strlen(cases[i].tail));
		char *p = stpcpy(text, cases[i].head);
		struct unit_job *j;

		for (size_t k = 0; k < cases[i].n; k++)
			p = stpcpy(p, cases[i].unit);
		stpcpy(p, cases[i].tail);
		j = unit_wait(unit_submit(u, "hostile.py", text));
		assert_int_equal(j->err, 0);
		print_message(
			"%s: %d %.*s\n", cases[i].unit, j->blob->kind,
			j->blob->kind == PX_BLOB_CODE ? 0 : (int)j->blob->size,
			(const char *)j->blob->data);
		check_pyc(u, unit_submit(u, "next.py", "x = 1"));
		free(text);
	}
}

static void test_many_jobs_once_each(void **state)
{
	struct unit_pool *u = *state;
	char name[20], source[40];

	start(u, 3, 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "m%u.py", i);
		snprintf(source, sizeof(source),
			 i % 10 ? "x = '%s'\n" : "x = %s = \n", name);
		unit_submit(u, name, source);
	}
	for (unsigned i = 0; i < 200; i++) {
		struct unit_job *j = unit_wait(&u->jobs[i]);

		assert_int_equal(j->err, 0);
		snprintf(name, sizeof(name), "m%u.py", i);
		if (i % 10 == 0) {
			assert_int_equal(j->blob->kind, PX_BLOB_REJECTED);
			continue;
		}
		check_pyc(u, j);
		assert_non_null(memmem(j->blob->data, j->blob->size, name,
				       strlen(name)));
	}
	assert_int_equal(u->n_done, 200);
	assert_int_equal(unit_stat(u, PX_COUNT_compiled), 200);
	assert_int_equal(unit_stat(u, PX_COUNT_rejected), 20);
}

static void test_deadline(void **state)
{
	struct unit_pool *u = *state;
	char *source = slow_source();
	struct unit_job *slow, *next;

	start(u, 1, 300);
	slow = unit_submit(u, "slow.py", source);
	next = unit_submit(u, "next.py", "x = 1\n");
	free(source);
	unit_expect(slow, PX_BLOB_FAILED, "0.300 seconds");
	check_pyc(u, next);
	assert_int_equal(unit_stat(u, PX_COUNT_timeouts), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 2);
}

static void test_killed_while_busy(void **state)
{
	struct unit_pool *u = *state;
	char *source = slow_source();
	struct unit_job *slow;

	start(u, 1, 0);
	slow = unit_submit(u, "slow.py", source);
	free(source);
	assert_false(unit_ends(slow, 100));
	assert_true(unit_kill_child());
	check_pyc(u, slow);
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 1);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 2);
}

/* CPython 3.9 and later compiles the last block of `finally` twice, and so each
 * one in which it lies: 60 MB of 700 bytes. */
static void test_grows_too_much(void **state)
{
	struct unit_pool *u = *state;
	char source[4000], *p = source;
	struct unit_job *j;

	start(u, 1, 0);
	for (int depth = 0; depth < 19; depth++)
		p += sprintf(p, "%*stry: f()\n%*sfinally:\n", depth, "", depth,
			     "");
	sprintf(p, "%*sg()\n", 19, "");
	j = unit_wait(unit_submit(u, "m.py", source));
	if (u->o.python->hexversion >= 0x030b0000)
		unit_expect(j, PX_BLOB_FAILED, "too large for a source");
	check_pyc(u, unit_submit(u, "next.py", "x = 1"));
	assert_int_equal(unit_stat(u, PX_COUNT_crashes), 0);
	assert_int_equal(unit_stat(u, PX_COUNT_spawned), 1);
}

/* What whoever started us left open is not a worker's. */
static void test_inherits_nothing(void **state)
{
	struct unit_pool *u = *state;
	int fds[2];
	ssize_t n;
	char c;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0); /* not close-on-exec */
	start(u, 1, 0);
	check_pyc(u, unit_submit(u, "a.py", "x = 1\n"));
	close(fds[1]);
	/* The end, as nobody else has the other end: not EAGAIN. */
	n = read(fds[0], &c, 1);
	close(fds[0]);
	assert_int_equal(n, 0);
}

static void test_missing_libpython(void **state)
{
	struct unit_pool *u = *state;
	struct px_python py = {
		.libpython = (char *)(uintptr_t) "/nonexistent/libpython3.so",
		.canary = (char *)(uintptr_t) "0123",
		.magic = 1,
	};

	u->o = (struct px_pool_options){
		.python = &py,
		.compiler = unit_program("PYCFS_COMPILER"),
		.n_workers = 1,
		.stats = &u->stats,
	};
	assert_true(px_pool_start(&u->o, &u->p, &u->why) < 0);
	u->o.python = NULL;
	assert_non_null(strstr(u->why.text, "/nonexistent/libpython3.so"));
	assert_null(u->p);
}

#define PYTHON_TEST(f) \
	cmocka_unit_test_setup_teardown(f, unit_pool_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PYTHON_TEST(test_compiles),
		PYTHON_TEST(test_rejected),
		PYTHON_TEST(test_hostile),
		PYTHON_TEST(test_many_jobs_once_each),
		PYTHON_TEST(test_deadline),
		PYTHON_TEST(test_killed_while_busy),
		PYTHON_TEST(test_grows_too_much),
		PYTHON_TEST(test_inherits_nothing),
		PYTHON_TEST(test_missing_libpython),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
