/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "pycfs/answer.h"

struct question {
	struct px_answer answer;
	unsigned delay_us;
	int value;
};

static void *answer(void *arg)
{
	struct question *q = arg;

	usleep(q->delay_us);
	q->value = 42;
	px_answer_came(&q->answer);
	return NULL;
}

static void test_answer_of_another_thread(void **state PX_UNUSED)
{
	static const unsigned delays_us[] = {0, 20000};

	for (size_t i = 0; i < PX_ARRAY_LEN(delays_us); i++) {
		struct question q = {.answer = PX_ANSWER_INIT,
				     .delay_us = delays_us[i]};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, answer, &q), 0);
		px_answer_wait(&q.answer);
		assert_int_equal(q.value, 42);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

static void test_answer_of_the_same_thread(void **state PX_UNUSED)
{
	struct question q = {.answer = PX_ANSWER_INIT};

	answer(&q);
	px_answer_wait(&q.answer);
	assert_int_equal(q.value, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_of_another_thread),
		cmocka_unit_test(test_answer_of_the_same_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
