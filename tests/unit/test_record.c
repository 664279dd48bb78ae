/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/record.h"

#include <stdio.h>

#define MAX_ROWS 6

struct row {
	const char *path;
	const char *rest;
};

/* A RECORD and what is read of it: rows, and how it ends. */
static const struct {
	const char *title;
	const char *text;
	struct row rows[MAX_ROWS];
	int end; /* 0 or -EBADMSG */
} cases[] = {
	{"nothing", "", {{0}}, 0},
	{"only empty lines", "\n\r\n\n\r\n", {{0}}, 0},
	{"plain rows",
	 "a.py,sha256=x,3\nb/c.py,,\n",
	 {{"a.py", ",sha256=x,3"}, {"b/c.py", ",,"}},
	 0},
	{"no newline at the end",
	 "a,,\nb,x,1",
	 {{"a", ",,"}, {"b", ",x,1"}},
	 0},
	{"only a path", "a", {{"a", ""}}, 0},
	{"only paths", "a\nb\r\n", {{"a", ""}, {"b", ""}}, 0},
	{"CRLF", "a,x,1\r\nb,,\r\n", {{"a", ",x,1"}, {"b", ",,"}}, 0},
	{"a CR at the end", "a,x,1\r", {{"a", ",x,1"}}, 0},
	{"a CR alone, as in str.splitlines()",
	 "a,x,1\rb\rc,,\r\r\n",
	 {{"a", ",x,1"}, {"b", ""}, {"c", ",,"}},
	 0},
	{"empty lines between",
	 "\n\na,,\n\r\n\nb,,\n\n",
	 {{"a", ",,"}, {"b", ",,"}},
	 0},
	{"quotes", "\"a\",x,1\n\"b\"\n", {{"a", ",x,1"}, {"b", ""}}, 0},
	{"a comma in quotes", "\"a,b\",x,1\n", {{"a,b", ",x,1"}}, 0},
	{"doubled quotes",
	 "\"a\"\"b\",,\n\"\"\"\",,\n\"\"\"a\"\"\",,",
	 {{"a\"b", ",,"}, {"\"", ",,"}, {"\"a\"", ",,"}},
	 0},
	{"a newline in quotes",
	 "\"a\nb\",x,1\n\"c\r\nd\",,\r\ne,,",
	 {{"a\nb", ",x,1"}, {"c\r\nd", ",,"}, {"e", ",,"}},
	 0},
	{"a quote that is not first", "a\"b,,\n", {{"a\"b", ",,"}}, 0},
	{"blanks are part of it", " a ,,\n", {{" a ", ",,"}}, 0},
	{"more fields", "a,b,c,d,e\n", {{"a", ",b,c,d,e"}}, 0},
	{"bytes", "\xff\xfe.py,,\n", {{"\xff\xfe.py", ",,"}}, 0},
	{"up and out",
	 "../../bin/x,,\n/abs,,\n",
	 {{"../../bin/x", ",,"}, {"/abs", ",,"}},
	 0},

	{"a quote without its end",
	 "a,,\n\"b,,\nc,,\n",
	 {{"a", ",,"}},
	 -EBADMSG},
	{"a quote at the end", "\"", {{0}}, -EBADMSG},
	{"ends in a doubled quote", "\"a\"\"", {{0}}, -EBADMSG},
	{"rows without a path",
	 ",,\na,,\n,x,1\n\"\",x,1\r\n,\rb,,\n,",
	 {{"a", ",,"}, {"b", ",,"}},
	 0},
	{"no path, and a quote without its end",
	 ",,\n\"b,,\n",
	 {{0}},
	 -EBADMSG},
	{"more behind the quotes", "\"a\"b,,\n", {{0}}, -EBADMSG},
	{"a blank behind the quotes", "\"a\" ,,\n", {{0}}, -EBADMSG},
};

static void test_rows(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		const size_t size = strlen(cases[i].text);
		/* In exactly as many bytes, for the sanitizer. */
		char *text =
			memcpy(malloc(size ? size : 1), cases[i].text, size);
		struct px_record_reader r = {text, size, 0};
		struct px_buf path = {.max = 100};
		const char *rest;
		size_t n_rest;
		size_t n = 0;

		print_message("%s\n", cases[i].title);
		for (; n < MAX_ROWS && cases[i].rows[n].path; n++) {
			const struct row *row = &cases[i].rows[n];

			assert_int_equal(
				px_record_next(&r, &path, &rest, &n_rest), 1);
			assert_int_equal(path.size, strlen(row->path) + 1);
			assert_string_equal((char *)path.data, row->path);
			assert_int_equal(n_rest, strlen(row->rest));
			assert_memory_equal(rest, row->rest, n_rest);
			assert_true(rest >= text && rest <= text + size);
		}
		assert_int_equal(px_record_next(&r, &path, &rest, &n_rest),
				 cases[i].end);
		if (cases[i].end == 0)
			assert_int_equal(
				px_record_next(&r, &path, &rest, &n_rest), 0);
		px_buf_fini(&path);
		free(text);
	}
}

static void test_nul_bytes(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {
		{"a\0b,,\n", 6},   {"\"a\0b\",,\n", 8}, {"\0,,\n", 4},
		{"\"\0\",,\n", 6}, {"a\0", 2},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		struct px_record_reader r = {bad[i].text, bad[i].n, 0};
		struct px_buf path = {.max = 100};
		const char *rest;
		size_t n_rest;

		assert_int_equal(px_record_next(&r, &path, &rest, &n_rest),
				 -EBADMSG);
		px_buf_fini(&path);
	}
}

/* The path's buffer is emptied first, and its maximum is kept. */
static void test_path_too_long(void **state PX_UNUSED)
{
	static const char *const texts[] = {"abcd,,\nabcde,,\n",
					    "\"abcd\",,\n\"abcde\",,\n",
					    "\"ab\"\"c\",,\n\"abc\"\"d\",,\n"};

	for (size_t i = 0; i < PX_ARRAY_LEN(texts); i++) {
		struct px_record_reader r = {texts[i], strlen(texts[i]), 0};
		struct px_buf path = {.max = 5};
		const char *rest;
		size_t n_rest;

		assert_int_equal(px_buf_add(&path, "xxxxx", 5), 0);
		assert_int_equal(px_record_next(&r, &path, &rest, &n_rest), 1);
		assert_int_equal(path.size, 5);
		assert_int_equal(px_record_next(&r, &path, &rest, &n_rest),
				 -EFBIG);
		px_buf_fini(&path);
	}
}

static void check_put(const char *path, const char *rest, const char *expected)
{
	struct px_buf out = {.max = 100};

	assert_int_equal(px_buf_add(&out, "before\n", 7), 0);
	assert_int_equal(
		px_record_put(&out, path, rest, rest ? strlen(rest) : 0), 0);
	assert_int_equal(px_buf_add(&out, "", 1), 0);
	assert_memory_equal(out.data, "before\n", 7);
	assert_string_equal((char *)out.data + 7, expected);
	px_buf_fini(&out);
}

static void test_put(void **state PX_UNUSED)
{
	check_put("a.pyc", NULL, "a.pyc,,\n");
	check_put("a.pyc", ",sha256=x,3", "a.pyc,sha256=x,3\n");
	check_put("a.pyc", "", "a.pyc\n");
	check_put("a b", ",,", "a b,,\n");
	check_put("a,b", NULL, "\"a,b\",,\n");
	check_put("a\"b", ",x,1", "\"a\"\"b\",x,1\n");
	check_put("\"", NULL, "\"\"\"\",,\n");
	check_put("a\nb", NULL, "\"a\nb\",,\n");
	check_put("a\rb", NULL, "\"a\rb\",,\n");
	check_put("\xff", NULL, "\xff,,\n");
}

/* At every smaller maximum nothing is added. */
static void test_put_too_much(void **state PX_UNUSED)
{
	static const struct {
		const char *path;
		const char *rest;
		size_t n; /* bytes of the row */
	} rows[] = {
		{"abc", NULL, 6},
		{"abc", ",x,1", 8},
		{"a\"c", ",x,1", 11},
		{"a,c", NULL, 8},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++)
		for (size_t max = 2; max <= 2 + rows[i].n; max++) {
			struct px_buf out = {.max = max};
			const bool fits = max == 2 + rows[i].n;

			assert_int_equal(px_buf_add(&out, "ab", 2), 0);
			assert_int_equal(
				px_record_put(&out, rows[i].path, rows[i].rest,
					      rows[i].rest
						      ? strlen(rows[i].rest)
						      : 0),
				fits ? 0 : -EFBIG);
			assert_int_equal(out.size, fits ? max : 2);
			assert_memory_equal(out.data, "ab", 2);
			px_buf_fini(&out);
		}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

#define N_PATHS	 200
#define MAX_PATH 40

/* Paths of the bytes that matter most. Never empty. */
static void random_path(uint32_t *seed, char *path)
{
	static const char bytes[] = "\"\",,\n\r\\ /ab.\xff\x01";
	const size_t n = 1 + next_random(seed) % (MAX_PATH - 1);

	for (size_t i = 0; i < n; i++)
		path[i] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
	path[n] = '\0';
}

static void test_round_trip(void **state PX_UNUSED)
{
	static char paths[N_PATHS][MAX_PATH + 1];

	for (uint32_t seed = 1; seed <= 50; seed++) {
		struct px_buf out = {.max = 1 << 20};
		struct px_buf path = {.max = MAX_PATH + 1};
		struct px_record_reader r;
		uint32_t s = seed;
		const char *rest;
		size_t n_rest;

		for (size_t i = 0; i < N_PATHS; i++) {
			const char *with = i % 2 ? ",sha256=ab,12" : NULL;

			random_path(&s, paths[i]);
			assert_int_equal(px_record_put(&out, paths[i], with,
						       with ? strlen(with) : 0),
					 0);
		}
		r = (struct px_record_reader){(char *)out.data, out.size, 0};
		for (size_t i = 0; i < N_PATHS; i++) {
			const char *with = i % 2 ? ",sha256=ab,12" : ",,";

			if (px_record_next(&r, &path, &rest, &n_rest) != 1)
				fail_msg("seed %u, row %zu", seed, i);
			assert_string_equal((char *)path.data, paths[i]);
			assert_int_equal(n_rest, strlen(with));
			assert_memory_equal(rest, with, n_rest);
		}
		assert_int_equal(px_record_next(&r, &path, &rest, &n_rest), 0);
		px_buf_fini(&path);
		px_buf_fini(&out);
	}
}

/* Every prefix and every text with one byte changed: rows, an end or an error,
 * and each call goes forward. */
static void test_damage(void **state PX_UNUSED)
{
	static const char text[] = "a.py,x,1\r\n\"b\"\"\n,\",,\n\nc,,";
	static const char bytes[] = {'"', ',', '\n', '\r', '\0', 'x'};
	const size_t n = sizeof(text) - 1;

	for (size_t i = 0; i < n * sizeof(bytes); i++)
		for (size_t cut = 0; cut < 2; cut++) {
			const size_t at = i / sizeof(bytes);
			const size_t size = cut ? at : n;
			char *copy = memcpy(malloc(size + !size), text, size);
			struct px_record_reader r = {copy, size, 0};
			struct px_buf path = {.max = 100};
			const char *rest;
			size_t n_rest, before = 0;
			int got;

			if (!cut)
				copy[at] = bytes[i % sizeof(bytes)];
			while ((got = px_record_next(&r, &path, &rest,
						     &n_rest)) > 0) {
				assert_true(r.at > before && r.at <= size);
				assert_true(rest >= copy &&
					    rest + n_rest <= copy + size);
				assert_true(path.size > 1);
				assert_int_equal(path.data[path.size - 1], 0);
				before = r.at;
			}
			assert_true(got == 0 || got == -EBADMSG);
			px_buf_fini(&path);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_path_too_long),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_put_too_much),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
