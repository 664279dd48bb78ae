/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"
#include "report/report_i.h"

/* A file of the view, whose source is named likewise. */
static void add(struct px_report *r, const char *path, const char *findings)
{
	struct px_report_file *f;

	r->files = reallocarray(r->files, r->n_files + 1, sizeof(*f));
	assert_non_null(r->files);
	f = &r->files[r->n_files++];
	*f = (struct px_report_file){
		.path = strdup(path),
		.kind = PX_KIND_MODULE,
		.findings = findings ? strdup(findings) : NULL,
	};
	f->source = f->path;
}

static void check_dists(const struct px_report *r, const char *const *expected)
{
	for (size_t i = 0; i < r->n_files; i++) {
		const struct px_report_dist *d = &r->dists[r->files[i].dist];
		char have[64];

		assert_in_range(r->files[i].dist, 0, r->n_dists - 1);
		snprintf(have, sizeof(have), "%s %s%s", d->name, d->version,
			 d->installed ? "" : "?");
		assert_string_equal(have, expected[i]);
	}
	for (size_t i = 1; i < r->n_dists; i++)
		assert_true(strcasecmp(r->dists[i - 1].name,
				       r->dists[i].name) <= 0);
}

static void test_assign(void **state)
{
	static const char *const paths[] = {
		"B-2.dist-info/RECORD",
		"a-1.0.dist-info/METADATA",
		"a-1.0.dist-info/odd.py",
		"a/one.py",
		"e.egg-info",
		"free.py",
		"ns/a.py",
		"ns/b.py",
		"ns/c.py",
		"ns/who.py",
		"nsx/b.py",
		"quoted,name.py",
	};
	static const char *const expected[] = {
		"B 2",	 "a 1.0", "a 1.0", "a 1.0", "e ",    "free.py ?",
		"a 1.0", "B 2",	  "B 2",   "B 2",   "nsx ?", "a 1.0",
	};
	struct fixture *f = *state;
	struct px_report r = {0};

	put_dir(f->fd, "a-1.0.dist-info");
	put_dir(f->fd, "B-2.dist-info");
	put_dir(f->fd, "unused-3.dist-info");
	put_file(f->fd, "e.egg-info", "");
	put_file(f->fd, ".dist-info", "");
	put_file(f->fd, "a-1.0.dist-info/RECORD",
		 "a/one.py,sha256=x,1\r\n../../bin/a,,\nns/a.py,,\n"
		 "\"quoted,name.py\",,\ngone.py,,\n");
	put_file(f->fd, "B-2.dist-info/RECORD", "ns/b.py,,\nns/c.py");
	for (size_t i = 0; i < PX_ARRAY_LEN(paths); i++)
		add(&r, paths[i], NULL);
	assert_int_equal(px_report_assign(&r, f->t), 0);
	check_dists(&r, expected);
	/* One without files is not told. */
	assert_int_equal(r.n_dists, 5);
	px_report_fini(&r);
}

static void test_assign_nothing(void **state)
{
	struct fixture *f = *state;
	struct px_report r = {0};

	put_dir(f->fd, "a-1.0.dist-info"); /* no RECORD */
	assert_int_equal(px_report_assign(&r, f->t), 0);
	assert_int_equal(r.n_dists, 0);
	px_report_fini(&r);
}

static void test_risks(void **state)
{
	struct fixture *f = *state;
	struct px_report r = {0};
	struct px_rules *rules;
	const char *what;
	struct px_set hidden = {0};
	struct px_modules modules = {.hidden = {0}};
	struct px_report_options o = {.optimize = 2};

	px_report_add_name(&hidden, "a.tar.gz");
	assert_int_equal(px_rules_new(&rules), 0);
	assert_int_equal(
		px_rules_add(rules, PX_RULE_OPTIMIZE, 1, "b.py", &what), 0);
	o.rules = rules;
	add(&r, "a.py",
	    "1\t7\trule\twhy\tdetail\tnone\n"
	    "3\t9\tdoc\tlost\t\toptimize 1 /a.py\n"
	    "4\t1\tgrade\tx\tx\tx\n"	   /* no such grade */
	    "2\t1\tfew\tfields\n"	   /* not as many */
	    "2\t1\ttoo\tmany\tx\ty\tz\n\n" /* and not so many */
	    "2\t12\tsource\tgone\tx\tkeep-source /a.py");
	add(&r, "b.py",
	    "3\t1\tdoc\tlost\t\toptimize 1 /b.py\n"
	    "2\t2\tassert\tlost\t\toptimize 0 /b.py\n");
	add(&r, "c.py", "2\t1\tsource\tgone\tx\tkeep-source /c.py\n");
	r.files[2].kind = PX_KIND_KEPT;
	add(&r, "d.py",
	    "2\t1\tdata\tx\ta.tar.gz\tinclude a.tar.gz\n"
	    "2\t2\tdata\tx\t*.tar.gz\tinclude *.tar.gz\n"
	    "2\t3\tdata\tx\t*.gz\tinclude *.gz\n"
	    "2\t4\tdata\tx\t*.tar\tinclude *.tar\n"
	    "2\t5\tdata\tx\ta\tinclude a\n");
	/* What keep-docs cures is the use of docstrings of one's own. */
	assert_int_equal(
		px_rules_add(rules, PX_RULE_KEEP_DOCS, 0, "e.py", &what), 0);
	add(&r, "e.py",
	    "3\t1\tdoc-at-import\tx\tf.__doc__ +\toptimize 1 /e.py\n"
	    "2\t2\tdoc-in-function\tx\t__doc__ %\toptimize 1 /e.py\n"
	    "2\t3\tdoc-in-function\tx\tg.__doc__ %\toptimize 1 /e.py\n"
	    "2\t4\tdoc-imported\tx\tg.__doc__ %\toptimize 1 /e.py\n"
	    "2\t5\tassert\tlost\t\toptimize 0 /e.py\n");
	r.files[4].uses_docs = 1;
	assert_int_equal(px_report_assign(&r, f->t), 0);
	assert_int_equal(px_report_find_risks(&r, &o, &hidden, &modules), 0);
	assert_int_equal(r.n_risks, 10);
	assert_int_equal(r.risks[7].line, 3);
	assert_int_equal(r.risks[8].line, 4);
	assert_int_equal(r.risks[9].line, 5);
	assert_int_equal(r.risks[0].line, 7);
	assert_int_equal(r.risks[1].grade, 3);
	assert_string_equal(r.risks[1].detail, "");
	assert_string_equal(r.risks[2].remedy, "keep-source /a.py");
	assert_string_equal(r.risks[3].rule, "assert");
	assert_string_equal(r.risks[3].path, "b.py");
	assert_int_equal(r.risks[6].line, 3);
	for (size_t i = 0; i < r.n_files; i++) {
		static const unsigned expected[] = {3, 2, 0, 2, 2};

		assert_int_equal(r.files[i].risk, expected[i]);
		assert_int_equal(r.dists[r.files[i].dist].risk, expected[i]);
	}
	px_set_fini(&hidden);
	px_modules_fini(&modules);
	px_report_fini(&r);
	px_rules_free(rules);
}

/* What a module imports of what rules hide. */
static void test_hidden_imports(void **state)
{
	static const struct {
		const char *list;
		const char *found; /* the module; NULL: none */
		unsigned grade;
	} rows[] = {
		{"3!p.gone", "p.gone", 3},
		{"3?p.gone", "p.gone", 2},
		{"3!p", NULL, 0},
		{"3!p:gone", "p.gone", 3},
		{"3!p:x,gone,y", "p.gone", 3},
		{"3!p:here,q", NULL, 0},
		{"3!p.tests:x", "p.tests", 3},
		{"3!p.tests.a", "p.tests.a", 3},
		{"3!apart", "apart", 2},
		{"3!apart.deep:x", "apart.deep", 2},
		{"3!p.tests.b p 4!p.gone", "p.gone", 3},
		{"", NULL, 0},
		{"3", NULL, 0},
		{"!", NULL, 0},
		{"3!:gone", NULL, 0},
		{"3!p:", NULL, 0},
		{"3!p:,,", NULL, 0},
	};
	static const char *const hidden[][2] = {
		{"p/gone.py", "p/gone.py"},
		{"p/tests/__init__.py", "p/tests"},
		{"p/tests/a.py", "p/tests"},
		{"p/here.pyc", "p/here.pyc"}, /* beside its source */
		{"p/__pycache__/x.pyc", "p/__pycache__"},
		{"p/data.txt", "p/data.txt"},
		{"a-1.dist-info/b.py", "a-1.dist-info"},
		{"apart/__init__.py", "apart"},
		{"apart/deep.cpython-311-x86_64-linux-gnu.so", "apart"},
	};

	(void)state;
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		struct px_modules m = {.hidden = {0}};
		struct px_report r = {0};
		struct px_report_dist dist = {0};

		add(&r, "p/user.py", NULL);
		r.dists = &dist;
		px_modules_add_shipped(&m, "p/__init__.py");
		px_modules_add_shipped(&m, "p/here.py");
		for (size_t k = 0; k < PX_ARRAY_LEN(hidden); k++)
			assert_int_equal(px_modules_add_hidden(
						 &m, hidden[k][0], hidden[k][1],
						 hidden[k][0] != hidden[k][1]),
					 0);
		assert_int_equal(
			px_report_find_imports(&r, &m, 0, 3, rows[i].list), 0);
		if (r.n_risks != (rows[i].found ? 1 : 0))
			fail_msg("\"%s\": %zu", rows[i].list, r.n_risks);
		if (rows[i].found) {
			assert_string_equal(r.risks[0].detail, rows[i].found);
			assert_int_equal(r.risks[0].grade, rows[i].grade);
			assert_int_equal(r.risks[0].line,
					 strchr(rows[i].list, '4') ? 4 : 3);
			assert_int_equal(
				strncmp(r.risks[0].remedy, "include /", 9), 0);
		}
		r.dists = NULL;
		px_report_fini(&r);
		px_modules_fini(&m);
	}
}

static void test_native(void **state PX_UNUSED)
{
	static const struct {
		const char *path;
		bool native;
	} rows[] = {
		{"a/x.so", true},
		{"a.libs/libx-1f2e.so.1", true},
		{"a.libs/libx.so.1.20.3", true},
		{"x.cpython-312-x86_64-linux-gnu.so", true},
		{"x.abi3.so", true},
		{"x.so.", false},
		{"x.so.1.", false},
		{"x.so..1", false},
		{"x.so1", false},
		{"x.so.1a", false},
		{"x.so.txt", false},
		{"xso.1", false},
		{"1.2", false},
		{".1", false},
		{"7", false},
		{"", false},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		struct px_report_sizes sum = {0};
		const struct px_report_file f = {
			.path = (char *)(uintptr_t)rows[i].path,
			.kind = PX_KIND_FILE,
			.bytes = 7,
		};

		px_report_add_sizes(&sum, &f);
		if (sum.native_bytes != (rows[i].native ? 7 : 0))
			fail_msg("%s", rows[i].path);
		assert_int_equal(sum.other_bytes, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_assign), TREE_TEST(test_assign_nothing),
		TREE_TEST(test_risks),	TREE_TEST(test_hidden_imports),
		TREE_TEST(test_native),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
