/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/bounded.h"

#include <fcntl.h>
#include <signal.h>

static int answer_number(const void *arg, void *answer)
{
	memcpy(answer, arg, sizeof(int));
	return -EDOM;
}

static int never(PX_UNUSED const void *arg, PX_UNUSED void *answer)
{
	while (true)
		pause();
	return 0;
}

static int die(PX_UNUSED const void *arg, PX_UNUSED void *answer)
{
	return raise(SIGKILL);
}

/* Whether descriptor *arg is open there. */
static int has_fd(const void *arg, void *answer)
{
	const int open = fcntl(*(const int *)arg, F_GETFD) >= 0;

	memcpy(answer, &open, sizeof(open));
	return 0;
}

static void test_an_answer(void **state PX_UNUSED)
{
	const int n = 4711;
	int got = 0;

	assert_int_equal(
		px_bounded(answer_number, &n, &got, sizeof(got), 10000), -EDOM);
	assert_int_equal(got, n);
	assert_int_equal(px_bounded(answer_number, &n, &got, 5000, 10000),
			 -EINVAL);
}

static void test_none(void **state PX_UNUSED)
{
	assert_int_equal(px_bounded(never, NULL, NULL, 0, 20), -ETIMEDOUT);
	assert_int_equal(px_bounded(die, NULL, NULL, 0, 10000), -EIO);
}

/* Or whoever reads our output to its end would wait for what is left behind. */
static void test_it_holds_nothing(void **state PX_UNUSED)
{
	const int out = 1;
	int open = -1;

	assert_int_equal(px_bounded(has_fd, &out, &open, sizeof(open), 10000),
			 0);
	assert_int_equal(open, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_it_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
