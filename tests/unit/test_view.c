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

#define REG(n)                                                           \
	{                                                                \
		.name = (n), .type = PX_TYPE_REG, .leads_to_file = false \
	}
#define DIR(n)                                                           \
	{                                                                \
		.name = (n), .type = PX_TYPE_DIR, .leads_to_file = false \
	}
#define LNK(n)                                                           \
	{                                                                \
		.name = (n), .type = PX_TYPE_LNK, .leads_to_file = false \
	}
#define LNKF(n)                                                         \
	{                                                               \
		.name = (n), .type = PX_TYPE_LNK, .leads_to_file = true \
	}
#define SPC(n)                                                               \
	{                                                                    \
		.name = (n), .type = PX_TYPE_SPECIAL, .leads_to_file = false \
	}

static const struct px_view_options no_rules = {.cache_tag = "cpython-312"};

static const struct view_case cases[] = {
	{.title = "nothing"},
	{.title = "a package",
	 .names = {REG("__init__.py"), DIR("__pycache__"), REG("a.pyi"),
		   REG("b.so"), REG("c.pyx"), DIR("sub")},
	 .entries = {{"__init__.pyc", "__init__.py", PX_KIND_MODULE, NULL},
		     {"a.pyi", "a.pyi", PX_KIND_FILE, NULL},
		     {"b.so", "b.so", PX_KIND_FILE, NULL},
		     {"c.pyx", "c.pyx", PX_KIND_FILE, NULL},
		     {"sub", "sub", PX_KIND_DIR, NULL}}},
	{.title = "order changes with names",
	 .names = {REG("a.py"), REG("a.py-x"), REG("a.pya"), REG("a.pyd")},
	 .entries = {{"a.py-x", "a.py-x", PX_KIND_FILE, NULL},
		     {"a.pya", "a.pya", PX_KIND_FILE, NULL},
		     {"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"a.pyd", "a.pyd", PX_KIND_FILE, NULL}}},
	{.title = "a stale .pyc",
	 .names = {REG("a.py"), REG("a.pyc"), REG("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_FILE, NULL}}},
	{.title = "a directory in the way",
	 .names = {REG("a.py"), DIR("a.pyc"), DIR("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_DIR, NULL}},
	 .noted = {"a.pyc"}},
	{.title = "a link in the way",
	 .names = {LNKF("a.py"), LNK("a.pyc"), LNK("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_LINK, NULL}},
	 .noted = {"a.pyc"}},
	{.title = "a special file in the way is noted once",
	 .names = {REG("a.py"), SPC("a.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL}},
	 .noted = {"a.pyc"}},
	{.title = "a directory called X.py",
	 .names = {DIR("a.py"), REG("a.pyc")},
	 .entries = {{"a.py", "a.py", PX_KIND_DIR, NULL},
		     {"a.pyc", "a.pyc", PX_KIND_FILE, NULL}}},
	{.title = "a link that leads to no file",
	 .names = {LNK("a.py"), REG("a.pyc")},
	 .entries = {{"a.py", "a.py", PX_KIND_LINK, NULL},
		     {"a.pyc", "a.pyc", PX_KIND_FILE, NULL}}},
	{.title = "a special X.py",
	 .names = {SPC("a.py"), REG("a.pyc")},
	 .entries = {{"a.pyc", "a.pyc", PX_KIND_FILE, NULL}},
	 .noted = {"a.py"}},
	{.title = "only a suffix",
	 .names = {REG(".py"), REG(".pyc"), REG("py"), REG("pyc")},
	 .entries = {{".pyc", ".py", PX_KIND_MODULE, NULL},
		     {"py", "py", PX_KIND_FILE, NULL},
		     {"pyc", "pyc", PX_KIND_FILE, NULL}}},
	{.title = "only a suffix, without source",
	 .names = {REG(".pyc"), REG(".pyo")},
	 .entries = {{".pyc", ".pyc", PX_KIND_FILE, NULL}}},
	{.title = "optimized files of old Pythons",
	 .names = {REG("a.pyo"), LNK("b.pyo"), DIR("c.pyo"), SPC("d.pyo")},
	 .entries = {{"c.pyo", "c.pyo", PX_KIND_DIR, NULL}},
	 .noted = {"d.pyo"}},
	{.title = "__pycache__ that is no directory",
	 .names = {REG("__pycache__")},
	 .entries = {{"__pycache__", "__pycache__", PX_KIND_FILE, NULL}}},
	{.title = "special files",
	 .names = {SPC("a"), REG("b"), SPC("c")},
	 .entries = {{"b", "b", PX_KIND_FILE, NULL}},
	 .noted = {"a", "c"}},
	{.title = "suffixes of other case are no suffixes",
	 .names = {REG("A.PY"), REG("a.Py"), REG("a.py "), REG("a.py.txt")},
	 .entries = {{"A.PY", "A.PY", PX_KIND_FILE, NULL},
		     {"a.Py", "a.Py", PX_KIND_FILE, NULL},
		     {"a.py ", "a.py ", PX_KIND_FILE, NULL},
		     {"a.py.txt", "a.py.txt", PX_KIND_FILE, NULL}}},
	{.title = "two suffixes",
	 .names = {REG("a.py.py"), REG("a.pyc.py"), REG("a.pyc.pyc")},
	 .entries = {{"a.py.pyc", "a.py.py", PX_KIND_MODULE, NULL},
		     {"a.pyc.pyc", "a.pyc.py", PX_KIND_MODULE, NULL}}},
	{.title = "bytes",
	 .names = {REG("\n.py"), REG("a\n.py"), REG("\xff\xfe.py")},
	 .entries = {{"\n.pyc", "\n.py", PX_KIND_MODULE, NULL},
		     {"a\n.pyc", "a\n.py", PX_KIND_MODULE, NULL},
		     {"\xff\xfe.pyc", "\xff\xfe.py", PX_KIND_MODULE, NULL}}},
	{.title = "links",
	 .names = {LNK("a"), LNK("b.txt"), LNK("c.pyc"), LNKF("d.py")},
	 .entries = {{"a", "a", PX_KIND_LINK, NULL},
		     {"b.txt", "b.txt", PX_KIND_LINK, NULL},
		     {"c.pyc", "c.pyc", PX_KIND_LINK, NULL},
		     {"d.pyc", "d.py", PX_KIND_MODULE, NULL}}},
};

typedef int (*view_maker)(const struct px_listing *l, const char *dir,
			  const struct px_view_options *o,
			  struct px_view **ret);

/* Everything is copied to the heap and freed once the view is made, so that
 * the sanitizer sees a view that points into its listing. */
static struct px_view *make_with(view_maker make, const struct px_name *names,
				 size_t n, const char *dir,
				 const struct px_view_options *o)
{
	struct px_listing l = {.n = n};
	char *copy = strdup(dir);
	struct px_view *v;

	l.names = calloc(n + 1, sizeof(*l.names));
	for (size_t i = 0; i < n; i++) {
		l.names[i] = names[i];
		l.names[i].name = strdup(names[i].name);
		if (i > 0)
			assert_true(strcmp(names[i - 1].name, names[i].name) <
				    0);
	}
	assert_int_equal(make(&l, copy, o, &v), 0);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)l.names[i].name);
	free(l.names);
	free(copy);
	return v;
}

static struct px_view *make_view(const struct px_name *names, size_t n)
{
	return make_with(px_view_new, names, n, "", &no_rules);
}

static size_t count_names(const struct px_name *names)
{
	size_t n = 0;

	while (n < MAX_ROWS && names[n].name)
		n++;
	return n;
}

static struct px_view *make_case(const struct view_case *c)
{
	return make_view(c->names, count_names(c->names));
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

static void check_notes(const struct px_view *v, const char *const *noted)
{
	size_t n = 0;

	for (; n < MAX_ROWS && noted[n]; n++) {
		const struct px_note *note = px_view_note(v, n);

		assert_true(n < px_view_n_notes(v));
		assert_string_equal(note->source, noted[n]);
		assert_true(strlen(note->text) > 10);
	}
	assert_int_equal(px_view_n_notes(v), n);
}

static void test_without_rules(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_view *v = make_case(&cases[i]);

		print_message("%s\n", cases[i].title);
		check_entries(v, cases[i].entries);
		check_notes(v, cases[i].noted);
		assert_int_equal(px_view_n_excluded(v), 0);
		px_view_unref(v);
	}
}

/* ------------------------------------------------------ what the user wants */

/* A listing, rules, and what both its views must be. */
struct ruled_case {
	const char *title;
	const char *rules; /* a rules file */
	const char *dir;
	struct px_name names[MAX_ROWS];
	struct px_entry entries[MAX_ROWS];
	struct px_entry cached[MAX_ROWS]; /* of the generated __pycache__ */
	size_t n_excluded;
	const char *noted[MAX_ROWS];
};

#define PYCACHE                                          \
	{                                                \
		"__pycache__", "", PX_KIND_PYCACHE, NULL \
	}

static const struct ruled_case ruled_cases[] = {
	{.title = "excluded names",
	 .rules = "exclude *.pyi\nexclude tests/\nexclude b.py",
	 .dir = "",
	 .names = {REG("a.py"), REG("a.pyi"), REG("b.py"), REG("b.pyx"),
		   DIR("tests")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"b.pyx", "b.pyx", PX_KIND_FILE, NULL}},
	 .n_excluded = 3},
	{.title = "rules know the directory",
	 .rules = "exclude /a.py\nexclude d/e/b.py\nexclude e/c.py",
	 .dir = "d/e",
	 .names = {REG("a.py"), REG("b.py"), REG("c.py")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"c.pyc", "c.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 1},
	{.title = "an anchored rule at the top",
	 .rules = "exclude /a.py",
	 .dir = "",
	 .names = {REG("a.py"), REG("b.py")},
	 .entries = {{"b.pyc", "b.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 1},
	{.title = "rules mean source names",
	 .rules = "exclude *.pyc",
	 .dir = "",
	 .names = {REG("a.py"), REG("a.pyc"), REG("b.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 2},
	{.title = "an excluded source takes its .pyc along",
	 .rules = "exclude a.py",
	 .dir = "",
	 .names = {REG("a.py"), REG("a.pyc"), REG("b.py")},
	 .entries = {{"b.pyc", "b.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 1},
	{.title = "but no directory, and no link",
	 .rules = "exclude *.py",
	 .dir = "",
	 .names = {REG("a.py"), DIR("a.pyc"), REG("b.py"), LNK("b.pyc"),
		   REG("c.py"), SPC("c.pyc")},
	 .entries = {{"a.pyc", "a.pyc", PX_KIND_DIR, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_LINK, NULL}},
	 .n_excluded = 3,
	 .noted = {"c.pyc"}},
	{.title = "excluded links and special files",
	 .rules = "exclude [lps]*",
	 .dir = "",
	 .names = {REG("a"), LNK("l"), LNKF("p.py"), SPC("s"), SPC("t")},
	 .entries = {{"a", "a", PX_KIND_FILE, NULL}},
	 .n_excluded = 3,
	 .noted = {"t"}},
	{.title = "what is hidden anyhow was not excluded",
	 .rules = "exclude *.pyo\nexclude __pycache__\nexclude a.py*",
	 .dir = "",
	 .names = {DIR("__pycache__"), REG("b.py"), REG("b.pyo")},
	 .entries = {{"b.pyc", "b.py", PX_KIND_MODULE, NULL}}},
	{.title = "what is excluded in the way is no matter",
	 .rules = "exclude a.pyc/",
	 .dir = "",
	 .names = {REG("a.py"), DIR("a.pyc")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 1},
	{.title = "all of it",
	 .rules = "exclude *",
	 .dir = "d",
	 .names = {REG("a.py"), DIR("b"), LNK("c")},
	 .n_excluded = 3},
	{.title = "included after all",
	 .rules = "exclude *\ninclude a.py",
	 .dir = "d",
	 .names = {REG("a.py"), REG("b.py")},
	 .entries = {{"a.pyc", "a.py", PX_KIND_MODULE, NULL}},
	 .n_excluded = 1},

	{.title = "a kept source",
	 .rules = "keep-source b.py",
	 .dir = "",
	 .names = {REG("a.py"), REG("b.py"), REG("c.txt")},
	 .entries = {PYCACHE,
		     {"a.pyc", "a.py", PX_KIND_MODULE, NULL},
		     {"b.py", "b.py", PX_KIND_FILE, NULL},
		     {"c.txt", "c.txt", PX_KIND_FILE, NULL}},
	 .cached = {{"b.cpython-312.pyc", "b.py", PX_KIND_KEPT, NULL}}},
	{.title = "kept in a directory",
	 .rules = "keep-source e/",
	 .dir = "d/e",
	 .names = {REG("b.py")},
	 .entries = {PYCACHE, {"b.py", "b.py", PX_KIND_FILE, NULL}},
	 .cached = {{"b.cpython-312.pyc", "b.py", PX_KIND_KEPT, NULL}}},
	{.title = "kept elsewhere",
	 .rules = "keep-source /b.py\nkeep-source e/b.py",
	 .dir = "d/e",
	 .names = {REG("b.py")},
	 .entries = {{"b.pyc", "b.py", PX_KIND_MODULE, NULL}}},
	{.title = "kept, beside an old .pyc and an old __pycache__",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {DIR("__pycache__"), REG("a.py"), REG("a.pyc"), REG("b.pyc")},
	 .entries = {PYCACHE,
		     {"a.py", "a.py", PX_KIND_FILE, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_FILE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "kept, beside a .pyc that is no file: its name is free",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {REG("a.py"), DIR("a.pyc"), REG("b.py"), LNK("b.pyc")},
	 .entries = {PYCACHE,
		     {"a.py", "a.py", PX_KIND_FILE, NULL},
		     {"a.pyc", "a.pyc", PX_KIND_DIR, NULL},
		     {"b.py", "b.py", PX_KIND_FILE, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_LINK, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL},
		    {"b.cpython-312.pyc", "b.py", PX_KIND_KEPT, NULL}}},
	{.title = "one of two kept",
	 .rules = "keep-source a.py",
	 .dir = "",
	 .names = {REG("a.py"), DIR("a.pyc"), REG("b.py"), DIR("b.pyc")},
	 .entries = {PYCACHE,
		     {"a.py", "a.py", PX_KIND_FILE, NULL},
		     {"a.pyc", "a.pyc", PX_KIND_DIR, NULL},
		     {"b.pyc", "b.py", PX_KIND_MODULE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}},
	 .noted = {"b.pyc"}},
	{.title = "a kept link is a file",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {LNKF("a.py"), LNK("b.py")},
	 .entries = {PYCACHE,
		     {"a.py", "a.py", PX_KIND_FILE, NULL},
		     {"b.py", "b.py", PX_KIND_LINK, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "nothing to keep",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {DIR("__pycache__"), DIR("a.py"), REG("b.pyc"), REG("c.txt"),
		   SPC("d.py")},
	 .entries = {{"a.py", "a.py", PX_KIND_DIR, NULL},
		     {"b.pyc", "b.pyc", PX_KIND_FILE, NULL},
		     {"c.txt", "c.txt", PX_KIND_FILE, NULL}},
	 .noted = {"d.py"}},
	{.title = "excluded is not kept",
	 .rules = "keep-source *\nexclude a.py",
	 .dir = "",
	 .names = {REG("a.py")},
	 .n_excluded = 1},
	{.title = "no __pycache__ wanted",
	 .rules = "keep-source *\nexclude __pycache__/",
	 .dir = "",
	 .names = {REG("a.py")},
	 .entries = {{"a.py", "a.py", PX_KIND_FILE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "no __pycache__ wanted here",
	 .rules = "keep-source *\nexclude /d/__pycache__",
	 .dir = "d",
	 .names = {REG("a.py")},
	 .entries = {{"a.py", "a.py", PX_KIND_FILE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "__pycache__ taken by a file",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {REG("__pycache__"), REG("a.py")},
	 .entries = {{"__pycache__", "__pycache__", PX_KIND_FILE, NULL},
		     {"a.py", "a.py", PX_KIND_FILE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "__pycache__ taken by a link",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {LNK("__pycache__"), REG("a.py")},
	 .entries = {{"__pycache__", "__pycache__", PX_KIND_LINK, NULL},
		     {"a.py", "a.py", PX_KIND_FILE, NULL}},
	 .cached = {{"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL}}},
	{.title = "names in __pycache__, in order",
	 .rules = "keep-source *",
	 .dir = "",
	 .names = {REG(".py"), REG("a-b.py"), REG("a.d.py"), REG("a.py"),
		   REG("a0.py"), REG("\xff\n.py")},
	 .entries = {{".py", ".py", PX_KIND_FILE, NULL},
		     PYCACHE,
		     {"a-b.py", "a-b.py", PX_KIND_FILE, NULL},
		     {"a.d.py", "a.d.py", PX_KIND_FILE, NULL},
		     {"a.py", "a.py", PX_KIND_FILE, NULL},
		     {"a0.py", "a0.py", PX_KIND_FILE, NULL},
		     {"\xff\n.py", "\xff\n.py", PX_KIND_FILE, NULL}},
	 .cached = {{".cpython-312.pyc", ".py", PX_KIND_KEPT, NULL},
		    {"a-b.cpython-312.pyc", "a-b.py", PX_KIND_KEPT, NULL},
		    {"a.cpython-312.pyc", "a.py", PX_KIND_KEPT, NULL},
		    {"a.d.cpython-312.pyc", "a.d.py", PX_KIND_KEPT, NULL},
		    {"a0.cpython-312.pyc", "a0.py", PX_KIND_KEPT, NULL},
		    {"\xff\n.cpython-312.pyc", "\xff\n.py", PX_KIND_KEPT,
		     NULL}}},

	{.title = "RECORD",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {REG("METADATA"), REG("RECORD")},
	 .entries = {{"METADATA", "METADATA", PX_KIND_FILE, NULL},
		     {"RECORD", "RECORD", PX_KIND_RECORD, NULL}}},
	{.title = "signatures of what is not shipped so",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {REG("RECORD"), REG("RECORD.jws"), LNK("RECORD.p7s"),
		   REG("RECORD.p7s.x"), REG("x.jws")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_RECORD, NULL},
		     {"RECORD.p7s.x", "RECORD.p7s.x", PX_KIND_FILE, NULL},
		     {"x.jws", "x.jws", PX_KIND_FILE, NULL}}},
	{.title = "a signature that is a directory",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {REG("RECORD"), DIR("RECORD.jws")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_RECORD, NULL},
		     {"RECORD.jws", "RECORD.jws", PX_KIND_DIR, NULL}}},
	{.title = "signatures of what is shipped as it is",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {LNK("RECORD"), REG("RECORD.jws"), REG("RECORD.p7s")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_LINK, NULL},
		     {"RECORD.jws", "RECORD.jws", PX_KIND_FILE, NULL},
		     {"RECORD.p7s", "RECORD.p7s", PX_KIND_FILE, NULL}}},
	{.title = "signatures of nothing",
	 .rules = "exclude RECORD",
	 .dir = "a-1.dist-info",
	 .names = {REG("RECORD"), REG("RECORD.jws")},
	 .entries = {{"RECORD.jws", "RECORD.jws", PX_KIND_FILE, NULL}},
	 .n_excluded = 1},
	{.title = "signatures elsewhere",
	 .rules = "",
	 .dir = "a",
	 .names = {REG("RECORD"), REG("RECORD.jws")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_FILE, NULL},
		     {"RECORD.jws", "RECORD.jws", PX_KIND_FILE, NULL}}},
	{.title = "RECORD further down",
	 .rules = "",
	 .dir = "x/y/a-1.dist-info",
	 .names = {REG("RECORD")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_RECORD, NULL}}},
	{.title = "RECORD of nothing",
	 .rules = "",
	 .dir = "",
	 .names = {REG("RECORD")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_FILE, NULL}}},
	{.title = "RECORD below a dist-info",
	 .rules = "",
	 .dir = "a-1.dist-info/licenses",
	 .names = {REG("RECORD")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_FILE, NULL}}},
	{.title = "RECORD elsewhere",
	 .rules = "",
	 .dir = "a-1.dist-info-x",
	 .names = {REG("RECORD")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_FILE, NULL}}},
	{.title = "RECORD that is a directory",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {DIR("RECORD"), REG("record")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_DIR, NULL},
		     {"record", "record", PX_KIND_FILE, NULL}}},
	{.title = "RECORD that is a link",
	 .rules = "",
	 .dir = "a-1.dist-info",
	 .names = {LNK("RECORD")},
	 .entries = {{"RECORD", "RECORD", PX_KIND_LINK, NULL}}},
	{.title = "RECORD excluded",
	 .rules = "exclude *.dist-info/*\ninclude METADATA",
	 .dir = "a-1.dist-info",
	 .names = {REG("METADATA"), REG("RECORD")},
	 .entries = {{"METADATA", "METADATA", PX_KIND_FILE, NULL}},
	 .n_excluded = 1},
};

static struct px_rules *parse_rules(const char *text)
{
	struct px_rules *r;
	const char *what = NULL;
	size_t line = 0;

	assert_int_equal(px_rules_new(&r), 0);
	if (px_rules_parse(r, text, strlen(text), &line, &what) != 0)
		fail_msg("line %zu: %s", line, what);
	return r;
}

static void test_with_rules(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(ruled_cases); i++) {
		const struct ruled_case *c = &ruled_cases[i];
		struct px_rules *rules = parse_rules(c->rules);
		struct px_view_options o = {rules, "cpython-312"};
		const size_t n = count_names(c->names);
		struct px_view *v, *cached;

		print_message("%s\n", c->title);
		v = make_with(px_view_new, c->names, n, c->dir, &o);
		cached = make_with(px_view_pycache, c->names, n, c->dir, &o);
		px_rules_free(rules);
		check_entries(v, c->entries);
		check_notes(v, c->noted);
		assert_int_equal(px_view_n_excluded(v), c->n_excluded);
		check_entries(cached, c->cached);
		assert_int_equal(px_view_n_notes(cached), 0);
		px_view_unref(v);
		px_view_unref(cached);
	}
}

/* The tag is the target's, whatever that is. */
static void test_cache_tags(void **state PX_UNUSED)
{
	static const struct px_name names[] = {REG("a.py"), REG("b.py")};
	struct px_rules *rules = parse_rules("keep-source *");
	struct px_view_options o = {rules, "pypy311-pp73-with-a-long-tag"};
	struct px_view *v = make_with(px_view_pycache, names, 2, "d", &o);

	assert_int_equal(px_view_count(v), 2);
	assert_string_equal(px_view_at(v, 1)->name,
			    "b.pypy311-pp73-with-a-long-tag.pyc");
	px_view_unref(v);
	px_rules_free(rules);
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

/* A stem that leaves no room for .cpython-312.pyc is without one; the source
 * is shipped all the same. */
static void test_longest_cached_names(void **state PX_UNUSED)
{
	/* stem, ".cpython-312.pyc" */
	const size_t longest = NAME_MAX - 16;
	struct px_rules *rules = parse_rules("keep-source *");
	struct px_view_options o = {rules, "cpython-312"};
	char fits[NAME_MAX + 1];
	char too_long[NAME_MAX + 1];
	struct px_name names[2] = {REG(fits), REG(too_long)};
	struct px_view *v;

	fill_name(fits, longest + 3);
	fill_name(too_long, longest + 4);
	/* Byte order: 'x' comes after '.'. */
	v = make_with(px_view_new, names, 2, "d", &o);
	assert_int_equal(px_view_count(v), 3);
	assert_int_equal(px_view_find(v, fits)->kind, PX_KIND_FILE);
	assert_int_equal(px_view_find(v, too_long)->kind, PX_KIND_FILE);
	px_view_unref(v);
	v = make_with(px_view_pycache, names, 2, "d", &o);
	assert_int_equal(px_view_count(v), 1);
	assert_string_equal(px_view_at(v, 0)->source, fits);
	assert_int_equal(strlen(px_view_at(v, 0)->name), NAME_MAX);
	px_view_unref(v);

	/* With nothing to go there, there is no __pycache__. */
	v = make_with(px_view_new, names + 1, 1, "d", &o);
	assert_int_equal(px_view_count(v), 1);
	assert_int_equal(px_view_at(v, 0)->kind, PX_KIND_FILE);
	assert_string_equal(px_view_at(v, 0)->source, too_long);
	px_view_unref(v);
	v = make_with(px_view_pycache, names + 1, 1, "d", &o);
	assert_int_equal(px_view_count(v), 0);
	px_view_unref(v);

	/* No module, so nothing to keep. */
	fill_name(too_long, NAME_MAX);
	v = make_with(px_view_new, names + 1, 1, "d", &o);
	assert_int_equal(px_view_count(v), 1);
	assert_int_equal(px_view_at(v, 0)->kind, PX_KIND_FILE);
	assert_int_equal(px_view_n_notes(v), 1);
	px_view_unref(v);
	v = make_with(px_view_pycache, names + 1, 1, "d", &o);
	assert_int_equal(px_view_count(v), 0);
	px_view_unref(v);
	px_rules_free(rules);
}

static void test_verdicts(void **state PX_UNUSED)
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
				{"a.py-x", "a.py-x", PX_KIND_FILE, NULL},
				{"a.pyc", "a.py", PX_KIND_MODULE, NULL},
				{"b.pyc", "b.py", PX_KIND_MODULE, NULL},
			},
		[PX_ON_ERROR_SOURCE] =
			{
				{"a.py", "a.py", PX_KIND_FILE, NULL},
				{"a.py-x", "a.py-x", PX_KIND_FILE, NULL},
				{"b.pyc", "b.py", PX_KIND_MODULE, NULL},
			},
		[PX_ON_ERROR_OMIT] =
			{
				{"a.py-x", "a.py-x", PX_KIND_FILE, NULL},
				{"b.pyc", "b.py", PX_KIND_MODULE, NULL},
			},
	};

	for (int how = PX_ON_ERROR_FAIL; how <= PX_ON_ERROR_OMIT; how++) {
		struct px_view *v = make_view(names, PX_ARRAY_LEN(names));
		struct px_view *shown;

		assert_int_equal(px_view_apply_verdicts(v, rejected,
							(enum px_on_error)how,
							&shown),
				 0);
		check_entries(v, expected[PX_ON_ERROR_FAIL]);
		/* The shown view must live without it. */
		px_view_unref(v);
		check_entries(shown, expected[how]);
		assert_int_equal(px_view_n_notes(shown), 1);
		assert_string_equal(px_view_note(shown, 0)->source, "s");
		px_view_unref(shown);
	}
}

/* In a generated __pycache__ what does not compile is left out, however
 * errors are shown: the source is there. In its directory nothing changes. */
static void test_verdicts_of_kept_sources(void **state PX_UNUSED)
{
	static const struct px_name names[] = {REG("a.py"), REG("b.py"),
					       REG("c.py")};
	static const bool rejected[] = {true, false, true, true};
	static const struct px_entry above[MAX_ROWS] = {
		PYCACHE,
		{"a.py", "a.py", PX_KIND_FILE, NULL},
		{"b.py", "b.py", PX_KIND_FILE, NULL},
		{"c.py", "c.py", PX_KIND_FILE, NULL},
	};
	static const struct px_entry expected[MAX_ROWS] = {
		{"b.cpython-312.pyc", "b.py", PX_KIND_KEPT, NULL}};
	struct px_rules *rules = parse_rules("keep-source *");
	struct px_view_options o = {rules, "cpython-312"};

	for (int how = PX_ON_ERROR_FAIL; how <= PX_ON_ERROR_OMIT; how++) {
		struct px_view *v =
			make_with(px_view_pycache, names, 3, "", &o);
		struct px_view *w = make_with(px_view_new, names, 3, "", &o);
		struct px_view *shown;

		assert_int_equal(px_view_apply_verdicts(v, rejected,
							(enum px_on_error)how,
							&shown),
				 0);
		px_view_unref(v);
		check_entries(shown, expected);
		px_view_unref(shown);
		assert_int_equal(px_view_apply_verdicts(w, rejected,
							(enum px_on_error)how,
							&shown),
				 0);
		px_view_unref(w);
		check_entries(shown, above);
		px_view_unref(shown);
	}
	px_rules_free(rules);
}

static void test_without(void **state PX_UNUSED)
{
	static const struct px_name names[] = {
		DIR("a"), REG("b.py"), DIR("c"), SPC("s"), REG("x.c"),
	};
	static const bool gone[] = {true, false, true};
	static const bool all_gone[] = {true, true, true};
	static const struct px_entry expected[MAX_ROWS] = {
		{"b.pyc", "b.py", PX_KIND_MODULE, NULL}};
	struct px_rules *rules = parse_rules("exclude *.c");
	struct px_view_options o = {rules, NULL};
	struct px_view *v = make_with(px_view_new, names, 5, "", &o);
	struct px_view *rest, *none, *shown;

	assert_int_equal(px_view_without(v, gone, &rest), 0);
	assert_int_equal(px_view_without(v, all_gone, &none), 0);
	assert_int_equal(px_view_count(v), 3);
	px_view_unref(v);
	assert_int_equal(px_view_count(none), 0);
	px_view_unref(none);
	check_entries(rest, expected);
	assert_int_equal(px_view_n_excluded(rest), 1);
	assert_int_equal(px_view_n_notes(rest), 1);
	assert_string_equal(px_view_note(rest, 0)->source, "s");
	/* A view of a view of a view. */
	assert_int_equal(px_view_apply_verdicts(rest, all_gone,
						PX_ON_ERROR_SOURCE, &shown),
			 0);
	px_view_unref(rest);
	assert_int_equal(px_view_count(shown), 1);
	assert_string_equal(px_view_at(shown, 0)->name, "b.py");
	assert_int_equal(px_view_n_excluded(shown), 1);
	px_view_unref(shown);
	px_rules_free(rules);
}

static void test_kinds(void **state PX_UNUSED)
{
	static const struct {
		enum px_kind kind;
		bool is_dir;
		bool is_made;
	} kinds[] = {
		{PX_KIND_DIR, true, false},    {PX_KIND_FILE, false, false},
		{PX_KIND_LINK, false, false},  {PX_KIND_MODULE, false, true},
		{PX_KIND_RECORD, false, true}, {PX_KIND_PYCACHE, true, false},
		{PX_KIND_KEPT, false, true},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(kinds); i++) {
		assert_int_equal(px_kind_is_dir(kinds[i].kind),
				 kinds[i].is_dir);
		assert_int_equal(px_kind_is_made(kinds[i].kind),
				 kinds[i].is_made);
	}
}

static void test_verdicts_of_nothing(void **state PX_UNUSED)
{
	struct px_view *v = make_view(NULL, 0);
	struct px_view *shown;

	assert_int_equal(
		px_view_apply_verdicts(v, NULL, PX_ON_ERROR_OMIT, &shown), 0);
	assert_int_equal(px_view_count(shown), 0);
	px_view_unref(v);
	px_view_unref(shown);
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
		cmocka_unit_test(test_without_rules),
		cmocka_unit_test(test_with_rules),
		cmocka_unit_test(test_cache_tags),
		cmocka_unit_test(test_find_misses),
		cmocka_unit_test(test_longest_names),
		cmocka_unit_test(test_longest_cached_names),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_verdicts_of_kept_sources),
		cmocka_unit_test(test_verdicts_of_nothing),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_all_subsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
