/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

static int saved_stderr = -1;
static int reader = -1;

/* Sends stderr into a pipe, until what was written is fetched. */
static void capture(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
}

static const char *captured(void)
{
	static char text[1 << 16];
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = px_read_full(reader, text, sizeof(text) - 1);
	close(reader);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void test_levels(void **state PX_UNUSED)
{
	static const char all[] = "pycfs: error: 0\n"
				  "pycfs: warning: 1\n"
				  "pycfs: notice: 2\n"
				  "pycfs: info: 3\n"
				  "pycfs: debug: 4\n";
	static const char *const last[] = {"error: 0\n", "warning: 1\n",
					   "notice: 2\n", "info: 3\n",
					   "debug: 4\n"};

	for (int i = 0; i < 5; i++) {
		char expected[sizeof(all)];
		ptrdiff_t n;

		px_log_init(PX_LOG_STDERR, (enum px_log_level)i);
		capture();
		for (int j = 0; j < 5; j++)
			px_log((enum px_log_level)j, "%d", j);
		n = strstr(all, last[i]) + strlen(last[i]) - all;
		snprintf(expected, sizeof(expected), "%.*s", (int)n, all);
		assert_string_equal(captured(), expected);
	}
}

static void test_escapes(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		const char *shown;
	} cases[] = {
		{"a\nb", "a\\x0ab"},
		{"\x1b[2J\r\t", "\\x1b[2J\\x0d\\x09"},
		{"\x7f", "\\x7f"},
		{"\xc3\xa9 ~", "\xc3\xa9 ~"},
		{"\xc2\x9b[2J", "\\xc2\\x9b[2J"},
		/* On an 8-bit terminal it is one by itself. */
		{"\x9b[2J \xff", "\\x9b[2J \\xff"},
		{"\xc2", "\\xc2"},
		{"a\xe2\x80\xae"
		 "b\xe2\x80\xac"
		 "c",
		 "a\\xe2\\x80\\xaeb\\xe2\\x80\\xac"
		 "c"},
		{"%s", "%s"},
	};

	px_log_init(PX_LOG_STDERR, PX_LOG_INFO);
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char expected[100];

		snprintf(expected, sizeof(expected), "pycfs: info: %s\n",
			 cases[i].shown);
		capture();
		px_log(PX_LOG_INFO, "%s", cases[i].text);
		assert_string_equal(captured(), expected);
	}
}

static void test_errno(void **state PX_UNUSED)
{
	px_log_init(PX_LOG_STDERR, PX_LOG_ERROR);
	capture();
	errno = E2BIG;
	assert_int_equal(px_log_errno(-ENOENT, "open %s", "x"), -ENOENT);
	assert_string_equal(captured(), "pycfs: error: open x: No such file or "
					"directory\n");
	assert_int_equal(errno, E2BIG);
}

static void test_long_line_is_cut(void **state PX_UNUSED)
{
	char text[2 * PIPE_BUF];
	const char *line;
	size_t n;

	px_log_init(PX_LOG_STDERR, PX_LOG_INFO);
	for (int i = 0; i < 2; i++) {
		memset(text, i == 0 ? 'x' : '\n', sizeof(text));
		text[sizeof(text) - 1] = '\0';
		capture();
		px_log(PX_LOG_INFO, "%s", text);
		line = captured();
		n = strlen(line);
		assert_true(n <= PIPE_BUF && n > PIPE_BUF - 128);
		assert_non_null(strstr(line, "..."));
		/* In the middle: the end is the reason. But what is escaped
		 * may be longer still. */
		if (i == 0)
			assert_true(strlen(strstr(line, "...")) > 100);
		assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	}
}

#define N_THREADS 4
#define N_LINES	  100

static void *log_lines(void *arg)
{
	const char *letter = arg;
	char text[61];

	memset(text, *letter, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < N_LINES; i++)
		px_log(PX_LOG_INFO, "%s", text);
	return NULL;
}

static void test_lines_do_not_mix(void **state PX_UNUSED)
{
	static char letters[N_THREADS] = {'a', 'b', 'c', 'd'};
	pthread_t threads[N_THREADS];
	const char *p;
	int n = 0;

	px_log_init(PX_LOG_STDERR, PX_LOG_INFO);
	capture();
	/* 400 lines of 75 bytes fit into the pipe. */
	for (int i = 0; i < N_THREADS; i++)
		pthread_create(&threads[i], NULL, log_lines, &letters[i]);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (p = captured(); *p; p = strchr(p, '\n') + 1) {
		const char *text = p + strlen("pycfs: info: ");
		char one[2] = {*text, '\0'};

		assert_memory_equal(p, "pycfs: info: ", text - p);
		assert_int_equal(strspn(text, one), 60);
		assert_int_equal(text[60], '\n');
		n++;
	}
	assert_int_equal(n, N_THREADS * N_LINES);
}

static void test_syslog_is_not_stderr(void **state PX_UNUSED)
{
	px_log_init(PX_LOG_SYSLOG, PX_LOG_INFO);
	capture();
	px_log(PX_LOG_DEBUG, "nothing");
	px_log(PX_LOG_INFO, "pycfs unit test");
	assert_string_equal(captured(), "");
	px_log_init(PX_LOG_STDERR, PX_LOG_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_lines_do_not_mix),
		cmocka_unit_test(test_syslog_is_not_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
