/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/buf.h"

#include <stdio.h>

static void test_buf_grows_to_max(void **state PX_UNUSED)
{
	struct px_buf b = {.max = 1000};
	uint8_t chunk[100];

	for (int i = 0; i < 10; i++) {
		memset(chunk, i, sizeof(chunk));
		assert_int_equal(px_buf_add(&b, chunk, sizeof(chunk)), 0);
		assert_true(b.size <= b.capacity && b.capacity <= b.max);
	}
	assert_int_equal(b.size, 1000);
	assert_int_equal(px_buf_add(&b, chunk, 1), -EFBIG);
	assert_int_equal(px_buf_add(&b, chunk, 0), 0);
	assert_int_equal(px_buf_reserve(&b, SIZE_MAX), -EFBIG);
	assert_int_equal(b.size, 1000);
	for (size_t i = 0; i < b.size; i++)
		assert_int_equal(b.data[i], i / 100);
	px_buf_fini(&b);
	assert_null(b.data);
	assert_int_equal(b.size + b.capacity, 0);
}

static void test_buf_small_max(void **state PX_UNUSED)
{
	struct px_buf b = {.max = 3};
	struct px_buf huge = {.max = SIZE_MAX};

	assert_int_equal(px_buf_add_le32(&b, 1), -EFBIG);
	assert_int_equal(b.size, 0);
	assert_int_equal(px_buf_add(&b, "abc", 3), 0);
	assert_int_equal(b.capacity, 3);
	px_buf_fini(&b);
	assert_int_equal(px_buf_reserve(&huge, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(px_buf_add(&huge, "abc", 3), 0);
	assert_int_equal(px_buf_reserve(&huge, SIZE_MAX - 3), -ENOMEM);
	assert_int_equal(px_buf_reserve(&huge, SIZE_MAX - 2), -EFBIG);
	assert_memory_equal(huge.data, "abc", 3);
	px_buf_fini(&huge);
}

static void test_buf_fields_and_consume(void **state PX_UNUSED)
{
	static const uint8_t expected[] = {4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
	struct px_buf b = {.max = 100};

	px_buf_consume(&b, 0);
	assert_int_equal(px_buf_add_le32(&b, 0x01020304), 0);
	assert_int_equal(px_buf_add_le64(&b, 0x0102030405060708), 0);
	assert_int_equal(b.size, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	px_buf_consume(&b, 4);
	assert_int_equal(b.size, 8);
	assert_memory_equal(b.data, expected + 4, 8);
	px_buf_consume(&b, 8);
	assert_int_equal(b.size, 0);
	px_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows_to_max),
		cmocka_unit_test(test_buf_small_max),
		cmocka_unit_test(test_buf_fields_and_consume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
