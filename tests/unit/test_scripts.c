/* SPDX-License-Identifier: MIT */
#include "tree_unit.h"

#include "pycfs/scripts.h"
#include "view/entry_points.h"
#include "view/script_text.h"

static void test_entry_points(void **state PX_UNUSED)
{
	static const char text[] = "\xef\xbb\xbfx = before:sections\n"
				   "[other]\nx = a:b\n\n"
				   "  [console_scripts]  \r\n"
				   "a=b:c\r\n# comment\n; comment\n"
				   " name with blanks  =  b . c : d\n"
				   "extras = b.c : d.e [x,y]\n"
				   "[gui_scripts]\nz=_1._2:_\n"
				   "[console_scripts.more]\nx=a:b\n";
	static const struct {
		int r;
		const char *name, *module, *object;
	} wanted[] = {
		{1, "a", "b", "c"},
		{-EBADMSG, "name with blanks", NULL, NULL},
		{1, "extras", "b.c", "d.e"},
		{1, "z", "_1._2", "_"},
		{0, NULL, NULL, NULL},
	};
	struct px_entry_points r = {.data = text, .size = sizeof(text) - 1};
	struct px_entry_point p = {.name.size = 0};

	for (size_t i = 0; i < PX_ARRAY_LEN(wanted); i++) {
		assert_int_equal(px_entry_points_next(&r, &p), wanted[i].r);
		if (wanted[i].name)
			assert_string_equal(p.name.data, wanted[i].name);
		if (!wanted[i].module)
			continue;
		assert_string_equal(p.module.data, wanted[i].module);
		assert_string_equal(p.object.data, wanted[i].object);
	}
	px_entry_point_fini(&p);
}

static void test_refused_entry_points(void **state PX_UNUSED)
{
	static const char *const lines[] = {
		"a",	    "=",	"a=",
		"=b:c",	    "a=b",	"a=b:",
		"a=:c",	    "a=b:c d",	"a=b c:d",
		"a=.b:c",   "a=b.:c",	"a=b:.c",
		"a=b:c.",   "a=b..c:d", "a=1b:c",
		"a=b:1c",   "a=b:c()",	"a=b:c;d",
		"a=b:c\\",  "a=b-c:d",	"a/b=c:d",
		"..=b:c",   ".=b:c",	"a\tb\x01=c:d",
		"a=b:\xff", "\xff=b:c", "a=b\xe2\x80:c",
		"a=b:c,d",  "a=b:c\"",	"a=b:c'd",
	};
	struct px_entry_point p = {.name.size = 0};

	for (size_t i = 0; i < PX_ARRAY_LEN(lines); i++) {
		char text[100];
		const int n =
			snprintf(text, sizeof(text),
				 "[console_scripts]\n%s\nz=a:b", lines[i]);
		struct px_entry_points r = {.data = text, .size = (size_t)n};

		print_message("%s\n", lines[i]);
		assert_int_equal(px_entry_points_next(&r, &p), -EBADMSG);
		assert_int_equal(px_entry_points_next(&r, &p), 1);
		assert_string_equal(p.name.data, "z");
		assert_int_equal(px_entry_points_next(&r, &p), 0);
	}
	px_entry_point_fini(&p);
}

static void test_relative(void **state PX_UNUSED)
{
	static const struct {
		const char *from, *to, *wanted;
	} cases[] = {
		{"bin", "", ".."},
		{"", "bin", "bin"},
		{"usr/bin", "", "../.."},
		{"", "", "."},
		{"a", "a", "."},
		{"a/b", "a", ".."},
		{"a", "a/b", "b"},
		{"a/b", "a/bc", "../bc"},
		{"a/bc", "a/b", "../b"},
		{"bin", "lib/python3/site-packages",
		 "../lib/python3/site-packages"},
		{"lib/python3/site-packages", "lib/bin", "../../bin"},
		{"a/b/c", "a/x", "../../x"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		PX_AUTOFREE char *got =
			px_script_relative(cases[i].from, cases[i].to);

		print_message("%s -> %s: %s\n", cases[i].from, cases[i].to,
			      got);
		assert_string_equal(got, cases[i].wanted);
	}
}

/* Whatever the paths are, they stay within their quotes. */
static void test_text(void **state PX_UNUSED)
{
	static const char wanted_site[] =
		"\"../a\\x22\\x5c\\x0a\xc3\xa9\\udcff\"";
	const struct px_script_text t = {
		.python = "/usr/bin/python3",
		.module = "a.b",
		.object = "c.d",
		.site = "../a\"\\\n\xc3\xa9\xff",
		.top = "a",
	};
	struct px_buf out = {.max = 4096};
	PX_AUTOFREE char *record = NULL;

	assert_int_equal(px_script_write(&t, &out), 0);
	record = px_script_record(&out);
	assert_memory_equal(record, ",sha256=", 8);
	assert_int_equal(strcspn(record + 1, ","), 7 + 43);
	assert_int_equal(px_buf_add(&out, "", 1), 0);
	assert_memory_equal(out.data, "#!/usr/bin/python3\n", 19);
	assert_non_null(strstr((char *)out.data, wanted_site));
	assert_non_null(
		strstr((char *)out.data, "\nfrom a.b import c as main\n"));
	assert_non_null(strstr((char *)out.data, "    sys.exit(main.d())\n"));
	px_buf_fini(&out);
}

static void test_python(void **state PX_UNUSED)
{
	char path[130] = "/";

	assert_int_equal(px_scripts_check_python("/usr/bin/python3"), 0);
	assert_int_equal(px_scripts_check_python("python3"), -EINVAL);
	assert_int_equal(px_scripts_check_python(""), -EINVAL);
	assert_int_equal(px_scripts_check_python("/a b"), -EINVAL);
	assert_int_equal(px_scripts_check_python("/a\nb"), -EINVAL);
	memset(path + 1, 'x', 124);
	assert_int_equal(px_scripts_check_python(path), 0);
	path[125] = 'x';
	assert_int_equal(px_scripts_check_python(path), -EINVAL);
}

/* ---------------------------------------------------------------- a tree */

static void put_site(struct fixture *f)
{
	static const char *const dirs[] = {
		"a-1.dist-info", "b.egg-info", "a", "a/sub", "ns", "ns/in"};

	for (size_t i = 0; i < PX_ARRAY_LEN(dirs); i++)
		put_dir(f->fd, dirs[i]);
	put_file(f->fd, "a-1.dist-info/entry_points.txt",
		 "[console_scripts]\n"
		 "one=a:x\ntwo=a.sub.mod:x\nthree=ns.in.mod:x\nfour=so:x\n"
		 "five=old:x\nno-init=ns.in:x\nno-mod=a.none:x\n"
		 "through=single.x:y\n");
	put_file(f->fd, "b.egg-info/entry_points.txt",
		 "[console_scripts]\none=a:x\nsix=single:x\n");
	put_file(f->fd, "a/__init__.py", "");
	put_file(f->fd, "a/sub/__init__.py", "");
	put_file(f->fd, "a/sub/mod.py", "");
	put_file(f->fd, "ns/in/mod.py", "");
	put_file(f->fd, "so.cpython-312-x86_64-linux-gnu.so", "");
	put_file(f->fd, "old.pyc", "");
	put_file(f->fd, "single.py", "");
}

static void test_make(void **state)
{
	static const char *const wanted[] = {"bin/five",  "bin/four",
					     "bin/one",	  "bin/six",
					     "bin/three", "bin/two"};
	struct fixture *f = *state;
	struct px_scripts_options o = {
		.tree = f->t,
		.cache_tag = "cpython-312",
		.dir = "bin",
		.site = "",
		.python = "/usr/bin/python3",
	};
	struct px_scripts *s = NULL;
	struct px_rules *rules;
	struct px_why why;
	const char *what;

	put_site(f);
	assert_int_equal(px_scripts_make(&o, &s, &why), 0);
	assert_int_equal(px_scripts_count(s), PX_ARRAY_LEN(wanted));
	for (size_t i = 0; i < PX_ARRAY_LEN(wanted); i++) {
		const struct px_script *one = px_scripts_at(s, i);

		assert_string_equal(one->path, wanted[i]);
		assert_string_equal(one->row, wanted[i]);
		assert_string_equal(one->source, wanted[i]);
		assert_true(one->in_view);
		assert_string_equal(one->dist_info,
				    strcmp(one->name, "six") == 0
					    ? "b.egg-info"
					    : "a-1.dist-info");
	}
	/* no-init, no-mod, through, and the second one */
	assert_int_equal(px_scripts_n_left(s), 4);
	px_scripts_free(s);
	/* Elsewhere, and without what a rule hides. */
	o.site = "lib";
	assert_int_equal(px_rules_new(&rules), 0);
	assert_int_equal(
		px_rules_add(rules, PX_RULE_EXCLUDE, 0, "/a/sub", &what), 0);
	o.rules = rules;
	assert_int_equal(px_scripts_make(&o, &s, &why), 0);
	assert_int_equal(px_scripts_count(s), PX_ARRAY_LEN(wanted) - 1);
	assert_string_equal(px_scripts_at(s, 0)->row, "../bin/five");
	assert_string_equal(px_scripts_at(s, 0)->path, "bin/five");
	assert_false(px_scripts_at(s, 0)->in_view);
	px_scripts_free(s);
	px_rules_free(rules);
	assert_int_equal(px_scripts_count(NULL), 0);
	assert_int_equal(px_scripts_n_left(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_points),
		cmocka_unit_test(test_refused_entry_points),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_python),
		TREE_TEST(test_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
