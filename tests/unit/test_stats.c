/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/stats.h"

#include <pthread.h>

static void test_names(void **state PX_UNUSED)
{
	assert_string_equal(px_counter_name(PX_COUNT_compiled), "compiled");
	assert_string_equal(px_counter_name(PX_COUNT_readdirs), "readdirs");
	assert_string_equal(px_counter_help(PX_COUNT_opens), "OPEN requests");
	for (int i = 0; i < PX_N_COUNTERS; i++) {
		enum px_counter c = (enum px_counter)i;

		assert_true(strlen(px_counter_help(c)) > 4);
		/* They are keys of JSON and of tests. */
		assert_int_equal(strspn(px_counter_name(c),
					"abcdefghijklmnopqrstuvwxyz_"),
				 strlen(px_counter_name(c)));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				px_counter_name((enum px_counter)j),
				px_counter_name(c));
	}
}

static void *add_many(void *arg)
{
	struct px_stats *s = arg;

	for (int i = 0; i < 100000; i++)
		px_stats_add(s, PX_COUNT_reads, 3);
	return NULL;
}

static void test_threads_add_up(void **state PX_UNUSED)
{
	static struct px_stats s;
	pthread_t threads[4];

	for (size_t i = 0; i < PX_ARRAY_LEN(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, add_many, &s), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PX_N_COUNTERS; i++)
		assert_int_equal(px_stats_get(&s, (enum px_counter)i),
				 i == PX_COUNT_reads ? 1200000 : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_threads_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
