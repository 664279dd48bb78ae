/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/view.h"

#include <limits.h>

#define MAX_ROWS 8

/* A listing and what its view must be. */
struct view_case {
	const char *title;
	struct px_name names[MAX_ROWS];	   /* in byte order */
	struct px_entry entries[MAX_ROWS]; /* in byte order */
	const char *noted[MAX_ROWS];	   /* in byte order */
};

#define REG(n)                        \
	{                             \
		n, PX_TYPE_REG, false \
	}
#define DIR(n)                        \
	{                             \
		n, PX_TYPE_DIR, false \
	}
#define LNK(n)                        \
	{                             \
		n, PX_TYPE_LNK, false \
	}
#define LNKF(n)                      \
	{                            \
		n, PX_TYPE_LNK, true \
	}
#define SPC(n)                            \
	{                                 \
		n, PX_TYPE_SPECIAL, false \
	}

static const struct px_view_options no_rules = {.cache_tag = "cpython-312"};

static const struct view_case cases[] = {
	{.title = "nothing"},
	{.title = "a package",
	 .names = {REG("__init__.py"), DIR("__pycache__"), REG("a.pyi"),
		   REG("b.so"), REG("c.pyx"), DIR("sub")},
	 .entries = {{"__init__.pyc", "__init__.py", PX_KIND_MODULE},
		     {"a.pyi", "a.pyi", PX_KIND_FILE},
		     {"b.so", "b.so", PX_KIND_FILE},
		     {"c.pyx", "c.pyx", PX_KIND_FILE},
		     {"sub", "sub", PX_KIND_DIR}}},
	{.title = "order changes with names",
	 .names = {REG("a.py"), REG("a.py-x"), REG("a.pya"), REG("a.pyd")},
	 .entries = {{"a.py-x", "a.py-x", PX_KIND_FILE},
		     {"a.pya", "a.pya", PX_KIND_FILE},
		     {"a.pyc", "a.py", PX_KIND_MODULE},
		     {"a.pyd", "a.pyd", PX_KIND_FILE}}},
	{.title = "a stale .pyc",
	 .names = {REG("a.py"), REG("a.pyc"), REG("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE},
		     {"b.pyc", "b.pyc", PX_KIND_FILE}}},
	{.title = "a directory in the way",
	 .names = {REG("a.py"), DIR("a.pyc"), DIR("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE},
		     {"b.pyc", "b.pyc", PX_KIND_DIR}},
	 .noted = {"a.pyc"}},
	{.title = "a link in the way",
	 .names = {LNKF("a.py"), LNK("a.pyc"), LNK("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE},
		     {"b.pyc", "b.pyc", PX_KIND_LINK}},
	 .noted = {"a.pyc"}},
	{.title = "a special file in the way is noted once",
	 .names = {REG("a.py"), SPC("a.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE}},
	 .noted = {"a.pyc"}},
	{.title = "a directory called X.py",
	 .names = {DIR("a.py"), REG("a.pyc")},
	 .entries = {{"a.py", "a.py", PX_KIND_DIR},
		     {"a.pyc", "a.pyc", PX_KIND_FILE}}},
	{.title = "a link that leads to no file",
	 .names = {LNK("a.py"), REG("a.pyc")},
	 .entries = {{"a.py", "a.py", PX_KIND_LINK},
		     {"a.pyc", "a.pyc", PX_KIND_FILE}}},
	{.title = "a special X.py",
	 .names = {SPC("a.py"), REG("a.pyc")},
	 .entries = {{"a.pyc", "a.pyc", PX_KIND_FILE}},
	 .noted = {"a.py"}},
	{.title = "only a suffix",
	 .names = {REG(".py"), REG(".pyc"), REG("py"), REG("pyc")},
	 .entries = {{".pyc", ".py", PX_KIND_MODULE},
		     {"py", "py", PX_KIND_FILE},
		     {"pyc", "pyc", PX_KIND_FILE}}},
	{.title = "only a suffix, without source",
	 .names = {REG(".pyc"), REG(".pyo")},
	 .entries = {{".pyc", ".pyc", PX_KIND_FILE}}},
	{.title = "optimized files of old Pythons",
	 .names = {REG("a.pyo"), LNK("b.pyo"), DIR("c.pyo"), SPC("d.pyo")},
	 .entries = {{"c.pyo", "c.pyo", PX_KIND_DIR}},
	 .noted = {"d.pyo"}},
	{.title = "__pycache__ that is no directory",
	 .names = {REG("__pycache__")},
	 .entries = {{"__pycache__", "__pycache__", PX_KIND_FILE}}},
	{.title = "special files",
	 .names = {SPC("a"), REG("b"), SPC("c")},
	 .entries = {{"b", "b", PX_KIND_FILE}},
	 .noted = {"a", "c"}},
	{.title = "suffixes of other case are no suffixes",
	 .names = {REG("A.PY"), REG("a.Py"), REG("a.py "), REG("a.py.txt")},
	 .entries = {{"A.PY", "A.PY", PX_KIND_FILE},
		     {"a.Py", "a.Py", PX_KIND_FILE},
		     {"a.py ", "a.py ", PX_KIND_FILE},
		     {"a.py.txt", "a.py.txt", PX_KIND_FILE}}},
	{.title = "two suffixes",
	 .names = {REG("a.py.py"), REG("a.pyc.py"), REG("a.pyc.pyc")},
	 .entries = {{"a.py.pyc", "a.py.py", PX_KIND_MODULE},
		     {"a.pyc.pyc", "a.pyc.py", PX_KIND_MODULE}}},
	{.title = "bytes",
	 .names = {REG("\n.py"), REG("a\n.py"), REG("\xff\xfe.py")},
	 .entries = {{"\n.pyc", "\n.py", PX_KIND_MODULE},
		     {"a\n.pyc", "a\n.py", PX_KIND_MODULE},
		     {"\xff\xfe.pyc", "\xff\xfe.py", PX_KIND_MODULE}}},
	{.title = "links",
	 .names = {LNK("a"), LNK("b.txt"), LNK("c.pyc"), LNKF("d.py")},
	 .entries = {{"a", "a", PX_KIND_LINK},
		     {"b.txt", "b.txt", PX_KIND_LINK},
		     {"c.pyc", "c.pyc", PX_KIND_LINK},
		     {"d.pyc", "d.py", PX_KIND_MODULE}}},
};

/* Everything is copied to the heap and freed once the view is made, so that
 * the sanitizer sees a view that points into its listing. */
static struct px_view *make_view(const struct px_name *names, size_t n)
{
	struct px_listing l = {.n = n};
	struct px_view *v;

	l.names = calloc(n + 1, sizeof(*l.names));
	for (size_t i = 0; i < n; i++) {
		l.names[i] = names[i];
		l.names[i].name = strdup(names[i].name);
		if (i > 0)
			assert_true(strcmp(names[i - 1].name, names[i].name) <
				    0);
	}
	assert_int_equal(px_view_new(&l, "", &no_rules, &v), 0);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)l.names[i].name);
	free(l.names);
	return v;
}

static struct px_view *make_case(const struct view_case *c)
{
	size_t n = 0;

	while (n < MAX_ROWS && c->names[n].name)
		n++;
	return make_view(c->names, n);
}

static void check_entries(const struct px_view *v,
			  const struct px_entry *expected)
{
	size_t n = 0;

	for (; n < MAX_ROWS && expected[n].name; n++) {
		const struct px_entry *e = px_view_at(v, n);

		assert_true(n < px_view_count(v));
		assert_string_equal(e->name, expected[n].name);
		assert_string_equal(e->source, expected[n].source);
		assert_int_equal(e->kind, expected[n].kind);
		assert_ptr_equal(px_view_find(v, e->name), e);
		if (e->kind == PX_KIND_MODULE) {
			assert_ptr_equal(px_view_find_source(v, e->source), e);
			assert_null(px_view_find(v, e->source));
		} else {
			assert_null(px_view_find_source(v, e->source));
		}
	}
	assert_int_equal(px_view_count(v), n);
}

static void test_rules(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_view *v = make_case(&cases[i]);
		size_t n = 0;

		print_message("%s\n", cases[i].title);
		check_entries(v, cases[i].entries);
		for (; n < MAX_ROWS && cases[i].noted[n]; n++) {
			const struct px_note *note = px_view_note(v, n);

			assert_true(n < px_view_n_notes(v));
			assert_string_equal(note->source, cases[i].noted[n]);
			assert_true(strlen(note->text) > 10);
		}
		assert_int_equal(px_view_n_notes(v), n);
		px_view_unref(v);
	}
}

static void test_find_misses(void **state PX_UNUSED)
{
	static const struct px_name names[] = {REG("a.py"), REG("b.pyc"),
					       REG("b.txt")};
	static const char *const absent[] = {"",     "a", "a.py", "a.pycc",
					     "b.py", "c", "a.pyo"};
	struct px_view *v = make_view(names, PX_ARRAY_LEN(names));
	struct px_view *none = make_view(NULL, 0);
	char longest[2 * NAME_MAX];

	for (size_t i = 0; i < PX_ARRAY_LEN(absent); i++) {
		assert_null(px_view_find(v, absent[i]));
		assert_null(px_view_find(none, absent[i]));
	}
	assert_null(px_view_find_source(v, "b.py"));
	assert_null(px_view_find_source(v, "b.txt"));
	assert_null(px_view_find_source(v, "a.pyc"));
	assert_null(px_view_find_source(v, ""));
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_null(px_view_find(v, longest));
	assert_null(px_view_find_source(v, longest));
	px_view_unref(v);
	px_view_unref(none);
}

/* X.py of `n` bytes. */
static void fill_name(char *name, size_t n)
{
	memset(name, 'x', n - 3);
	memcpy(name + n - 3, ".py", 4);
}

static void test_longest_names(void **state PX_UNUSED)
{
	char fits[NAME_MAX + 1];
	char too_long[NAME_MAX + 1];
	struct px_name names[2] = {REG(fits), REG(too_long)};
	const struct px_entry *e;
	struct px_view *v;

	fill_name(fits, NAME_MAX - 1);
	fill_name(too_long, NAME_MAX);
	v = make_view(names, 2);
	assert_int_equal(px_view_count(v), 2);
	e = px_view_find_source(v, fits);
	assert_non_null(e);
	assert_int_equal(strlen(e->name), NAME_MAX);
	e = px_view_find(v, too_long);
	assert_non_null(e);
	assert_int_equal(e->kind, PX_KIND_FILE);
	assert_string_equal(e->source, too_long);
	assert_null(px_view_find_source(v, too_long));
	assert_int_equal(px_view_n_notes(v), 1);
	assert_string_equal(px_view_note(v, 0)->source, too_long);
	px_view_unref(v);

	names[1].type = PX_TYPE_LNK;
	names[1].leads_to_file = true;
	v = make_view(names, 2);
	assert_int_equal(px_view_find(v, too_long)->kind, PX_KIND_LINK);
	assert_int_equal(px_view_n_notes(v), 1);
	px_view_unref(v);

	names[1].type = PX_TYPE_DIR;
	names[1].leads_to_file = false;
	v = make_view(names, 2);
	assert_int_equal(px_view_find(v, too_long)->kind, PX_KIND_DIR);
	assert_int_equal(px_view_n_notes(v), 0);
	px_view_unref(v);
}

static void test_settle(void **state PX_UNUSED)
{
	static const struct px_name names[] = {
		REG("a.py"), REG("a.py-x"), REG("b.py"), REG("b.pyc"), SPC("s"),
	};
	/* By place in the view: a.py-x, a.pyc, b.pyc. The first is no module,
	 * so what is said of it must not matter. */
	static const bool rejected[] = {true, true, false};
	static const struct px_entry expected[][MAX_ROWS] = {
		[PX_ON_ERROR_FAIL] =
			{
				{"a.py-x", "a.py-x", PX_KIND_FILE},
				{"a.pyc", "a.py", PX_KIND_MODULE},
				{"b.pyc", "b.py", PX_KIND_MODULE},
			},
		[PX_ON_ERROR_SOURCE] =
			{
				{"a.py", "a.py", PX_KIND_FILE},
				{"a.py-x", "a.py-x", PX_KIND_FILE},
				{"b.pyc", "b.py", PX_KIND_MODULE},
			},
		[PX_ON_ERROR_OMIT] =
			{
				{"a.py-x", "a.py-x", PX_KIND_FILE},
				{"b.pyc", "b.py", PX_KIND_MODULE},
			},
	};

	for (int how = PX_ON_ERROR_FAIL; how <= PX_ON_ERROR_OMIT; how++) {
		struct px_view *v = make_view(names, PX_ARRAY_LEN(names));
		struct px_view *settled;

		assert_int_equal(px_view_settle(v, rejected,
						(enum px_on_error)how,
						&settled),
				 0);
		check_entries(v, expected[PX_ON_ERROR_FAIL]);
		/* The settled view must live without it. */
		px_view_unref(v);
		check_entries(settled, expected[how]);
		assert_int_equal(px_view_n_notes(settled), 1);
		assert_string_equal(px_view_note(settled, 0)->source, "s");
		px_view_unref(settled);
	}
}

static void test_settle_nothing(void **state PX_UNUSED)
{
	struct px_view *v = make_view(NULL, 0);
	struct px_view *settled;

	assert_int_equal(px_view_settle(v, NULL, PX_ON_ERROR_OMIT, &settled),
			 0);
	assert_int_equal(px_view_count(settled), 0);
	px_view_unref(v);
	px_view_unref(settled);
}

static void test_references(void **state PX_UNUSED)
{
	static const struct px_name names[] = {REG("a.py")};
	struct px_view *v = make_view(names, 1);

	assert_ptr_equal(px_view_ref(v), v);
	px_view_unref(v);
	assert_string_equal(px_view_at(v, 0)->name, "a.pyc");
	px_view_unref(v);
	px_view_unref(NULL);
}

/* Every subset of names that get in each other's way: shipped names are
 * unique, sorted, found, and nothing of a plain file is lost. */
static void test_all_subsets(void **state PX_UNUSED)
{
	static const char *const all[] = {".py",   ".pyc",  "a",    "a.py",
					  "a.pyc", "a.pyo", "b.pyc"};
	size_t n_all = PX_ARRAY_LEN(all);

	for (unsigned set = 0; set < 1u << n_all; set++) {
		struct px_name names[PX_ARRAY_LEN(all)];
		size_t n = 0;
		size_t n_expected = 0;
		struct px_view *v;

		for (size_t i = 0; i < n_all; i++) {
			bool shadowed =
				(i == 1 || i == 4) && (set >> (i - 1) & 1);

			if (!(set >> i & 1))
				continue;
			names[n++] = (struct px_name)REG(all[i]);
			n_expected += !shadowed && i != 5;
		}
		v = make_view(names, n);
		assert_int_equal(px_view_count(v), n_expected);
		for (size_t i = 0; i < px_view_count(v); i++) {
			const struct px_entry *e = px_view_at(v, i);

			assert_ptr_equal(px_view_find(v, e->name), e);
			if (i > 0)
				assert_true(strcmp(px_view_at(v, i - 1)->name,
						   e->name) < 0);
		}
		px_view_unref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_find_misses),
		cmocka_unit_test(test_longest_names),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_settle_nothing),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_all_subsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
