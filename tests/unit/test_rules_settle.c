/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/rules.h"

#include <stdio.h>

/* In the order of PEP 440, each less than the next. */
static const char *const ordered[] = {
	"0.9.9.99",
	"1.dev0",
	"1.0.dev456",
	"1.0a1",
	"1.0a2.dev456",
	"1.0a12.dev456",
	"1.0a12",
	"1.0b1.dev456",
	"1.0b2",
	"1.0b2.post345.dev456",
	"1.0b2.post345",
	"1.0rc1.dev456",
	"1.0rc1",
	"1.0",
	"1.0.post456.dev34",
	"1.0.post456",
	"1.0.1",
	"1.0.15",
	"1.1.dev1",
	"1.1",
	"2",
	"10.0",
	"1!0.1",
};

/* Whether `keep-source a if CONDITION` is there for pkg in this version. */
static bool holds(const char *condition, const char *version)
{
	const struct px_installed pkg = {"pkg", version};
	struct px_rules *r;
	const char *what = NULL;
	char pattern[128];
	bool is_there;

	snprintf(pattern, sizeof(pattern), "a if %s", condition);
	assert_int_equal(px_rules_new(&r), 0);
	if (px_rules_add(r, PX_RULE_KEEP_SOURCE, 0, pattern, &what) != 0)
		fail_msg("\"%s\": %s", pattern, what);
	assert_int_equal(px_rules_count(r), 1);
	px_rules_settle(r, &pkg, 1, 2);
	is_there = px_rules_count(r) == 1;
	assert_int_equal(px_rules_keep_source(r, "a"), is_there);
	px_rules_free(r);
	return is_there;
}

static bool says(const char *op, size_t a, size_t b)
{
	char condition[64];

	snprintf(condition, sizeof(condition), "pkg %s %s", op, ordered[b]);
	return holds(condition, ordered[a]);
}

static void test_versions_have_an_order(void **state PX_UNUSED)
{
	for (size_t a = 0; a < PX_ARRAY_LEN(ordered); a++)
		for (size_t b = 0; b < PX_ARRAY_LEN(ordered); b++) {
			assert_int_equal(says("<=", a, b), a <= b);
			assert_int_equal(says(">=", a, b), a >= b);
			assert_int_equal(says("==", a, b), a == b);
			assert_int_equal(says("!=", a, b), a != b);
		}
}

static void test_spellings_of_a_version(void **state PX_UNUSED)
{
	static const char *const same[][2] = {
		{"1.0", "1"},		{"v1.0", "1.0.0"},
		{"1.0-alpha.1", "1a1"}, {"1.0_BETA2", "1b2"},
		{"1.0c3", "1rc3"},	{"1.0.preview4", "1rc4"},
		{"1.0-5", "1.post5"},	{"1.0rev5", "1.post5"},
		{"1.0.r5", "1.post5"},	{"1.0dev", "1.dev0"},
		{"1.0a", "1a0"},	{"0!1.0", "1"},
		{"1.0+ubuntu.1", "1"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(same); i++) {
		char condition[64];

		snprintf(condition, sizeof(condition), "pkg == %s", same[i][1]);
		if (!holds(condition, same[i][0]))
			fail_msg("%s is not %s", same[i][0], same[i][1]);
	}
}

/* As PEP 440 has it, what comes just before or after V is neither. */
static void test_less_and_greater(void **state PX_UNUSED)
{
	assert_true(holds("pkg < 2.0", "1.9"));
	assert_false(holds("pkg < 2.0", "2.0"));
	assert_false(holds("pkg < 2.0", "2.0rc1"));
	assert_false(holds("pkg < 2.0", "2.0.dev1"));
	assert_true(holds("pkg < 2.0rc2", "2.0rc1"));
	assert_true(holds("pkg < 4.7.0rc3", "4.7.0rc2"));
	assert_false(holds("pkg < 4.7.0rc3", "4.7.0rc3"));
	assert_true(holds("pkg > 2.0", "2.0.1"));
	assert_false(holds("pkg > 2.0", "2.0.post1"));
	assert_true(holds("pkg > 2.0.post1", "2.0.post2"));
}

static void test_several_parts(void **state PX_UNUSED)
{
	assert_true(holds("pkg >= 1.24, < 2.0", "1.26.4"));
	assert_false(holds("pkg >= 1.24, < 2.0", "1.23"));
	assert_false(holds("pkg >= 1.24,<2.0", "2.1"));
	assert_true(holds("pkg>=1.24,!=1.25,<2.0", "1.24"));
	assert_false(holds("pkg>=1.24,!=1.25,<2.0", "1.25.0"));
}

/* What cannot be known leaves the rule where it is. */
static void test_what_is_not_known(void **state PX_UNUSED)
{
	assert_true(holds("pkg < 2", "no-version"));
	assert_true(holds("pkg < 2", ""));
	assert_true(holds("pkg < 2", "99999999999999999999999"));
	assert_true(holds("other < 2", "3"));
	assert_false(holds("PKG < 2", "3"));
}

static void test_names_as_pypi_has_them(void **state PX_UNUSED)
{
	const struct px_installed all[] = {{"Ruamel_Yaml", "3"}, {"x", "1"}};
	static const struct {
		const char *name;
		bool is_it;
	} cases[] = {
		{"ruamel.yaml", true},	 {"ruamel--yaml", true},
		{"RUAMEL_YAML", true},	 {"ruamelyaml", false},
		{"ruamel.yaml2", false}, {"ruamel", false},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char pattern[64];
		const char *what;
		struct px_rules *r;

		snprintf(pattern, sizeof(pattern), "a if %s < 2",
			 cases[i].name);
		assert_int_equal(px_rules_new(&r), 0);
		assert_int_equal(
			px_rules_add(r, PX_RULE_EXCLUDE, 0, pattern, &what), 0);
		px_rules_settle(r, all, PX_ARRAY_LEN(all), 2);
		/* That it is not: then it is not installed. */
		assert_int_equal(px_rules_count(r), cases[i].is_it ? 0 : 1);
		px_rules_free(r);
	}
}

static void test_bad_conditions(void **state PX_UNUSED)
{
	static const char *const bad[] = {
		"a if < 2",	   "a if pkg <",      "a if pkg = 2",
		"a if pkg ~= 2",   "a if pkg < x",    "a if pkg < 2,",
		"a if pkg < 2 3",  "a if pkg < 2 >1", "a if pkg < 2, and > 1",
		"a if pkg < 1..2", "a if pkg < 2x",   "a if (pkg < 2)",
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		struct px_rules *r;
		const char *what = NULL;

		assert_int_equal(px_rules_new(&r), 0);
		if (px_rules_add(r, PX_RULE_EXCLUDE, 0, bad[i], &what) !=
		    -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(what);
		assert_int_equal(px_rules_count(r), 0);
		px_rules_free(r);
	}
}

/* A name of a file may have the word in it. */
static void test_no_condition(void **state PX_UNUSED)
{
	static const char *const names[][2] = {
		{"what if", "what if"},
		{"what if not", "what if not"},
		{"a\\ if pkg < 2", "a if pkg < 2"},
		{"if x", "if x"},
		{"aif x<2", "aif x<2"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(names); i++) {
		struct px_rules *r;
		const char *what = "";

		assert_int_equal(px_rules_new(&r), 0);
		if (px_rules_add(r, PX_RULE_EXCLUDE, 0, names[i][0], &what) !=
		    0)
			fail_msg("\"%s\": %s", names[i][0], what);
		if (!px_rules_excluded(r, names[i][1], false))
			fail_msg("\"%s\" does not match", names[i][0]);
		px_rules_free(r);
	}
}

static void test_text_and_copy(void **state PX_UNUSED)
{
	static const char text[] = "optimize 1 /numpy/  if   numpy < 2\n"
				   "keep-source x\n";
	const struct px_installed numpy = {"numpy", "2.1"};
	const char *what;
	size_t line;
	struct px_rules *r, *copy;
	char *shown;

	assert_int_equal(px_rules_new(&r), 0);
	assert_int_equal(px_rules_parse(r, text, strlen(text), &line, &what),
			 0);
	assert_int_equal(px_rules_copy(r, &copy), 0);
	shown = px_rules_text(copy, 0);
	assert_string_equal(shown, "optimize 1 /numpy/ if numpy < 2");
	free(shown);
	px_rules_settle(copy, &numpy, 1, 2);
	assert_int_equal(px_rules_count(copy), 1);
	assert_true(px_rules_keep_source(copy, "x"));
	assert_int_equal(px_rules_optimize(copy, "numpy/a.py", 2), 2);
	assert_int_equal(px_rules_optimize(r, "numpy/a.py", 2), 1);
	px_rules_free(copy);
	px_rules_free(r);
	px_rules_settle(NULL, &numpy, 1, 2);
}

/* A rule of pycfs itself keeps what --optimize would drop, and drops nothing
 * that it keeps. */
static void test_a_profile_never_raises_the_level(void **state PX_UNUSED)
{
	static const char text[] = "optimize 1 a\noptimize 0 b\n";

	for (unsigned level = 0; level < 3; level++)
		for (int built_in = 0; built_in < 2; built_in++) {
			const char *what;
			size_t line;
			struct px_rules *r;

			assert_int_equal(px_rules_new(&r), 0);
			assert_int_equal(px_rules_parse(r, text, strlen(text),
							&line, &what),
					 0);
			if (built_in)
				px_rules_mark_built_in(r);
			px_rules_settle(r, NULL, 0, level);
			assert_int_equal(px_rules_count(r),
					 built_in ? level : 2);
			px_rules_free(r);
		}
}

static void test_places(void **state PX_UNUSED)
{
	static const char *const cases[][2] = {
		{"/numpy/", "numpy"},
		{"/a/b.py", "a/b.py"},
		{"a/b", "a/b"},
		{"*.py", ""},
		{"tests/", ""},
		{"/ddtrace/contrib/**/patch.py", "ddtrace/contrib"},
		{"/cv2/config*.py", "cv2"},
		{"/*/x", ""},
		{"!/a/b", "a/b"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r;
		const char *what;
		char *place;

		assert_int_equal(px_rules_new(&r), 0);
		assert_int_equal(px_rules_add(r, PX_RULE_KEEP_SOURCE, 0,
					      cases[i][0], &what),
				 0);
		place = px_rules_place(r, 0);
		assert_string_equal(place, cases[i][1]);
		free(place);
		px_rules_free(r);
	}
}

/* Rules of pycfs's own that would not lower a level are dropped. */
static void test_settled_docs(void **state PX_UNUSED)
{
	for (unsigned level = 0; level < 3; level++) {
		struct px_rules *r;
		const char *what;

		assert_int_equal(px_rules_new(&r), 0);
		assert_int_equal(
			px_rules_add(r, PX_RULE_KEEP_DOCS, 0, "*", &what), 0);
		px_rules_mark_built_in(r);
		px_rules_settle(r, NULL, 0, level);
		assert_int_equal(px_rules_keep_docs(r, "a.py"), level == 2);
		px_rules_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settled_docs),
		cmocka_unit_test(test_versions_have_an_order),
		cmocka_unit_test(test_spellings_of_a_version),
		cmocka_unit_test(test_less_and_greater),
		cmocka_unit_test(test_several_parts),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_names_as_pypi_has_them),
		cmocka_unit_test(test_bad_conditions),
		cmocka_unit_test(test_no_condition),
		cmocka_unit_test(test_text_and_copy),
		cmocka_unit_test(test_a_profile_never_raises_the_level),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
