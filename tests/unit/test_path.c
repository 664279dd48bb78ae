/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/path.h"

#include <stdio.h>
#include <sys/stat.h>
#include <fcntl.h>

static void test_path_join(void **state PX_UNUSED)
{
	char *path = px_path_join("a/b", "c%d\n");

	assert_string_equal(path, "a/b/c%d\n");
	free(path);
	path = px_path_join("", "c");
	assert_string_equal(path, "c");
	free(path);
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

static void test_path_parts(void **state PX_UNUSED)
{
	static const struct {
		const char *path, *parent, *name;
	} rows[] = {
		{"", "", ""},	 {"a", "", "a"},	  {"a/b", "a", "b"},
		{"/a", "", "a"}, {"/a/b.c", "/a", "b.c"}, {"a/", "a", ""},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		PX_AUTOFREE char *parent = px_path_parent(rows[i].path);

		assert_string_equal(parent, rows[i].parent);
		assert_int_equal(px_path_parent_length(rows[i].path),
				 strlen(parent));
		assert_string_equal(px_path_name(rows[i].path), rows[i].name);
	}
}

static void test_ends_in(void **state PX_UNUSED)
{
	assert_true(px_ends_in("a.py", ".py"));
	assert_true(px_ends_in(".py", ".py"));
	assert_false(px_ends_in("y", ".py"));
	assert_false(px_ends_in("a.pyc", ".py"));
	assert_false(px_ends_in("", ".py"));
}

static void test_path_split(void **state PX_UNUSED)
{
	static const struct {
		const char *path, *parent, *name;
	} rows[] = {
		{"a", ".", "a"},     {"a/b/", "a", "b"},    {"/a", "/", "a"},
		{"/a//", "/", "a"},  {"/", "/", ""},	    {"", ".", ""},
		{"a/..", "a", ".."}, {"a/b/c", "a/b", "c"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		PX_AUTOFREE char *parent = NULL;
		PX_AUTOFREE char *name = NULL;

		assert_int_equal(px_path_split(rows[i].path, &parent, &name),
				 0);
		assert_string_equal(parent, rows[i].parent);
		assert_string_equal(name, rows[i].name);
	}
}

static void test_path_real_parent(void **state PX_UNUSED)
{
	PX_AUTOFREE char *in_root = px_path_real_parent("/x");
	PX_AUTOFREE char *below = px_path_real_parent("/proc/../proc/x/");

	assert_string_equal(in_root, "/x");
	assert_string_equal(below, "/proc/x");
	assert_null(px_path_real_parent("/proc/no such directory/x"));
	assert_null(px_path_real_parent("/"));
	assert_null(px_path_real_parent("/proc/.."));
}

static void test_path_real_missing(void **state PX_UNUSED)
{
	static const struct {
		const char *path, *real;
	} rows[] = {
		{"/", "/"},
		{"/no such/a", "/no such/a"},
		{"/proc/../proc/no such//./a/", "/proc/no such/a"},
		{"/proc/no such/..", NULL},
		{"/proc/no such/../x", NULL},
		{"/proc/no such/.", "/proc/no such"},
	};
	PX_AUTOFREE char *here = realpath(".", NULL);
	PX_AUTOFREE char *below = px_path_real_missing("no such/a");

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		PX_AUTOFREE char *real = px_path_real_missing(rows[i].path);

		if (!real != !rows[i].real ||
		    (real && strcmp(real, rows[i].real) != 0))
			fail_msg("%s: %s", rows[i].path, real ? real : "none");
	}
	assert_memory_equal(below, here, strlen(here));
	assert_string_equal(below + strlen(below) - 10, "/no such/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_join),
		cmocka_unit_test(test_path_inside),
		cmocka_unit_test(test_path_parts),
		cmocka_unit_test(test_ends_in),
		cmocka_unit_test(test_path_split),
		cmocka_unit_test(test_path_real_parent),
		cmocka_unit_test(test_path_real_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
