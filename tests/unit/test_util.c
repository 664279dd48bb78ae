/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/util.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

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

static void test_path_join(void **state PX_UNUSED)
{
	char *path = px_path_join("a/b", "c%d\n");

	assert_string_equal(path, "a/b/c%d\n");
	free(path);
	path = px_path_join("", "c");
	assert_string_equal(path, "c");
	free(path);
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

static void test_path_inside(void **state PX_UNUSED)
{
	char top[] = "/tmp/px-inside-XXXXXX";
	PX_AUTOFREE char *sub = NULL;
	PX_AUTOFREE char *next = NULL;
	PX_AUTOFREE char *none = NULL;

	assert_non_null(mkdtemp(top));
	sub = px_path_join(top, "sub");
	next = px_path_join(top, "subway");
	none = px_path_join(sub, "none/at/all");
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(mkdir(next, 0700), 0);
	assert_true(px_path_inside(sub, sub));
	assert_true(px_path_inside(sub, top));
	assert_true(px_path_inside(none, sub));
	assert_true(px_path_inside(none, "/"));
	assert_true(px_path_inside("/", "/"));
	assert_false(px_path_inside(top, sub));
	assert_false(px_path_inside(next, sub));
	assert_false(px_path_inside(sub, none));
	assert_false(px_path_inside("/", top));
	rmdir(sub);
	rmdir(next);
	rmdir(top);
}

#define PIPE_BYTES 300000

static void *write_slowly(void *arg)
{
	const int *fd = arg;
	static uint8_t data[PIPE_BYTES];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i % 251);
	px_write_full(*fd, data, 1);
	px_write_full(*fd, data + 1, sizeof(data) - 1);
	close(*fd);
	return NULL;
}

static void test_read_write_full(void **state PX_UNUSED)
{
	static uint8_t data[PIPE_BYTES + 10];
	pthread_t thread;
	int fds[2];

	/* A pipe holds 64 KiB, so both sides get short counts. */
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_slowly, &fds[1]),
			 0);
	assert_int_equal(px_read_full(fds[0], data, sizeof(data)), PIPE_BYTES);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < PIPE_BYTES; i++)
		assert_int_equal(data[i], i % 251);
	assert_int_equal(px_read_full(fds[0], data, 1), 0);
	assert_int_equal(px_write_full(fds[0], data, 1), -EBADF);
	close(fds[0]);
	assert_int_equal(px_read_full(-1, data, 1), -EBADF);
	assert_int_equal(px_read_full(-1, data, 0), 0);
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

static void test_parse_size(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
	} cases[] = {
		{"0", 0, 0},
		{"17", 0, 17},
		{"1K", 0, 1024},
		{"3M", 0, 3 << 20},
		{"2G", 0, 2ull << 30},
		{"5T", 0, 5ull << 40},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18014398509481983K", 0, 18014398509481983ull << 10},
		{"18446744073709551616", -ERANGE, 0},
		{"18014398509481984K", -ERANGE, 0},
		{"16777216T", -ERANGE, 0},
		{"99999999999999999999999999G", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"1X", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		uint64_t bytes = 42;

		print_message("%s\n", cases[i].text);
		assert_int_equal(px_parse_size(cases[i].text, &bytes),
				 cases[i].r);
		assert_true(bytes == (cases[i].r ? 42 : cases[i].bytes));
	}
}

static size_t encode(uint32_t c, char ret[5])
{
	const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	memset(ret, 0, 5);
	for (size_t i = n; i-- > 1; c >>= 6)
		ret[i] = (char)(0x80 | (c & 0x3F));
	ret[0] = (char)(n == 1 ? c : (0xF00u >> n & 0xFF) | c);
	return n;
}

/* Every code point, and every byte alone. */
static void test_controls(void **state PX_UNUSED)
{
	static const uint32_t ranges[][2] = {
		{1, 0x1F},	  {0x7F, 0x9F},	    {0x61C, 0x61C},
		{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
	};
	char text[5];
	size_t n;

	for (uint32_t c = 1; c <= 0x10FFFF; c++) {
		const size_t length = encode(c, text);
		bool wanted = false;

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		for (size_t i = 0; i < PX_ARRAY_LEN(ranges); i++)
			wanted |= c >= ranges[i][0] && c <= ranges[i][1];
		if (px_is_control(text, &n) != wanted || n != length)
			fail_msg("U+%04X: %d, %zu bytes", c, !wanted, n);
	}
	for (int byte = 0x80; byte <= 0xFF; byte++) {
		text[0] = (char)byte;
		text[1] = '\0';
		assert_true(px_is_control(text, &n));
		assert_int_equal(n, 1);
	}
}

static void test_clean(void **state PX_UNUSED)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"a\nb\x1b[2J\x7f", "a?b?[2J?"},
		{"\xc2\x9b[2J", "?[2J"},
		{"\x9b[2J", "?[2J"},
		{"x\xe2\x80\xaeyp.exe\xe2\x80\xac", "x?yp.exe?"},
		{"\xe2\x80", "??"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		PX_AUTOFREE char *got = px_clean(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
	}
}

static void test_pread2(void **state PX_UNUSED)
{
	PX_AUTOCLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	char first[4] = "", second[7] = "";

	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(px_pread2(fd, first, 3, second, 6, 1), 0);
	assert_string_equal(first, "123");
	assert_string_equal(second, "456789");
	assert_int_equal(px_pread2(fd, first, 3, second, 0, 7), 0);
	assert_string_equal(first, "789");
	/* It ends in the second, and in the first. */
	assert_int_equal(px_pread2(fd, first, 3, second, 6, 2), -EIO);
	assert_int_equal(px_pread2(fd, first, 3, second, 6, 8), -EIO);
	assert_int_equal(px_pread2(-1, first, 3, second, 6, 0), -EBADF);
}

/* As a kernel before 5.9 answers. */
static void refuse_close_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {PX_ARRAY_LEN(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(100);
}

/* In a child, or nothing more would be printed here. How many of 300 are open
 * that should not be, or not open that should. */
static int wrong_after_closing(bool refused)
{
	static const int keep[] = {250, 20, 21, 0, 20};
	int fd, wrong = 0, status;
	pid_t child = fork();

	if (child > 0 && waitpid(child, &status, 0) == child)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
	for (fd = 0; fd < 300; fd++)
		dup2(STDERR_FILENO, fd);
	if (refused)
		refuse_close_range();
	px_close_others(10, keep, PX_ARRAY_LEN(keep));
	for (fd = 0; fd < 300; fd++)
		wrong += (fcntl(fd, F_GETFD) >= 0) !=
			 (fd < 10 || fd == 20 || fd == 21 || fd == 250);
	_exit(wrong);
}

static void test_close_others(void **state PX_UNUSED)
{
	assert_int_equal(wrong_after_closing(false), 0);
	assert_int_equal(wrong_after_closing(true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_cleanup_keeps_errno),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_because),
		cmocka_unit_test(test_buf_grows_to_max),
		cmocka_unit_test(test_buf_small_max),
		cmocka_unit_test(test_buf_fields_and_consume),
		cmocka_unit_test(test_path_join),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_path_inside),
		cmocka_unit_test(test_because_of_long),
		cmocka_unit_test(test_read_write_full),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_pread2),
		cmocka_unit_test(test_close_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
