/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "cli/trace.h"

/* A copy of its size, so that reading on is seen. */
static char *exact(const char *text)
{
	const size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	mempcpy(copy, text, n);
	return copy;
}

static void test_frames(void **state PX_UNUSED)
{
	static const struct {
		const char *line;
		size_t before;
		const char *path;
		uint32_t number;
	} rows[] = {
		{"  File \"/a/b.py\", line 3, in f", 0, "/a/b.py", 3},
		{"  File \"/a/b.py\", line 3, in <module>\r", 0, "/a/b.py", 3},
		{"  File \"b.py\", line 12", 0, "b.py", 12},
		{"  File \"b.py\", line 12 in f", 0, "b.py", 12},
		{"  |   File \"b.py\", line 1, in f", 4, "b.py", 1},
		{"    File \"b.py\", line 1, in f", 2, "b.py", 1},
		{"2026-01-01T00:00:00Z stderr F   File \"b.py\", line 1, in f",
		 30, "b.py", 1},
		{"  File \"a \"b\".py\", line 1, in f", 0, "a \"b\".py", 1},
		{"  File \"\", line   File \"b.py\", line 7", 16, "b.py", 7},
		{"  File \"b.py\", line 4294967295", 0, "b.py", 4294967295},
	};
	static const char *const none[] = {
		"",
		"x",
		"File \"b.py\", line 1, in f",
		" File \"b.py\", line 1, in f",
		"  File \"b.py\", line ",
		"  File \"b.py\", line x",
		"  File \"b.py\", line 0, in f",
		"  File \"b.py\", line -1, in f",
		"  File \"b.py\", line 4294967296, in f",
		"  File \"b.py\", line 99999999999999999999, in f",
		"  File \"b.py\", line 1, i",
		"  File \"b.py\", line 1 of 2",
		"  File \"b.py\", line 1.",
		"  File \"\", line 1, in f",
		"  File \"b.py",
		"  File \"",
	};
	struct px_frame_line f;

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		char *line = exact(rows[i].line);

		if (!px_frame_line(line, strlen(rows[i].line), &f))
			fail_msg("\"%s\" is no frame", rows[i].line);
		if (f.before != rows[i].before || f.number != rows[i].number ||
		    f.path_size != strlen(rows[i].path) ||
		    memcmp(f.path, rows[i].path, f.path_size) != 0)
			fail_msg("\"%s\": %zu, \"%.*s\", %u", rows[i].line,
				 f.before, (int)f.path_size, f.path, f.number);
		free(line);
	}
	for (size_t i = 0; i < PX_ARRAY_LEN(none); i++) {
		char *line = exact(none[i]);

		if (px_frame_line(line, strlen(none[i]), &f))
			fail_msg("\"%s\" is a frame", none[i]);
		free(line);
	}
}

static void test_source_lines(void **state PX_UNUSED)
{
	static const struct {
		const char *before;
		const char *line;
		bool is;
	} rows[] = {
		{"", "    x = 1", true},
		{"", "    x", true},
		{"", "    x\r", true},
		{"", "        x", true},
		{"", "    ", false},
		{"", "    \r", false},
		{"", "       ", false},
		{"", "   x", false},
		{"", "", false},
		{"", "  File \"b.py\", line 1, in f", false},
		{"", "  [Previous line repeated 3 more times]", false},
		{"", "KeyError: 'x'", false},
		{"  | ", "  |     x", true},
		{"  | ", "  | KeyError: 'x'", false},
		{"  | ", "        x", false},
		{"  | ", "  |", false},
		{"10:59:59 ", "11:00:00     x", true},
		{"10:59:59 ", "11:00:0a     x", false},
		{"worker-1: ", "server-1:     x", false},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		char *before = exact(rows[i].before);
		char *line = exact(rows[i].line);

		if (px_frame_is_source(before, strlen(rows[i].before), line,
				       strlen(rows[i].line)) != rows[i].is)
			fail_msg("\"%s\" after \"%s\"", rows[i].line,
				 rows[i].before);
		free(before);
		free(line);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_source_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
