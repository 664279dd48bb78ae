/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/io.h"
#include "pycfs/buf.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

/* A pipe, so that it comes in pieces, to the buffer's maximum and past it. */
static int slurp_all(size_t max, size_t *ret_size)
{
	struct px_buf all = {.max = max};
	pthread_t thread;
	int fds[2], r;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_slowly, &fds[1]),
			 0);
	r = px_slurp(fds[0], &all);
	*ret_size = all.size;
	for (size_t i = 0; i < all.size; i++)
		assert_int_equal(all.data[i], i % 251);
	/* Whoever writes must not be ended by a pipe that nobody reads. */
	while (read(fds[0], (char[4096]){0}, 4096) > 0)
		;
	pthread_join(thread, NULL);
	close(fds[0]);
	px_buf_fini(&all);
	return r;
}

static void test_slurp(void **state PX_UNUSED)
{
	struct px_buf all = {.max = 10};
	size_t n;

	assert_int_equal(slurp_all(SIZE_MAX, &n), 0);
	assert_int_equal(n, PIPE_BYTES);
	assert_int_equal(slurp_all(PIPE_BYTES, &n), 0);
	assert_int_equal(n, PIPE_BYTES);
	assert_int_equal(slurp_all(PIPE_BYTES - 1, &n), -EFBIG);
	assert_int_equal(n, PIPE_BYTES - 1);
	assert_int_equal(px_slurp(-1, &all), -EBADF);
	px_buf_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write_full),
		cmocka_unit_test(test_pread2),
		cmocka_unit_test(test_close_others),
		cmocka_unit_test(test_slurp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
