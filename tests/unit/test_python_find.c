/* SPDX-License-Identifier: MIT */
#include "python_unit.h"

/* An interpreter TOP/place that says it is 3.minor.micro. */
static void put_python(struct fixture *f, const char *place, unsigned minor,
		       unsigned micro, const char *implementation,
		       const char *libpython)
{
	char path[300], body[600];

	snprintf(body, sizeof(body),
		 "#!/bin/sh\nprintf 'pycfs\\n%s\\n168627659\\n%u\\n"
		 "3.%u.%u (fake)\\ncpython-3%u\\n0123\\n/opt\\n%s\\n%s\\n'\n",
		 implementation, 0x030000f0 | minor << 16 | micro << 8, minor,
		 micro, minor, libpython, "");
	put_script(f, place, body, path);
}

/* TOP/versions/NAME/bin/python3.MINOR, as pyenv lays them out. */
static void put_version(struct fixture *f, const char *name, unsigned minor,
			unsigned micro, const char *libpython)
{
	char place[100];

	snprintf(place, sizeof(place), "versions/%s/bin/python3.%u", name,
		 minor);
	put_python(f, place, minor, micro, "cpython", libpython);
}

static void test_pyenv(void **state)
{
	static const struct {
		const char *spec;
		uint32_t hexversion; /* 0: not found */
	} cases[] = {
		{"3.28", 0x031c01f0},	 {"3.28.1", 0x031c01f0},
		{"3.28.0", 0},		 {"3.20", 0},
		{"3.29", 0x031d0af0}, /* the newest is 10, not 9 */
		{"3.29.9", 0x031d09f0},	 {"3.29.1", 0},
		{"3.29.10", 0x031d0af0}, {"3.30", 0},
	};
	struct fixture *f = *state;

	setenv("PYENV_ROOT", f->top, 1);
	put_version(f, "3.28.1", 28, 1, "/lib/libpython3.28.so");
	put_version(f, "3.29.9", 29, 9, "/lib/libpython3.29.so");
	put_version(f, "3.29.10", 29, 10, "/lib/libpython3.29.so");
	put_python(f, "versions/3.29-broken/bin/python3.29", 7, 1, "cpython",
		   "/lib/libpython3.7.so");
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		int r = find(f, cases[i].spec);

		assert_int_equal(r, cases[i].hexversion ? 0 : -ENOENT);
		if (r == 0)
			assert_int_equal(f->py->hexversion,
					 cases[i].hexversion);
	}
}

/* It is there: "install it" would be wrong advice. */
static void test_version_without_libpython(void **state)
{
	struct fixture *f = *state;

	setenv("PYENV_ROOT", f->top, 1);
	put_version(f, "3.28.1", 28, 1, "");
	assert_int_equal(find(f, "3.28"), -ELIBACC);
	assert_non_null(strstr(f->why.text, "libpython3.28"));
}

/* Each manager's directories, and the variables that move them. */
static void test_managers(void **state)
{
	static const struct {
		const char *variable; /* NULL: HOME */
		const char *value;    /* below TOP */
		const char *place;    /* below that */
	} cases[] = {
		{NULL, "",
		 ".local/share/uv/python/cpython-3.28.4-linux-x86_64-gnu"},
		{"XDG_DATA_HOME", "/d",
		 "uv/python/cpython-3.28.4-linux-x86_64-gnu"},
		{"UV_PYTHON_INSTALL_DIR", "/uv",
		 "cpython-3.28.4-linux-x86_64-gnu"},
		{NULL, "", ".local/share/mise/installs/python/3.28.4"},
		{"XDG_DATA_HOME", "/d", "mise/installs/python/3.28.4"},
		{"MISE_DATA_DIR", "/mise", "installs/python/3.28.4"},
		{NULL, "", ".asdf/installs/python/3.28.4"},
		{"ASDF_DATA_DIR", "/asdf", "installs/python/3.28.4"},
		{NULL, "", ".pyenv/versions/3.28.4"},
		{"PYENV_ROOT", "/pyenv", "versions/3.28.4"},
		{"PYENV_ROOT", "/a{b,c}[d]*?\\~", "versions/3.28.4"},
		{"CONDA_PREFIX", "/conda", "."},
		{"CONDA_PREFIX", "/conda", "envs/web"},
		{NULL, "", "miniconda3"},
		{NULL, "", "miniforge3/envs/web"},
		{NULL, "", ".conda/envs/web"},
		{NULL, "", "micromamba/envs/web"},
		{NULL, "", ".local/share/mamba/envs/web"},
		{"MAMBA_ROOT_PREFIX", "/mamba", "envs/web"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char value[200], place[300], path[500];

		snprintf(value, sizeof(value), "%s%s", f->top, cases[i].value);
		snprintf(place, sizeof(place), "%s/%s/bin/python3.28",
			 cases[i].value, cases[i].place);
		put_python(f, place, 28, 4, "cpython", "/lib/libpython3.28.so");
		setenv(cases[i].variable ? cases[i].variable : "HOME", value,
		       1);
		print_message("%s\n", place);
		assert_int_equal(find(f, "3.28"), 0);
		assert_int_equal(find(f, "3.28.4"), 0);
		assert_int_equal(find(f, "3.28.3"), -ENOENT);
		assert_int_equal(find(f, "3.28t"), -ENOENT);
		assert_int_equal(find(f, "3.2"), -EPROTONOSUPPORT);
		unsetenv(cases[i].variable ? cases[i].variable : "HOME");
		assert_int_equal(find(f, "3.28"), -ENOENT);
		snprintf(path, sizeof(path), "%s/%s", f->top, place);
		assert_int_equal(unlink(path), 0);
	}
}

/* The newest of all managers' that fits, whatever its directory is called. */
static void test_newest_of_all(void **state)
{
	struct fixture *f = *state;

	setenv("HOME", f->top, 1);
	put_python(f, ".local/share/mise/installs/python/latest/bin/python3.28",
		   28, 9, "cpython", "/lib/libpython3.28.so");
	put_python(f, ".pyenv/versions/3.28.10/bin/python3.28", 28, 10,
		   "cpython", "/lib/libpython3.28.so");
	put_python(f, ".pyenv/versions/mine/bin/python3.28", 28, 11, "cpython",
		   "");
	put_python(f, ".asdf/installs/python/3.28.2/bin/python3.28", 28, 2,
		   "cpython", "/lib/libpython3.28.so");
	put_python(f, "miniconda3/envs/pypy/bin/python3.28", 28, 12, "pypy",
		   "/lib/libpypy.so");
	assert_int_equal(find(f, "3.28"), 0);
	assert_int_equal(f->py->hexversion, 0x031c0af0);
	assert_int_equal(find(f, "3.28.9"), 0);
	assert_int_equal(find(f, "3.28.11"), -ELIBACC);
	assert_int_equal(find(f, "3.28.12"), -EPROTONOSUPPORT);
	assert_non_null(strstr(f->why.text, "pypy"));
}

/* A free-threaded build is installed as python3.28, too. */
static void test_free_threaded(void **state)
{
	struct fixture *f = *state;

	setenv("UV_PYTHON_INSTALL_DIR", f->top, 1);
	put_python(f, "cpython-3.28.5+freethreaded-linux-x/bin/python3.28t", 28,
		   5, "cpython-t", "/lib/libpython3.28t.so");
	put_python(f, "cpython-3.28.5+freethreaded-linux-x/bin/python3.28", 28,
		   5, "cpython-t", "/lib/libpython3.28t.so");
	assert_int_equal(find(f, "3.28"), -ENOENT);
	put_python(f, "cpython-3.28.4-linux-x/bin/python3.28", 28, 4, "cpython",
		   "/lib/libpython3.28.so");
	assert_int_equal(find(f, "3.28"), 0);
	assert_int_equal(f->py->hexversion, 0x031c04f0);
	assert_int_equal(find(f, "3.28t"), 0);
	assert_int_equal(f->py->hexversion, 0x031c05f0);
	assert_int_equal(find(f, "3.28.4t"), -ENOENT);
}

/* It is there or not: to install it would be no help. */
static void test_unsupported(void **state)
{
	static const char *const specs[] = {"2.7",     "2.7.18", "3.0",
					    "3.7",     "3.7.16", "3.13t",
					    "3.13.0t", "3.8t",	 "3.7t"};
	struct fixture *f = *state;

	setenv("PATH", f->top, 1);
	for (size_t i = 0; i < PX_ARRAY_LEN(specs); i++) {
		assert_int_equal(find(f, specs[i]), -EPROTONOSUPPORT);
		assert_non_null(strstr(f->why.text, specs[i]));
		assert_non_null(strstr(f->why.text, "is not supported"));
	}
}

/* Only root and who calls may choose what runs: the file, and each directory
 * on the way to it. */
static void test_places_of_others(void **state)
{
	static const struct {
		const char *what; /* below TOP */
		mode_t mode;
		int r;
	} cases[] = {
		{"", 0777, -EPERM},
		{"/v", 0777, -EPERM},
		{"/v/versions", 0757, -EPERM},
		{"/v/versions/3.28.1/bin", 0777, -EPERM},
		{"/v/versions/3.28.1/bin/python3.28", 0757, -EPERM},
		/* As /tmp is. */
		{"/v/versions", 01777, 0},
		{"/v/versions/3.28.1", 0755, 0},
	};
	struct fixture *f = *state;
	char path[300], link[300];

	snprintf(path, sizeof(path), "%s/v", f->top);
	snprintf(link, sizeof(link), "%s/link", f->top);
	assert_int_equal(symlink(path, link), 0);
	put_python(f, "v/versions/3.28.1/bin/python3.28", 28, 1, "cpython",
		   "/lib/libpython3.28.so");
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", f->top, cases[i].what);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		/* By a link, too. */
		for (unsigned by_link = 0; by_link < 2; by_link++) {
			char root[300];

			snprintf(root, sizeof(root), "%s/%s", f->top,
				 by_link ? "link" : "v");
			setenv("PYENV_ROOT", root, 1);
			print_message("%s %04o\n", cases[i].what,
				      cases[i].mode);
			assert_int_equal(find(f, "3.28"), cases[i].r);
			if (cases[i].r < 0)
				assert_non_null(strstr(f->why.text, path));
		}
		assert_int_equal(chmod(path, st.st_mode & 07777), 0);
	}
	/* A group of its own user's number is that user's; another is not. */
	if (geteuid() != 0)
		return;
	snprintf(path, sizeof(path), "%s/v", f->top);
	assert_int_equal(chmod(path, 0775), 0);
	assert_int_equal(find(f, "3.28"), 0);
	assert_int_equal(chown(path, 0, 1), 0);
	assert_int_equal(find(f, "3.28"), -EPERM);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(find(f, "3.28"), 0);
	assert_int_equal(chown(path, 1, 1), 0);
	assert_int_equal(find(f, "3.28"), -EPERM);
	assert_non_null(strstr(f->why.text, "user 1"));
}

/* An interpreter that leaves a mark in TOP. */
static void put_hostile(struct fixture *f, const char *place)
{
	char path[300], body[300];

	snprintf(body, sizeof(body), "#!/bin/sh\n: > %s/was-run\n", f->top);
	put_script(f, place, body, path);
}

static bool was_run(struct fixture *f)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/was-run", f->top);
	return unlink(path) == 0;
}

/* PATH becomes the directories, each below TOP, before `rest`. */
static void set_path(struct fixture *f, const char *a, const char *b,
		     const char *rest)
{
	char path[800];

	snprintf(path, sizeof(path), "%s/%s:%s/%s:%s", f->top, a, f->top, b,
		 rest);
	setenv("PATH", path, 1);
}

static void put_link(struct fixture *f, const char *target, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", f->top, name);
	assert_int_equal(symlink(target, path), 0);
}

/* Nothing is run that lies in the directories, or is a link into them. */
static void test_avoided(void **state)
{
	struct fixture *f = *state;
	char v[200];
	const char *const avoid[] = {"/nonexistent", v, NULL};

	snprintf(v, sizeof(v), "%s/v", f->top);
	put_hostile(f, "v/bin/python3.28");
	put_hostile(f, "v/bin/python3");
	put_hostile(f, "v/deep/er/python3.28");
	put_python(f, "good/python3.28", 28, 4, "cpython",
		   "/lib/libpython3.28.so");
	put_python(f, "good/python3", 28, 5, "cpython",
		   "/lib/libpython3.28.so");
	set_path(f, "v/bin", "v/deep/er", "/usr/bin");
	assert_int_equal(find_but(f, "3.28", avoid), -ENOENT);
	assert_non_null(strstr(f->why.text, "unless you name it"));
	set_path(f, "v/bin", "good", "/usr/bin");
	assert_int_equal(find_but(f, "3.28", avoid), 0);
	assert_int_equal(f->py->hexversion, 0x031c04f0);
	assert_int_equal(find_but(f, NULL, avoid), 0);
	assert_int_equal(f->py->hexversion, 0x031c05f0);
	assert_false(was_run(f));
	/* If the user names it, it is. */
	assert_true(find(f, "3.28") < 0 || f->py->hexversion == 0x031c04f0);
	assert_true(was_run(f));
}

static void test_avoided_by_links(void **state)
{
	struct fixture *f = *state;
	char v[200], path[300];
	const char *const avoid[] = {v, NULL};

	snprintf(v, sizeof(v), "%s/v", f->top);
	put_hostile(f, "v/bin/python3.28");
	put_hostile(f, "elsewhere/python3.28");
	put_script(f, "links/x", "", path);
	put_script(f, "more/x", "", path);
	put_link(f, "../v/bin/python3.28", "links/python3.28");
	put_link(f, "../../elsewhere/python3.28", "v/bin/through");
	put_link(f, "../v/bin/through", "more/python3.28");
	put_link(f, "v/bin", "dir");
	put_link(f, "round", "round");
	set_path(f, "links", "more", "/usr/bin");
	assert_int_equal(find_but(f, "3.28", avoid), -ENOENT);
	set_path(f, "dir", "round", "/usr/bin");
	assert_int_equal(find_but(f, "3.28", avoid), -ENOENT);
	/* As what a version manager has. */
	setenv("PYENV_ROOT", f->top, 1);
	put_hostile(f, "v/versions/x/bin/python3.28");
	put_link(f, "v/versions", "versions");
	assert_int_equal(find_but(f, "3.28", avoid), -ENOENT);
	assert_false(was_run(f));
	/* Nor by where we are. */
	assert_int_equal(chdir(v), 0);
	setenv("PATH", ":bin:.:/usr/bin", 1);
	assert_int_equal(find_but(f, "3.28", avoid), -ENOENT);
	assert_int_equal(chdir("/"), 0);
	assert_false(was_run(f));
}

/* The interpreter of a venv, whichever, is passed over for a version. */
static void test_of_a_venv(void **state)
{
	static const char *const avoid[] = {"/nonexistent", NULL};
	struct fixture *f = *state;
	char path[300];

	put_script(f, "w/pyvenv.cfg", "home = /x\n", path);
	put_python(f, "w/bin/python3.28", 28, 6, "cpython",
		   "/lib/libpython3.28.so");
	put_python(f, "w/bin/python3", 28, 6, "cpython",
		   "/lib/libpython3.28.so");
	put_python(f, "good/python3.28", 28, 4, "cpython",
		   "/lib/libpython3.28.so");
	set_path(f, "w/bin", "good", "/usr/bin");
	assert_int_equal(find_but(f, "3.28", avoid), 0);
	assert_int_equal(f->py->hexversion, 0x031c04f0);
	assert_int_equal(find(f, "3.28"), 0);
	assert_int_equal(f->py->hexversion, 0x031c06f0);
	assert_int_equal(find_but(f, NULL, avoid), 0);
	assert_int_equal(f->py->hexversion, 0x031c06f0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PYTHON_TEST(test_pyenv),
		PYTHON_TEST(test_version_without_libpython),
		PYTHON_TEST(test_managers),
		PYTHON_TEST(test_newest_of_all),
		PYTHON_TEST(test_free_threaded),
		PYTHON_TEST(test_unsupported),
		PYTHON_TEST(test_places_of_others),
		PYTHON_TEST(test_avoided),
		PYTHON_TEST(test_avoided_by_links),
		PYTHON_TEST(test_of_a_venv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
