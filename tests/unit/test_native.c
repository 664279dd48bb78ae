/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"
#include "pycfs/native.h"

static void test_names(void **state PX_UNUSED)
{
	static const struct {
		const char *name, *version; /* NULL: it does not say one */
	} cases[] = {
		{"_x.cpython-312-x86_64-linux-gnu.so", "3.12"},
		{"_x.cpython-38-aarch64-linux-musl.so", "3.8"},
		{"_x.cpython-314t-x86_64-linux-gnu.so", "3.14t"},
		{"_x.cpython-313d-x86_64-linux-gnu.so", "3.13"},
		{"_x.cpython-313td-x86_64-linux-gnu.so", "3.13t"},
		{"_x.cpython-37m-x86_64-linux-gnu.so", "3.7"},
		{"_x.cpython-312.so", "3.12"},
		{"_x.cpython-311-old.cpython-312-x86_64-linux-gnu.so", "3.12"},
		{"_x.abi3.so", NULL},
		{"_x.so", NULL},
		{"libx.so.1", NULL},
		{"_x.cpython-312-x86_64-linux-gnu.so.bak", NULL},
		{"_x.pypy310-pp73-x86_64-linux-gnu.so", NULL},
		{"x.cpython-312.pyc", NULL},
		{"_x.cpython-.so", NULL},
		{"_x.cpython-3.so", NULL},
		{"_x.cpython-3123456.so", NULL},
		{"_x.cpython-312", NULL},
		{".cpython-312-.so", "3.12"},
		{"", NULL},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char version[24] = "none";
		const bool r = px_native_version(cases[i].name, version);

		print_message("%s: %s\n", cases[i].name, version);
		assert_int_equal(r, cases[i].version != NULL);
		if (r)
			assert_string_equal(version, cases[i].version);
	}
}

static void check(struct fixture *f, const struct px_rules *rules,
		  unsigned minor, bool t, bool fits, const char *other)
{
	struct px_native n;

	assert_int_equal(px_native_look(f->t, rules, minor, t, &n), 0);
	assert_int_equal(n.fits, fits);
	if (!fits) {
		assert_int_equal(n.other != NULL, other != NULL);
		if (other)
			assert_string_equal(n.other, other);
	}
	free(n.other);
}

static void test_tree(void **state)
{
	struct fixture *f = *state;
	struct px_rules *rules = NULL;
	const char *what;

	put_dir(f->fd, "a");
	put_dir(f->fd, "a/b");
	put_dir(f->fd, "a/__pycache__");
	put_file(f->fd, "a/x.so", "");
	put_file(f->fd, "a/x.abi3.so", "");
	put_file(f->fd, "a/__pycache__/y.cpython-39-x.so", "");
	check(f, NULL, 11, false, false, NULL);
	put_link(f->fd, "a/b/z.cpython-312-x.so", "/nonexistent");
	check(f, NULL, 11, false, false, "a/b/z.cpython-312-x.so");
	check(f, NULL, 12, true, false, "a/b/z.cpython-312-x.so");
	check(f, NULL, 12, false, true, NULL);
	/* One that fits is enough. */
	put_file(f->fd, "a/b/z.cpython-311-x.so", "");
	check(f, NULL, 11, false, true, NULL);
	assert_int_equal(px_rules_new(&rules), 0);
	assert_int_equal(px_rules_add(rules, PX_RULE_EXCLUDE, 0,
				      "*.cpython-311-*", &what),
			 0);
	check(f, rules, 11, false, false, "a/b/z.cpython-312-x.so");
	assert_int_equal(px_rules_add(rules, PX_RULE_EXCLUDE, 0, "b/", &what),
			 0);
	check(f, rules, 11, false, false, NULL);
	px_rules_free(rules);
}

/* Level by level, and not without end. */
static void test_bound(void **state)
{
	struct fixture *f = *state;
	char name[32];

	put_dir(f->fd, "a");
	put_dir(f->fd, "a/deep");
	put_file(f->fd, "a/deep/x.cpython-312-x.so", "");
	for (int i = 0; i < 2 * PX_NATIVE_MAX_DIRS; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		put_dir(f->fd, name);
	}
	check(f, NULL, 11, false, false, NULL);
	put_file(f->fd, "a/x.cpython-312-x.so", "");
	check(f, NULL, 11, false, false, "a/x.cpython-312-x.so");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		TREE_TEST(test_tree),
		TREE_TEST(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
