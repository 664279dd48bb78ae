/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/util.h"

#include <fcntl.h>
#include <stdio.h>

static void test_little_endian(void **state PX_UNUSED)
{
	static const uint8_t bytes[8] = {1, 2, 3, 0x84, 5, 6, 7, 0x88};
	uint8_t out[8] = {0};

	assert_int_equal(px_get_le32(bytes), 0x84030201u);
	assert_true(px_get_le64(bytes) == 0x8807060584030201u);
	px_put_le32(out, 0x84030201u);
	assert_memory_equal(out, bytes, 4);
	assert_int_equal(out[4], 0);
	px_put_le64(out, 0x8807060584030201u);
	assert_memory_equal(out, bytes, 8);
}

static void test_cleanup_keeps_errno(void **state PX_UNUSED)
{
	int fd = dup(STDERR_FILENO);

	errno = E2BIG;
	{
		PX_AUTOFREE char *p = strdup("x");
		PX_AUTOCLOSE int closed = fd;
		PX_AUTOCLOSE int none = -1;

		assert_non_null(p);
		assert_true(closed >= 0 && none < 0);
		errno = E2BIG;
	}
	assert_int_equal(errno, E2BIG);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = -1;
	px_closep(&fd);
	assert_int_equal(errno, EBADF);
	fd = 99999;
	errno = E2BIG;
	px_closep(&fd);
	assert_int_equal(errno, E2BIG);
}

static void test_steal(void **state PX_UNUSED)
{
	char text[] = "x";
	char *p = text;
	int fd = 7;

	assert_ptr_equal(PX_STEAL(p), text);
	assert_null(p);
	assert_int_equal(px_steal_fd(&fd), 7);
	assert_int_equal(fd, -1);
}

static void test_because(void **state PX_UNUSED)
{
	struct px_why why;
	char longer[2 * sizeof(why.text)];

	assert_int_equal(px_because(&why, -ENOENT, "%s is %d", "x", 3),
			 -ENOENT);
	assert_string_equal(why.text, "x is 3");
	assert_int_equal(px_because(NULL, -EIO, "%d", 1), -EIO);
	memset(longer, 'y', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	px_because(&why, -EIO, "%s", longer);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void test_because_of_long(void **state PX_UNUSED)
{
	struct px_why why;
	char path[4096];

	assert_int_equal(px_because(NULL, -5, "%s", "x"), -5);
	assert_int_equal(px_because(&why, -5, "%s: %d", "x", 1), -5);
	assert_string_equal(why.text, "x: 1");
	for (size_t n = 1000; n < sizeof(path); n++) {
		memset(path, 'p', n);
		path[n] = '\0';
		px_because(&why, -5, "%s: too long", path);
		assert_true(strlen(why.text) < sizeof(why.text));
		assert_non_null(strstr(why.text, "p: too long"));
		assert_int_equal(strncmp(why.text, path, 500), 0);
		assert_int_equal(strstr(why.text, "ppp...ppp") != NULL,
				 n + 10 >= sizeof(why.text));
	}
}

static void test_clocks(void **state PX_UNUSED)
{
	int64_t ms = px_now_ms();
	int64_t wall = px_wall_ns();
	int64_t slept;

	usleep(20000);
	slept = px_now_ms() - ms;
	assert_true(slept >= 19 && slept < 60000);
	assert_true(px_wall_ns() > wall);
	/* 2020-01-01, in nanoseconds. */
	assert_true(wall > 1577836800LL * 1000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_cleanup_keeps_errno),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_because),
		cmocka_unit_test(test_because_of_long),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
