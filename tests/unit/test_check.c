/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "check/facts.h"
#include "pycfs/check.h"

/* ----------------------------------------------------------------- facts */

static struct px_buf text_buf(const char *text)
{
	struct px_buf b = {.max = SIZE_MAX};

	assert_int_equal(px_buf_add(&b, text, strlen(text)), 0);
	return b;
}

static void test_sort(void **state PX_UNUSED)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"b\na\n", "a\nb\n"},
		{"a\na\nab\na\n", "a\nab\n"},
		{"\nz\n\ny", "\ny\nz\n"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_buf b = text_buf(cases[i][0]);

		assert_int_equal(px_facts_sort(&b), 0);
		assert_int_equal(b.size, strlen(cases[i][1]));
		if (b.size > 0)
			assert_memory_equal(b.data, cases[i][1], b.size);
		px_buf_fini(&b);
	}
}

static void test_only(void **state PX_UNUSED)
{
	static const struct {
		const char *with[2], *without[2], *wanted;
		int n;
	} cases[] = {
		{{"a\nb\n", "a\nb\n"}, {"a\n", "a\n"}, "-b\n", 1},
		/* In one try only: it comes and goes. */
		{{"a\nb\n", "a\n"}, {"a\n", "a\n"}, "", 0},
		{{"a\nb\n", "a\nb\n"}, {"a\n", "a\nb\n"}, "", 0},
		{{"x: list 1\n", "x: list 1\n"},
		 {"x: list 2\n", "x: list 2\n"},
		 "-x: list 1\n",
		 1},
		/* What the other has of it changes from try to try. */
		{{"x: list 1\n", "x: list 1\n"},
		 {"x: list 2\n", "x: list 3\n"},
		 "",
		 0},
		{{"x: list 1\n", "x: list 1\n"}, {"x: list 2\n", "y\n"}, "", 0},
		{{"a\nb\nc\nd\n", "a\nb\nc\nd\n"},
		 {"", ""},
		 "-a\n-b\n-... and 2 more\n",
		 4},
		{{"", ""}, {"a\n", "a\n"}, "", 0},
		/* What a module has goes without saying, if all of it is
		 * missing. */
		{{"m\nm.a: int\nm.s\nm.s.b: int\nm.z: int\nn.a: int\n",
		  "m\nm.a: int\nm.s\nm.s.b: int\nm.z: int\nn.a: int\n"},
		 {"n\n", "n\n"},
		 "-m\n-m.s\n-... and 1 more\n",
		 3},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_buf b[4] = {text_buf(cases[i].with[0]),
				      text_buf(cases[i].with[1]),
				      text_buf(cases[i].without[0]),
				      text_buf(cases[i].without[1])};
		const struct px_buf *with[] = {&b[0], &b[1]};
		const struct px_buf *without[] = {&b[2], &b[3]};
		struct px_buf out = {.max = SIZE_MAX};

		assert_int_equal(px_facts_only(with, without, 2, '-', 2, &out),
				 cases[i].n);
		assert_int_equal(px_buf_add(&out, "", 1), 0);
		assert_string_equal(out.data, cases[i].wanted);
		for (size_t k = 0; k < PX_ARRAY_LEN(b); k++)
			px_buf_fini(&b[k]);
		px_buf_fini(&out);
	}
}

/* -------------------------------------------------------------- remedies */

static void check_remedies(const struct px_finding *f,
			   const char *const *wanted)
{
	char **got;
	size_t n, i;

	assert_int_equal(px_check_remedies(f, &got, &n), 0);
	for (i = 0; i < n; i++)
		print_message("%s\n", got[i]);
	for (i = 0; wanted[i]; i++) {
		assert_true(i < n);
		assert_string_equal(got[i], wanted[i]);
	}
	assert_true(n <= PX_MAX_REMEDIES);
	for (i = 0; i < n; i++)
		free(got[i]);
	free(got);
}

static struct px_finding finding(enum px_finding_kind kind, const char *owner,
				 const char *type, const char *text,
				 const char *frames)
{
	return (struct px_finding){
		.kind = kind,
		.owner = (char *)(uintptr_t)owner,
		.name = (char *)(uintptr_t)owner,
		.type = (char *)(uintptr_t)type,
		.text = (char *)(uintptr_t)text,
		.frames = (char *)(uintptr_t)frames,
	};
}

static void test_remedies(void **state PX_UNUSED)
{
	const struct px_finding doc =
		finding(PX_FINDING_FAILS, "a", "TypeError", "'NoneType'",
			"a/b c.py\nlib/x.py\na/__init__.py");
	const struct px_finding missing =
		finding(PX_FINDING_FAILS, "a", "ModuleNotFoundError",
			"No module named 'a.b'", "");
	const struct px_finding name =
		finding(PX_FINDING_FAILS, "a", "ImportError",
			"cannot import name 'c' from 'a.b' (x)", "");
	const struct px_finding file =
		finding(PX_FINDING_FAILS, "a", "FileNotFoundError",
			"[Errno 2] No such file or directory: 'a/[d].txt'", "");
	const struct px_finding fact =
		finding(PX_FINDING_DIFFERS, "a", "",
			"-a.b.c: dict 3\n+a.b.c: dict 0\n", "");

	check_remedies(
		&doc,
		(const char *const[]){
			"optimize 1 /a/b\\ c.py", "optimize 1 /lib/x.py",
			"optimize 1 /a/__init__.py", "keep-source /a/b\\ c.py",
			"keep-source /lib/x.py", "keep-source /a/__init__.py",
			"optimize 0 /a/b\\ c.py", "optimize 0 /lib/x.py",
			"optimize 0 /a/__init__.py", "optimize 1 /a/**",
			"optimize 1 /lib/**", NULL});
	check_remedies(&missing, (const char *const[]){"include /a/b.py",
						       "include /a/b/", NULL});
	check_remedies(&name, (const char *const[]){"include /a/b/c.py",
						    "include /a/b/c/", NULL});
	check_remedies(&file,
		       (const char *const[]){"include /a/\\[d\\].txt", NULL});
	check_remedies(&fact,
		       (const char *const[]){"optimize 1 /a/b.py",
					     "optimize 1 "
					     "/a/b/__init__.py",
					     "keep-source /a/b.py", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_only),
		cmocka_unit_test(test_remedies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
