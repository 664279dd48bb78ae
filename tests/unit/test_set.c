/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/set.h"

static void test_set(void **state PX_UNUSED)
{
	struct px_set s = {0};

	/* 0 and 1 are one to it: 0 marks a free slot. */
	assert_false(px_set_add(&s, 0));
	assert_true(px_set_add(&s, 0));
	assert_true(px_set_add(&s, 1));
	for (uint64_t i = 2; i < 5000; i++)
		assert_false(px_set_add(&s, i << 32 | i % 64));
	for (uint64_t i = 2; i < 5000; i++)
		assert_true(px_set_add(&s, i << 32 | i % 64));
	assert_int_equal(s.n, 4999);
	px_set_fini(&s);
	assert_false(px_set_add(&s, 1));
	px_set_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
