/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/rules.h"

#include <limits.h>
#include <stdio.h>

#define F false
#define T true

/* Whether `exclude PATTERN` hides `path`, as `git check-ignore` answers for a
 * .gitignore with that line (git 2.39). */
static const struct {
	const char *pattern;
	const char *path;
	bool is_dir;
	bool matches;
} patterns[] = {
	/* a name, at any depth */
	{"a.pyi", "a.pyi", F, T},
	{"a.pyi", "x/y/a.pyi", F, T},
	{"a.pyi", "x/a.pyi/y", F, F}, /* the directory is asked apart */
	{"a.pyi", "xa.pyi", F, F},
	{"a.pyi", "a.pyix", F, F},
	{"a.pyi", "A.pyi", F, F},
	{"*.pyi", ".pyi", F, T},
	{"*.pyi", "x/.a.pyi", F, T},
	{"*.pyi", "pyi", F, F},
	{"bo*", "botocore", T, T},
	{"bo*", "bo", T, T},
	{"bo*", "xbo", T, F},
	{"*", "a", F, T},
	{"*", "a/b", F, T},
	{"?", "a", F, T},
	{"?", "x/a", F, T},
	{"?", "ab", F, F},
	{"a?c", "a/c", F, F},
	{"a*c", "a/c", F, F},
	{"a**c", "abbc", F, T}, /* not between slashes: a star */
	{"a**c", "a/c", F, F},
	{"**", "a", F, T},
	{"**", "a/b", F, T},
	{"***", "a", F, T},
	{"#a", "#a", F, T},
	{".*", ".a", F, T},
	{".*", "a", F, F},

	/* anchored by a slash before the last byte */
	{"/a", "a", F, T},
	{"/a", "x/a", F, F},
	{"/*.py", "a.py", F, T},
	{"/*.py", "x/a.py", F, F},
	{"x/a", "x/a", F, T},
	{"x/a", "y/x/a", F, F},
	{"/x/a", "x/a", F, T},
	{"x/*", "x/a", F, T},
	{"x/*", "x/a/b", F, F},
	{"x/*/b", "x/a/b", F, T},
	{"x/*/b", "x/b", F, F},
	{"x/*/b", "x/a/a/b", F, F},
	{"x/?/b", "x/a/b", F, T},
	{"x/a", "x", T, F},
	{"x", "x/a", F, F},
	{"x/a", "xx/a", F, F},
	{"*/a", "x/a", F, T},
	{"*/a", "a", F, F},
	{"*/a", "x/x/a", F, F},
	{"./a", "a", F, F},

	/* ** between slashes, at the start, at the end */
	{"**/a", "a", F, T},
	{"**/a", "x/a", F, T},
	{"**/a", "x/y/z/a", F, T},
	{"**/a", "x/ya", F, F},
	{"**/a", "x/a/y", F, F},
	{"/**/a", "x/a", F, T},
	{"**/x/a", "x/a", F, T},
	{"**/x/a", "y/x/a", F, T},
	{"**/x/a", "y/x/b/a", F, F},
	{"x/**", "x", T, F},
	{"x/**", "x/a", F, T},
	{"x/**", "x/a/b", F, T},
	{"x/**", "y/x/a", F, F},
	{"x/**", "xa", F, F},
	{"/**", "a", F, T},
	{"/**", "a/b", F, T},
	{"x/**/b", "x/b", F, T},
	{"x/**/b", "x/a/b", F, T},
	{"x/**/b", "x/a/a/a/b", F, T},
	{"x/**/b", "xb", F, F},
	{"x/**/b", "x/ab", F, F},
	{"x/**/b", "x/b/a", F, F},
	{"x/**/b", "x", T, F},
	{"x/**/**/b", "x/b", F, T},
	{"x/**/**/b", "x/a/b", F, T},
	{"x/**/y/**/b", "x/y/b", F, T},
	{"x/**/y/**/b", "x/1/y/2/3/b", F, T},
	{"x/**/y/**/b", "x/1/2/b", F, F},
	/* a longer first part must be tried, too */
	{"**/a/b", "a/a/b", F, T},
	{"**/a/b", "a/b/a/b", F, T},
	{"**/a/b", "a/b/a", F, F},
	{"**/a/*/b", "a/a/a/b", F, T},
	{"a/**/b/c", "a/b/b/c", F, T},
	{"a/**/b/c", "a/b/c/b/c", F, T},
	{"a/**/b/c", "a/b/c/c", F, F},
	{"ddtrace/contrib/**/patch.py", "ddtrace/contrib/patch.py", F, T},
	{"ddtrace/contrib/**/patch.py", "ddtrace/contrib/a/b/patch.py", F, T},
	{"ddtrace/contrib/**/patch.py", "x/ddtrace/contrib/patch.py", F, F},
	{"**a/b", "xa/b", F, T}, /* a star in a name */
	{"**a/b", "x/a/b", F, F},
	{"x/a**", "x/ab", F, T},
	{"x/a**", "x/ab/c", F, F},

	/* directories only */
	{"tests/", "tests", T, T},
	{"tests/", "tests", F, F},
	{"tests/", "x/tests", T, T},
	{"/tests/", "tests", T, T},
	{"/tests/", "x/tests", T, F},
	{"x/tests/", "x/tests", T, T},
	{"x/tests/", "x/tests", F, F},
	{"x/tests/", "y/x/tests", T, F},
	{"**/", "x", T, T},
	{"**/", "x", F, F},
	{"x/**/", "x/y", T, T},
	{"x/**/", "x/y", F, F},
	{"**/tests/", "a/b/tests", T, T},
	{"*.dist-info/", "a-1.dist-info", T, T},

	/* escapes */
	{"\\!a", "!a", F, T},
	{"\\#a", "#a", F, T},
	{"\\*", "*", F, T},
	{"\\*", "a", F, F},
	{"a\\?", "a?", F, T},
	{"a\\?", "ab", F, F},
	{"\\[a]", "[a]", F, T},
	{"\\[a]", "a", F, F},
	{"a\\\\b", "a\\b", F, T},
	{"\\a\\b", "ab", F, T},
	{"a]", "a]", F, T},
	{"x/\\**", "x/*a", F, T},
	{"x/\\**", "x/a", F, F},
	{"a\\/b", "a/b", F, T}, /* a slash is one in any case */
	{"a\\/b", "x/a/b", F, F},
	{"x/a\\/b", "x/a/b", F, T},
	{"a\\\\/b", "a\\/b", F, T},
	{"a\\\\/b", "a/b", F, F},
	{"a\\\\\\/b", "a\\/b", F, T},
	{"*\\/a", "x/a", F, T},
	{"*\\/a", "x/y/a", F, F},
	{"x\\/**", "x/y/z", F, T},
	{"x\\/**/a", "x/a", F, T},
	{"**\\/a", "a", F, F}, /* but here: one directory or more */
	{"**\\/a", "x/a", F, T},
	{"**\\/a", "x/y/a", F, T},
	{"x/**\\/a", "x/a", F, F},
	{"x/**\\/a", "x/y/a", F, T},
	{"x/**\\/a", "x/y/z/a", F, T},
	{"x/**\\/**\\/a", "x/y/a", F, F},
	{"x/**\\/**\\/a", "x/y/z/a", F, T},

	/* sets */
	{"[ab]", "a", F, T},
	{"[ab]", "b", F, T},
	{"[ab]", "c", F, F},
	{"[ab]", "ab", F, F},
	{"[a-c]x", "bx", F, T},
	{"[a-c]x", "ax", F, T},
	{"[a-c]x", "cx", F, T},
	{"[a-c]x", "dx", F, F},
	{"[a-c]x", "-x", F, F},
	{"[c-a]", "b", F, F},
	{"[c-a]", "a", F, F},
	{"[c-a]", "c", F, T}, /* the first byte counts by itself */
	{"[a-c-z]", "-", F, T},
	{"[a-c-z]", "q", F, F},
	{"[!ab]", "c", F, T},
	{"[!ab]", "a", F, F},
	{"[^ab]", "c", F, T},
	{"[^ab]", "b", F, F},
	{"[!a-c]", "b", F, F},
	{"[!a-c]", "d", F, T},
	{"[]a]", "]", F, T},
	{"[]a]", "a", F, T},
	{"[]a]", "b", F, F},
	{"[]]", "]", F, T},
	{"[!]a]", "]", F, F},
	{"[!]a]", "b", F, T},
	{"[^]]", "]", F, F},
	{"[]-a]", "^", F, T}, /* a range from ] */
	{"[]-a]", "-", F, F},
	{"[a!]", "!", F, T},
	{"[a^]", "^", F, T},
	{"[a-]", "-", F, T},
	{"[a-]", "b", F, F},
	{"[-a]", "-", F, T},
	{"[--0]", ".", F, T},
	{"[--0]", "0", F, T},
	{"[--0]", "1", F, F},
	{"[a\\]b]", "]", F, T},
	{"[a\\]b]", "b", F, T},
	{"[a\\]b]", "\\", F, F},
	{"[\\a-\\c]", "b", F, T},
	{"[\\\\]", "\\", F, T},
	{"[*?]", "*", F, T},
	{"[*?]", "a", F, F},
	{"[[]", "[", F, T},
	{"*[ab]", "xxa", F, T},
	{"*[ab]x", "abax", F, T},
	{"*[ab]x", "abac", F, F},
	{"x/[!y]", "x/z", F, T},
	{"x[!y]a", "x/a", F, F},
	{"[\x80-\xff]", "\xe4", F, T},
	{"[\x80-\xff]", "a", F, F},
	{"[!a]", "\xff", F, T},

	/* classes, of ASCII alone */
	{"[[:digit:]]", "7", F, T},
	{"[[:digit:]]", "a", F, F},
	{"[[:digit:]]", ":", F, F},
	{"[![:digit:]]", "7", F, F},
	{"[^[:digit:]]", "a", F, T},
	{"v[[:digit:]]*", "v1x", F, T},
	{"[[:digit:]x-z]", "y", F, T},
	{"[a[:digit:]]", "a", F, T},
	{"[[:upper:][:digit:]]", "Q", F, T},
	{"[[:upper:][:digit:]]", "0", F, T},
	{"[[:upper:][:digit:]]", "q", F, F},
	{"[[:alpha:]]", "\xe4", F, F},
	{"[[:alnum:]]", "_", F, F},
	{"[[:punct:]]", "_", F, T},
	{"[[:punct:]]", "a", F, F},
	{"[[:space:]]", " ", F, T},
	{"[[:space:]]", "\n", F, T},
	{"[[:blank:]]", "\n", F, F},
	{"[[:xdigit:]]", "F", F, T},
	{"[[:xdigit:]]", "g", F, F},
	{"[[:cntrl:]]", "\x7f", F, T},
	{"[[:graph:]]", " ", F, F},
	{"[[:print:]]", " ", F, T},
	{"[[:lower:]]", "A", F, F},
	{"[:digit:]", "d", F, T}, /* a set of letters */
	{"[:digit:]", "7", F, F},
	{"[[:]", "[", F, T},
	{"[[:]", ":", F, T},
	{"[[:]]", "[]", F, T}, /* the first bracket ends a set, if no class */
	{"[[:]]", ":]", F, T},
	{"[[:]]", "[", F, F},
	{"[[:alpha:x]", "a", F, T},
	{"[[:alpha]x:]", "ax:]", F, T},
	{"[[:alpha]x:]", "x", F, F},
	{"[[:a]lpha:]", "[lpha:]", F, T},
	{"[[:]a:]", "[a:]", F, T},
	{"[[:]a:]", "a", F, F},
	{"[[:alpha\\]:]]", "h]", F, T},
	{"[[:alpha\\]:]]", "]]", F, T},
	{"[[:alpha\\]:]]", "a", F, F},
	{"[[:digit:]-z]", "-", F, T},
	{"[[:digit:]-z]", "q", F, F},
	{"[a-[:digit:]]", "d]", F, T}, /* a range to [, and then letters */
	{"[a-[:digit:]]", "a]", F, T},
	{"[a-[:digit:]]", "5]", F, F},
	{"[Z-[:digit:]]", "[]", F, T},

	/* stars that must give back */
	{"*a*b", "xaxbxb", F, T},
	{"*a*b", "xaxbxc", F, F},
	{"a*a*a", "aa", F, F},
	{"a*a*a", "aaa", F, T},
	{"*.py*", ".py.py", F, T},
	{"*ab", "aab", F, T},
	{"a*", "a", F, T},
	{"*a", "a", F, T},
	{"*?", "a", F, T},
	{"?*?", "a", F, F},

	/* names are bytes */
	{"\xff*", "\xff\xfe", F, T},
	{"a?", "a\xff", F, T},
	{"a\nb", "a\nb", F, T},

	/* trailing blanks */
	{"a  ", "a", F, T},
	{"a\\ ", "a ", F, T},
	{"a\\ ", "a", F, F},
	{"a\\  ", "a ", F, T},
	{"a\\\\ ", "a\\", F, T}, /* that backslash is a backslash's */
	{"a\\\\ ", "a\\ ", F, F},
	{"a\\\\\\ ", "a\\ ", F, T},
	{"a\\ \\  ", "a  ", F, T},
	{"a  \\ ", "a   ", F, T},
	{"a\t", "a\t", F, T}, /* spaces only */
	{"a\t", "a", F, F},
	{"a\t ", "a\t", F, T},
	{"a \t", "a \t", F, T},
	{" a", " a", F, T},
	{"a b", "a b", F, T},
	{"a\r", "a", F, T},
	{"a \r", "a", F, T},
	{"a\\ \r", "a ", F, T},
	{"a\r\r", "a\r", F, T}, /* one ends the line */
	{"a\r\r", "a", F, F},
	{"a\r ", "a\r", F, T},
	{"a\r ", "a", F, F},
	{"a\\\\\r", "a\\", F, T},
};

static struct px_rules *parse_n(const char *text, size_t n)
{
	struct px_rules *r;
	const char *what = NULL;
	size_t line = 0;

	assert_int_equal(px_rules_new(&r), 0);
	if (px_rules_parse(r, text, n, &line, &what) != 0)
		fail_msg("line %zu of \"%s\": %s", line, text, what);
	return r;
}

static struct px_rules *parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static struct px_rules *one_rule(enum px_rule_verb verb, const char *pattern)
{
	/* In exactly as many bytes, for the sanitizer. */
	char *copy = strdup(pattern);
	const char *what = NULL;
	struct px_rules *r;

	assert_int_equal(px_rules_new(&r), 0);
	if (px_rules_add(r, verb, 1, copy, &what) != 0)
		fail_msg("\"%s\": %s", pattern, what);
	free(copy);
	return r;
}

static void check(const char *pattern, const char *path, bool got, bool want)
{
	if (got != want)
		fail_msg("\"%s\" %s \"%s\"", pattern,
			 got ? "matches" : "does not match", path);
}

static void test_patterns(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(patterns); i++) {
		const char *pattern = patterns[i].pattern;
		struct px_rules *r = one_rule(PX_RULE_EXCLUDE, pattern);

		check(pattern, patterns[i].path,
		      px_rules_excluded(r, patterns[i].path,
					patterns[i].is_dir),
		      patterns[i].matches);
		px_rules_free(r);
	}
}

/* The same pattern matches for every verb, and `!` turns each around. */
static void test_negated_patterns(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(patterns); i++) {
		const char *path = patterns[i].path;
		const bool is_dir = patterns[i].is_dir;
		char pattern[64];
		struct px_rules *r;

		snprintf(pattern, sizeof(pattern), "!%s", patterns[i].pattern);
		r = one_rule(PX_RULE_INCLUDE, pattern);
		check(pattern, path, px_rules_excluded(r, path, is_dir),
		      patterns[i].matches);
		px_rules_free(r);
		r = one_rule(PX_RULE_EXCLUDE, pattern);
		assert_false(px_rules_excluded(r, path, is_dir));
		px_rules_free(r);
		if (is_dir || !patterns[i].matches)
			continue;
		r = one_rule(PX_RULE_KEEP_SOURCE, pattern + 1);
		check(pattern + 1, path, px_rules_keep_source(r, path), true);
		px_rules_free(r);
		r = one_rule(PX_RULE_OPTIMIZE, pattern + 1);
		assert_int_equal(px_rules_optimize(r, path, 7), 1);
		px_rules_free(r);
		r = one_rule(PX_RULE_OPTIMIZE, pattern);
		assert_int_equal(px_rules_optimize(r, path, 7), 7);
		px_rules_free(r);
	}
}

static bool keeps_docs(const char *text, const char *path)
{
	struct px_rules *r;
	const char *what;
	size_t line;
	bool keeps;

	assert_int_equal(px_rules_new(&r), 0);
	assert_int_equal(px_rules_parse(r, text, strlen(text), &line, &what),
			 0);
	keeps = px_rules_keep_docs(r, path);
	px_rules_free(r);
	return keeps;
}

static void test_keep_docs(void **state PX_UNUSED)
{
	assert_false(px_rules_keep_docs(NULL, "a.py"));
	assert_false(keeps_docs("", "a.py"));
	assert_true(keeps_docs("keep-docs *", "a/b.py"));
	assert_true(keeps_docs("keep-docs a/", "a/b.py"));
	assert_false(keeps_docs("keep-docs /b/", "a/b.py"));
	assert_false(keeps_docs("keep-docs *\nkeep-docs !b.py", "a/b.py"));
	/* The later one of the two verbs decides. */
	assert_false(keeps_docs("keep-docs *\noptimize 2 /a/", "a/b.py"));
	assert_true(keeps_docs("keep-docs *\noptimize 2 /a/", "b.py"));
	assert_true(keeps_docs("optimize 2 /a/\nkeep-docs *", "a/b.py"));
	assert_false(keeps_docs("keep-docs *\noptimize 1 !/a/", "a/b.py"));
}

static void test_uses_docs(void **state PX_UNUSED)
{
	static const char *const uses[] = {"__doc__", "x.__doc__", "'__doc__'",
					   "\n__doc__ += ''\n", "a__doc__"};
	static const char *const not [] = {"", "__doc_", "_doc__", "__DOC__",
					   "__doc\n__"};

	for (size_t i = 0; i < PX_ARRAY_LEN(uses); i++)
		assert_true(px_uses_docs(uses[i], strlen(uses[i])));
	for (size_t i = 0; i < PX_ARRAY_LEN(not ); i++)
		assert_false(px_uses_docs(not [i], strlen(not [i])));
	assert_false(px_uses_docs(NULL, 0));
	assert_false(px_uses_docs("__doc__", 6));
	assert_true(px_uses_docs("\0__doc__", 8));
}

static void test_no_rules(void **state PX_UNUSED)
{
	struct px_rules *r;

	assert_false(px_rules_excluded(NULL, "a", false));
	assert_false(px_rules_keep_source(NULL, "a"));
	assert_int_equal(px_rules_optimize(NULL, "a", 2), 2);
	assert_false(px_rules_hide(NULL));
	r = parse("");
	assert_false(px_rules_excluded(r, "a", true));
	assert_false(px_rules_keep_source(r, "a"));
	assert_int_equal(px_rules_optimize(r, "a", 2), 2);
	assert_false(px_rules_hide(r));
	px_rules_free(r);
	px_rules_free(NULL);
}

static void test_hides(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		bool hides;
	} cases[] = {
		{"include a", false},		{"keep-source a", false},
		{"optimize 0 a", false},	{"keep-source !a", false},
		{"optimize 0 !a", false},	{"exclude a", true},
		{"exclude !a", false},		{"exclude !a\nexclude b", true},
		{"include !a", true},		{"include a\nexclude b", true},
		{"exclude b\ninclude a", true},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r = parse(cases[i].text);

		if (px_rules_hide(r) != cases[i].hides)
			fail_msg("%s", cases[i].text);
		px_rules_free(r);
	}
}

/* Of the two verbs that answer one question, the last that matches. */
static void test_last_match_wins(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		const char *path;
		bool is_dir;
		bool excluded;
	} cases[] = {
		{"exclude *.c\ninclude a.c", "a.c", F, F},
		{"exclude *.c\ninclude a.c", "b.c", F, T},
		{"include a.c\nexclude *.c", "a.c", F, T},
		{"exclude *.c\nexclude !a.c", "a.c", F, F},
		{"exclude *.c\nexclude !a.c\nexclude a.*", "a.c", F, T},
		{"include *\ninclude !a", "a", F, T},
		{"include *\ninclude !a", "b", F, F},
		{"exclude a\nkeep-source a", "a", F, T},
		{"exclude a\noptimize 0 a", "a", F, T},
		{"exclude a\nkeep-source !a", "a", F, T},
		{"exclude tests/\ninclude tests", "tests", T, F},
		{"exclude tests\ninclude tests/", "tests", F, T},
		{"exclude tests\ninclude tests/", "tests", T, F},
		{"exclude *.dist-info/*\ninclude METADATA",
		 "a.dist-info/METADATA", F, F},
		{"exclude *.dist-info/*\ninclude METADATA",
		 "a.dist-info/RECORD", F, T},
		{"exclude *.dist-info/*\ninclude METADATA", "a.dist-info", T,
		 F},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r = parse(cases[i].text);

		check(cases[i].text, cases[i].path,
		      px_rules_excluded(r, cases[i].path, cases[i].is_dir),
		      cases[i].excluded);
		px_rules_free(r);
	}
}

/* What holds for a directory holds for all in it, unless a later rule says
 * otherwise. */
static void test_keep_source(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		const char *path;
		bool kept;
	} cases[] = {
		{"keep-source patch.py", "a/b/patch.py", T},
		{"keep-source patch.py", "patch.pyx", F},
		{"keep-source a/", "a/b.py", T},
		{"keep-source a/", "a/b/c/d.py", T},
		{"keep-source a/", "x/a/b.py", T},
		{"keep-source a/", "ab/c.py", F},
		{"keep-source a/", "a", F}, /* a file of that name */
		{"keep-source a/", "x/a", F},
		{"keep-source a", "a/b.py", T},
		{"keep-source a", "a", T},
		{"keep-source /a", "a/b.py", T},
		{"keep-source /a", "x/a/b.py", F},
		{"keep-source a/b", "a/b/c.py", T},
		{"keep-source a/b", "a/c/b.py", F},
		{"keep-source a/*", "a/b/c/d.py", T},
		{"keep-source **/b/", "a/b/c/d.py", T},
		{"keep-source a/\nkeep-source !b.py", "a/b.py", F},
		{"keep-source a/\nkeep-source !b.py", "a/c.py", T},
		{"keep-source a/\nkeep-source !a/b/", "a/b/c.py", F},
		{"keep-source !a/b/\nkeep-source a/", "a/b/c.py", T},
		{"keep-source a/\nexclude b.py\ninclude b.py", "a/b.py", T},
		{"keep-source a/\noptimize 0 a/\noptimize 1 !a/", "a/b.py", T},
		{"exclude a/", "a/b.py", F},
		{"optimize 0 a/", "a/b.py", F},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r = parse(cases[i].text);

		check(cases[i].text, cases[i].path,
		      px_rules_keep_source(r, cases[i].path), cases[i].kept);
		px_rules_free(r);
	}
}

static void test_optimize(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		const char *path;
		unsigned level; /* 9: the default */
	} cases[] = {
		{"optimize 0 a.py", "x/a.py", 0},
		{"optimize 1 a.py", "x/a.py", 1},
		{"optimize 2 a.py", "x/a.py", 2},
		{"optimize 0 a.py", "x/b.py", 9},
		{"optimize 0 a/", "a/b/c.py", 0},
		{"optimize 0 a/", "a", 9},
		{"optimize 0 a/\noptimize 1 a/b/", "a/b/c.py", 1},
		{"optimize 1 a/b/\noptimize 0 a/", "a/b/c.py", 0},
		{"optimize 0 a/\noptimize 2 !a/b/", "a/b/c.py", 9},
		{"optimize 0 a/\noptimize 2 !a/b/", "a/c.py", 0},
		{"optimize\t1\t a.py", "a.py", 1},
		{"keep-source a.py\nexclude a.py", "a.py", 9},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r = parse(cases[i].text);
		unsigned got = px_rules_optimize(r, cases[i].path, 9);

		if (got != cases[i].level)
			fail_msg("%s: %s: %u", cases[i].text, cases[i].path,
				 got);
		px_rules_free(r);
	}
}

static void test_file_syntax(void **state PX_UNUSED)
{
	static const char text[] = "# exclude comment\n"
				   "\n"
				   "   \t \r\n"
				   "  # exclude indented\r\n"
				   "exclude crlf\r\n"
				   "  exclude \t blanks  \n"
				   "exclude \\ leading\n"
				   "\texclude\ttabs\n"
				   "exclude #hash\n"
				   "exclude in # side\n"
				   "exclude quoted\\ \r\n"
				   "exclude last";
	static const char *const out[] = {"crlf",     "blanks", "tabs",
					  " leading", "#hash",	"in # side",
					  "quoted ",  "last"};
	static const char *const in[] = {"comment", "indented", "crlf\r",
					 "quoted",  "#",	"in",
					 "leading", "hash",	"side"};
	struct px_rules *r = parse(text);

	for (size_t i = 0; i < PX_ARRAY_LEN(out); i++)
		check("the file", out[i], px_rules_excluded(r, out[i], false),
		      true);
	for (size_t i = 0; i < PX_ARRAY_LEN(in); i++)
		check("the file", in[i], px_rules_excluded(r, in[i], false),
		      false);
	px_rules_free(r);
}

static void test_byte_order_mark(void **state PX_UNUSED)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct px_rules *r = parse("\xef\xbb\xbf"
				   "exclude a\n");
	const char *what;
	size_t line;

	assert_true(px_rules_excluded(r, "a", false));
	px_rules_free(r);
	for (size_t n = 0; n < sizeof(bom); n++) {
		assert_int_equal(px_rules_new(&r), 0);
		assert_int_equal(px_rules_parse(r, bom, n, &line, &what),
				 n == 0 || n == 3 ? 0 : -EINVAL);
		px_rules_free(r);
	}
	/* Only where the file begins. */
	assert_int_equal(px_rules_new(&r), 0);
	assert_int_equal(
		px_rules_parse(r, "#\n\xef\xbb\xbf#\n", 7, &line, &what),
		-EINVAL);
	assert_int_equal(line, 2);
	px_rules_free(r);
}

/* Text is what its length says: there is no NUL behind it. */
static void test_exact_length(void **state PX_UNUSED)
{
	static const char text[] = "exclude aa\nkeep-source bb\noptimize 1 cc";
	const size_t n = sizeof(text) - 1;
	char *copy = malloc(n);
	struct px_rules *r;

	memcpy(copy, text, n);
	r = parse_n(copy, n);
	assert_int_equal(px_rules_optimize(r, "cc", 0), 1);
	px_rules_free(r);
	r = parse_n(copy, n - 1);
	assert_int_equal(px_rules_optimize(r, "cc", 0), 0);
	assert_int_equal(px_rules_optimize(r, "c", 0), 1);
	px_rules_free(r);
	free(copy);
}

/* Every prefix of a file is a file or an error, never a crash. */
static void test_all_prefixes(void **state PX_UNUSED)
{
	static const char text[] = "exclude [!]a-\\]z]*\\ \r\n"
				   "include !/**/x/**/\n"
				   "keep-source \\[a\\\\\n"
				   "optimize 2 a/**/[[]\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n + 1);
		struct px_rules *r;
		const char *what;
		size_t line = 0;
		int err;

		memcpy(copy, text, n);
		copy = realloc(copy, n ? n : 1);
		assert_int_equal(px_rules_new(&r), 0);
		err = px_rules_parse(r, copy, n, &line, &what);
		assert_true(err == 0 || (err == -EINVAL && line >= 1 &&
					 line <= 4 && strlen(what) > 5));
		px_rules_excluded(r, "x/a]", true);
		px_rules_keep_source(r, "x/a]");
		px_rules_optimize(r, "a/b/[", 1);
		px_rules_free(r);
		free(copy);
	}
}

static void test_errors(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		size_t line;
		const char *says; /* part of it */
	} cases[] = {
		{"exclude", 1, "empty"},
		{"exclude   \t", 1, "empty"},
		{"exclude /", 1, "empty"},
		{"exclude //", 1, "empty"},
		{"exclude !", 1, "empty"},
		{"exclude !/", 1, "empty"},
		{"include", 1, "empty"},
		{"keep-source \r\n", 1, "empty"},
		{"exclude a//b", 1, "two slashes"},
		{"exclude //a", 1, "two slashes"},
		{"exclude a//", 1, "two slashes"},
		{"exclude a\\", 1, "backslash"},
		{"exclude a\\/", 1, "backslash"},
		{"exclude \\/a", 1, "two slashes"},
		{"exclude a/\\/b", 1, "two slashes"},
		{"exclude [", 1, "["},
		{"exclude []", 1, "["},
		{"exclude [!", 1, "["},
		{"exclude [!]", 1, "["},
		{"exclude [^]", 1, "["},
		{"exclude [a", 1, "["},
		{"exclude [a-", 1, "["},
		{"exclude [a\\]", 1, "["},
		{"exclude [\\", 1, "["},
		{"exclude x[", 1, "["},
		{"exclude a[b/c]", 1, "["},
		{"exclude [a][", 1, "["},
		{"exclude [[:nonsense:]]", 1, "class"},
		{"exclude [[::]]", 1, "class"},
		{"exclude [[:digit:]", 1, "["},
		{"exclude [a-[:digit:][]", 1, "["},
		{"exclude [a-\\", 1, "["},
		{"exclude [[:alpha", 1, "["},
		{"exclude [[:foo:]a]", 1, "class"},
		{"*.py", 1, "keep-source"},
		{"Exclude a", 1, "keep-source"},
		{"excludes a", 1, "keep-source"},
		{"exclud a", 1, "keep-source"},
		{"exclude,a", 1, "keep-source"},
		{"!exclude a", 1, "keep-source"},
		{"keep_source a", 1, "keep-source"},
		{"optimize", 1, "0, 1 or 2"},
		{"optimize a", 1, "0, 1 or 2"},
		{"optimize 2", 1, "0, 1 or 2"},
		{"optimize 2 ", 1, "0, 1 or 2"},
		{"optimize 3 a", 1, "0, 1 or 2"},
		{"optimize -1 a", 1, "0, 1 or 2"},
		{"optimize 12 a", 1, "0, 1 or 2"},
		{"optimize 2a", 1, "0, 1 or 2"},
		{"optimize 1 [", 1, "["},
		{"exclude a\nexclude b\n\n# c\nexclude [\n", 5, "["},
		{"exclude a\r\n\r\nx y\r\nexclude [\r\n", 3, "keep-source"},
		{"\n\n\nexclude", 4, "empty"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_rules *r;
		const char *what = NULL;
		size_t line = 0;

		assert_int_equal(px_rules_new(&r), 0);
		print_message("%s\n", cases[i].text);
		assert_int_equal(px_rules_parse(r, cases[i].text,
						strlen(cases[i].text), &line,
						&what),
				 -EINVAL);
		assert_int_equal(line, cases[i].line);
		assert_non_null(what);
		if (!strstr(what, cases[i].says))
			fail_msg("it says \"%s\"", what);
		px_rules_free(r);
	}
}

static void test_nul_bytes(void **state PX_UNUSED)
{
	static const char text[] = "exclude a\0b\n";
	static const char later[] = "exclude x\n\nexclude a\0b\nexclude y\n";
	struct px_rules *r;
	const char *what = NULL;
	size_t line = 0;

	assert_int_equal(px_rules_new(&r), 0);
	assert_int_equal(
		px_rules_parse(r, text, sizeof(text) - 1, &line, &what),
		-EINVAL);
	assert_int_equal(line, 1);
	assert_non_null(strstr(what, "NUL"));
	assert_false(px_rules_hide(r));
	assert_int_equal(
		px_rules_parse(r, later, sizeof(later) - 1, &line, &what),
		-EINVAL);
	assert_int_equal(line, 3);
	assert_non_null(strstr(what, "NUL"));
	/* What comes before it stays, as with any other error. */
	assert_true(px_rules_excluded(r, "x", false));
	assert_false(px_rules_excluded(r, "y", false));
	px_rules_free(r);
}

static void test_bad_patterns_leave_no_trace(void **state PX_UNUSED)
{
	static const char *const bad[] = {"",	"/",   "!",    "!/",
					  "[a", "a\\", "a//b", "    ",
					  "\r", "a/[", "a/b\\"};
	const char *what = NULL;
	struct px_rules *r;
	size_t line;

	assert_int_equal(px_rules_new(&r), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		what = NULL;
		assert_int_equal(
			px_rules_add(r, PX_RULE_EXCLUDE, 0, bad[i], &what),
			-EINVAL);
		assert_non_null(what);
	}
	assert_false(px_rules_hide(r));
	/* Of a file that is wrong in its third line, two rules stay. */
	assert_int_equal(px_rules_parse(r, "exclude a\nexclude b\n?\nexclude c",
					25, &line, &what),
			 -EINVAL);
	assert_true(px_rules_excluded(r, "a", false));
	assert_true(px_rules_excluded(r, "b", false));
	assert_false(px_rules_excluded(r, "c", false));
	/* What comes later goes behind. */
	assert_int_equal(px_rules_add(r, PX_RULE_INCLUDE, 0, "a", &what), 0);
	assert_false(px_rules_excluded(r, "a", false));
	px_rules_free(r);
}

/* Naive backtracking would take longer than the universe has. */
static void test_hostile_names(void **state PX_UNUSED)
{
	static const char *const hostile[] = {
		"a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"*?*?*?*?*?*?*?*?*?*?*?*?*?*?*?*?*b",
		"*[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*b",
		"********************************b",
		"/a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"**/a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
	};
	char name[NAME_MAX + 1];

	memset(name, 'a', NAME_MAX);
	name[NAME_MAX] = '\0';
	alarm(60);
	for (size_t i = 0; i < PX_ARRAY_LEN(hostile); i++) {
		struct px_rules *r = one_rule(PX_RULE_EXCLUDE, hostile[i]);

		assert_false(px_rules_excluded(r, name, false));
		name[NAME_MAX - 1] = 'b';
		assert_true(px_rules_excluded(r, name, false));
		name[NAME_MAX - 1] = 'a';
		px_rules_free(r);
	}
	alarm(0);
}

static void test_hostile_paths(void **state PX_UNUSED)
{
	static const char *const hostile[] = {
		"**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b",
		"**/**/**/**/**/**/**/**/**/**/**/**/**/**/**/**/**/b",
		"a/**/*/**/*/**/*/**/*/**/*/**/*/**/*/**/*/**/*/**/b",
		"**/?/**/?/**/?/**/?/**/?/**/?/**/?/**/?/**/?/**/b",
	};
	const size_t n = PATH_MAX - 1;
	char *path = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		path[i] = i % 2 ? '/' : 'a';
	path[n] = '\0';
	alarm(60);
	for (size_t i = 0; i < PX_ARRAY_LEN(hostile); i++) {
		struct px_rules *r = one_rule(PX_RULE_EXCLUDE, hostile[i]);

		assert_false(px_rules_excluded(r, path, false));
		path[n - 1] = 'b';
		assert_true(px_rules_excluded(r, path, false));
		path[n - 1] = 'a';
		px_rules_free(r);
		/* Asked of every directory above, too. */
		r = one_rule(PX_RULE_KEEP_SOURCE, hostile[i]);
		assert_false(px_rules_keep_source(r, path));
		path[0] = 'x';
		path[n - 1] = 'b';
		assert_int_equal(px_rules_keep_source(r, path),
				 hostile[i][0] == '*');
		path[0] = path[n - 1] = 'a';
		px_rules_free(r);
	}
	alarm(0);
	free(path);
}

static void test_many_rules(void **state PX_UNUSED)
{
	const char *what = NULL;
	struct px_rules *r;
	char name[20];

	assert_int_equal(px_rules_new(&r), 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(px_rules_add(r,
					      i % 3 ? PX_RULE_EXCLUDE
						    : PX_RULE_KEEP_SOURCE,
					      0, name, &what),
				 0);
	}
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(px_rules_excluded(r, name, false), i % 3 != 0);
		assert_int_equal(px_rules_keep_source(r, name), i % 3 == 0);
	}
	px_rules_free(r);
}

static void test_the_list_of_rules(void **state PX_UNUSED)
{
	static const char text[] = "exclude *.pyi\n"
				   "optimize  1\t/a/\n"
				   "keep-source !b\\ .py\n"
				   "include /a/x.pyi\n";
	static const char *const lines[] = {
		"exclude *.pyi",
		"optimize 1 /a/",
		"keep-source !b\\ .py",
		"include /a/x.pyi",
	};
	struct px_rules *r = parse(text), *copy;

	px_rules_mark_built_in(r);
	assert_int_equal(px_rules_copy(r, &copy), 0);
	px_rules_free(r);
	r = copy;
	assert_int_equal(px_rules_count(NULL), 0);
	assert_int_equal(px_rules_count(r), PX_ARRAY_LEN(lines));
	for (size_t i = 0; i < PX_ARRAY_LEN(lines); i++) {
		char *line = px_rules_text(r, i);

		assert_string_equal(line, lines[i]);
		assert_true(px_rules_is_built_in(r, i));
		free(line);
	}
	assert_int_equal(px_rules_decider(r, PX_RULE_EXCLUDE, "a/y.pyi", false),
			 0);
	assert_int_equal(px_rules_decider(r, PX_RULE_INCLUDE, "a/x.pyi", false),
			 3);
	assert_int_equal(px_rules_decider(r, PX_RULE_EXCLUDE, "a/x.py", false),
			 -1);
	assert_int_equal(
		px_rules_decider(r, PX_RULE_OPTIMIZE, "a/b/c.py", false), 1);
	assert_int_equal(px_rules_decider(NULL, PX_RULE_OPTIMIZE, "a", false),
			 -1);
	assert_true(px_rules_matches(r, 0, "z/q.pyi", false));
	assert_true(px_rules_matches(r, 1, "a", true));
	assert_false(px_rules_matches(r, 1, "a", false));
	assert_true(px_rules_matches(r, 2, "c/b .py/d", false));
	assert_false(px_rules_matches(r, 3, "a/y.pyi", false));
	px_rules_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_negated_patterns),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_keep_docs),
		cmocka_unit_test(test_uses_docs),
		cmocka_unit_test(test_hides),
		cmocka_unit_test(test_last_match_wins),
		cmocka_unit_test(test_keep_source),
		cmocka_unit_test(test_optimize),
		cmocka_unit_test(test_file_syntax),
		cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_exact_length),
		cmocka_unit_test(test_all_prefixes),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_bad_patterns_leave_no_trace),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_hostile_paths),
		cmocka_unit_test(test_many_rules),
		cmocka_unit_test(test_the_list_of_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
