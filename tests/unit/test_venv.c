/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/venv.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define VENV_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

struct fixture {
	char top[100]; /* a directory without symbolic links in its path */
	struct px_why why;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char made[] = "/tmp/px-venv-XXXXXX", *real;

	if (!f || !mkdtemp(made))
		return -1;
	real = realpath(made, NULL);
	snprintf(f->top, sizeof(f->top), "%s", real);
	free(real);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st PX_UNUSED,
		      int type PX_UNUSED, struct FTW *w PX_UNUSED)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* TOP/name, in a buffer of its own until the fourth next call. */
static const char *at(const struct fixture *f, const char *name)
{
	static char path[4][400];
	static unsigned n;
	char *ret = path[n++ % 4];

	snprintf(ret, sizeof(path[0]), "%s%s%s", f->top, *name ? "/" : "",
		 name);
	return ret;
}

static void put_dir(const struct fixture *f, const char *name)
{
	char path[400], *slash;

	snprintf(path, sizeof(path), "%s", at(f, name));
	for (slash = strchr(path + strlen(f->top) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(at(f, name), 0755);
}

static void put_file(const struct fixture *f, const char *name,
		     const char *text)
{
	const int fd = open(at(f, name),
			    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

/* Checks what is said of TOP/source: `version` is "" if nothing is, and `by` is
 * the start of who says it, after TOP/. */
static void check(struct fixture *f, const char *source, const char *active,
		  const char *version, const char *by)
{
	struct px_venv v = {.dir = NULL};

	print_message("%s\n", source);
	assert_int_equal(px_venv_find(at(f, source), active, &v, &f->why), 0);
	assert_string_equal(v.version, version);
	assert_int_equal(v.says != NULL, *version != '\0');
	if (v.says)
		assert_non_null(strstr(v.says, at(f, by)));
	px_venv_fini(&v);
}

/* ------------------------------------------------------------ pyvenv.cfg */

static void test_texts(void **state)
{
	static const struct {
		const char *text, *version;
	} cases[] = {
		{"version = 3.12.1\n", "3.12"},
		{"home = /x\nversion=3.9\n", "3.9"},
		{"VERSION \t = \t3.10.0\r\n", "3.10"},
		{"version_info = 3.13.0.final.0\nuv = 0.9.1\n", "3.13"},
		{"implementation = CPython\nversion_info = 3.8.2\n", "3.8"},
		{"version = 2.7.18\n", "2.7"},
		{"implementation = PyPy\nversion_info = 3.10.14\n", ""},
		{"implementation = GraalVM\nversion = 3.11.7\n", ""},
		{"", ""},
		{"version", ""},
		{"version = \n", ""},
		{"version = 3\n", ""},
		{"version = three.twelve\n", ""},
		{"version = 3.12 and more\n", "3.12"},
		{"version = 3.12;rm\n", ""},
		{"version = 3.12a1\n", ""},
		{"version = 3.1234\n", ""},
		{"version = 3.99999999999999999999\n", ""},
		{"version = -3.12\n", ""},
		{"version = ../../3.12\n", ""},
		{"versions = 3.12\n", ""},
		{"home = 3.12\nexecutable = 3.12\nprompt = 3.12\n", ""},
	};
	struct fixture *f = *state;

	put_dir(f, "v/site");
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		print_message("%s", cases[i].text);
		put_file(f, "v/pyvenv.cfg", cases[i].text);
		check(f, "v/site", NULL, cases[i].version, "v/pyvenv.cfg");
	}
}

/* What is no regular file within the venv is not read, nor is one that is far
 * too large. */
static void test_no_file(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, 200000);

	put_dir(f, "v/site");
	put_dir(f, "v/pyvenv.cfg");
	check(f, "v/site", NULL, "", "");
	assert_int_equal(rmdir(at(f, "v/pyvenv.cfg")), 0);
	assert_int_equal(mkfifo(at(f, "v/pyvenv.cfg"), 0644), 0);
	check(f, "v/site", NULL, "", "");
	assert_int_equal(unlink(at(f, "v/pyvenv.cfg")), 0);
	put_file(f, "cfg", "version = 3.12\n");
	assert_int_equal(symlink("../cfg", at(f, "v/pyvenv.cfg")), 0);
	check(f, "v/site", NULL, "", "");
	assert_int_equal(unlink(at(f, "v/pyvenv.cfg")), 0);
	assert_non_null(large);
	memset(large, ' ', 199999);
	mempcpy(large, "version = 3.12\n", 15);
	put_file(f, "v/pyvenv.cfg", large);
	check(f, "v/site", NULL, "", "");
	free(large);
}

/* Anybody may put a pyvenv.cfg into /tmp. */
static void test_of_another_user(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	put_dir(f, "v/site");
	put_file(f, "v/pyvenv.cfg", "version = 3.12\n");
	assert_int_equal(chown(at(f, "v/pyvenv.cfg"), 12345, 12345), 0);
	check(f, "v/site", NULL, "", "");
	assert_int_equal(chown(at(f, "v/site"), 12345, 12345), 0);
	check(f, "v/site", NULL, "3.12", "v/pyvenv.cfg");
}

/* ----------------------------------------------------------------- paths */

static void test_paths(void **state)
{
	static const struct {
		const char *source, *version, *by;
	} cases[] = {
		{"lib/python3.12/site-packages", "3.12", "lib/python3.12"},
		{"lib/python3.14t/site-packages", "3.14t", "lib/python3.14t"},
		{"python3.9/a/python3.11/b", "3.11", "python3.9/a/python3.11"},
		{"python3.9", "3.9", "python3.9"},
		{"lib/python3/dist-packages", "", ""},
		{"lib/pypy3.10/site-packages", "", ""},
		{"lib/python3.12-old/site-packages", "", ""},
		{"lib/xpython3.12/site-packages", "", ""},
		{"lib/python3.12tt/site-packages", "", ""},
		{"lib/python/site-packages", "", ""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		put_dir(f, cases[i].source);
		check(f, cases[i].source, NULL, cases[i].version, cases[i].by);
	}
}

/* The nearest decides. */
static void test_nearest(void **state)
{
	struct fixture *f = *state;

	put_dir(f, "python3.9/v/src/a");
	put_file(f, "python3.9/v/pyvenv.cfg", "version = 3.12\n");
	check(f, "python3.9/v/src/a", NULL, "3.12", "python3.9/v/pyvenv.cfg");
	put_dir(f, "python3.9/v/build/python3.10/x");
	check(f, "python3.9/v/build/python3.10/x", NULL, "3.10",
	      "python3.9/v/build/python3.10");
	put_dir(f, "python3.9/v/inner/x");
	put_file(f, "python3.9/v/inner/pyvenv.cfg", "version = 3.11\n");
	check(f, "python3.9/v/inner/x", NULL, "3.11",
	      "python3.9/v/inner/pyvenv.cfg");
	put_file(f, "python3.9/v/inner/pyvenv.cfg", "home = /x\n");
	check(f, "python3.9/v/inner/x", NULL, "3.12", "python3.9/v/pyvenv.cfg");
}

/* The venv is named, as its pyvenv.cfg has more authority than a path. */
static void test_venv(void **state)
{
	struct fixture *f = *state;
	struct px_venv v = {.dir = NULL};
	const char *site = "v/lib/python3.14t/site-packages";

	put_dir(f, site);
	put_dir(f, "v/src");
	put_file(f, "v/pyvenv.cfg", "version = 3.14.0\n");
	check(f, site, NULL, "3.14t", "v/pyvenv.cfg");
	/* A pyvenv.cfg does not say that it is free-threaded, but lib does. */
	check(f, "v/src", NULL, "3.14t", "v/pyvenv.cfg");
	put_file(f, "v/pyvenv.cfg", "home = /x\n");
	check(f, "v/src", NULL, "3.14t", "v/pyvenv.cfg");
	put_dir(f, "v/lib/python3.14");
	check(f, "v/src", NULL, "", "");
	put_file(f, "v/pyvenv.cfg", "version = 3.12.1\n");
	assert_int_equal(px_venv_find(at(f, site), NULL, &v, &f->why), -EINVAL);
	assert_non_null(strstr(f->why.text, "--python 3.12 or --python 3.14t"));
	assert_non_null(strstr(f->why.text, at(f, "v/pyvenv.cfg")));
	assert_string_equal(v.dir, at(f, "v"));
	px_venv_fini(&v);
}

/* One without a pyvenv.cfg, as virtualenv made them. */
static void test_active(void **state)
{
	struct fixture *f = *state;
	struct px_venv v = {.dir = NULL};

	put_dir(f, "v/lib/python3.12");
	put_dir(f, "v/src");
	put_dir(f, "other");
	check(f, "v/src", NULL, "", "");
	check(f, "v/src", at(f, "v"), "3.12", "v says");
	check(f, "v/src", at(f, "other"), "", "");
	check(f, "other", at(f, "v"), "", "");
	check(f, "v/src", "v", "", "");
	check(f, "v/src", "", "", "");
	check(f, "v/src", "/nonexistent", "", "");
	assert_int_equal(px_venv_find(at(f, "v/src"), at(f, "v"), &v, &f->why),
			 0);
	assert_string_equal(v.dir, at(f, "v"));
	px_venv_fini(&v);
	put_dir(f, "v/lib/python3.11");
	check(f, "v/src", at(f, "v"), "", "");
}

/* --------------------------------------------------------- site-packages */

/* `found` is NULL if there is none. */
static void check_site(struct fixture *f, const char *path, bool project, int r,
		       const char *found)
{
	char *site = NULL;

	f->why.text[0] = '\0';
	assert_int_equal(px_venv_site(at(f, path), project, &site, &f->why), r);
	print_message("%s: %s\n", path, f->why.text);
	assert_true((r < 0) == (f->why.text[0] != '\0'));
	assert_true((r > 0) == (site != NULL));
	assert_true((found != NULL) == (site != NULL));
	if (site && found)
		assert_string_equal(site, at(f, found));
	free(site);
}

static void test_site(void **state)
{
	struct fixture *f = *state;

	put_dir(f, "p/.venv/lib/python3.12/site-packages");
	check_site(f, "p", true, 0, NULL);
	check_site(f, "p/.venv", true, 0, NULL);
	check_site(f, "nowhere", true, 0, NULL);
	put_file(f, "p/.venv/pyvenv.cfg", "version = 3.12.1\n");
	check_site(f, "p", true, 1, "p/.venv/lib/python3.12/site-packages");
	check_site(f, "p", false, 0, NULL);
	check_site(f, "p/.venv", false, 1,
		   "p/.venv/lib/python3.12/site-packages");
	check_site(f, "p/.venv/lib/python3.12/site-packages", true, 0, NULL);
	/* What another version left. */
	put_dir(f, "p/.venv/lib/python3.11/site-packages");
	check_site(f, "p", true, 1, "p/.venv/lib/python3.12/site-packages");
	put_file(f, "p/.venv/pyvenv.cfg", "home = /x\n");
	check_site(f, "p", true, -ENOENT, NULL);
	assert_non_null(strstr(f->why.text, "several"));
}

static void test_no_site(void **state)
{
	struct fixture *f = *state;

	put_dir(f, "v/lib/python3.12");
	put_file(f, "v/pyvenv.cfg", "version = 3.12.1\n");
	check_site(f, "v", true, -ENOENT, NULL);
	/* Nothing leads out of the venv. */
	put_dir(f, "secret/site-packages");
	assert_int_equal(symlink("../../../secret/site-packages",
				 at(f, "v/lib/python3.12/site-packages")),
			 0);
	check_site(f, "v", true, -ENOENT, NULL);
	put_dir(f, "w");
	put_dir(f, "q");
	put_file(f, "w/pyvenv.cfg", "version = 3.12.1\n");
	put_dir(f, "real/python3.12/site-packages");
	assert_int_equal(symlink("../real", at(f, "w/lib")), 0);
	check_site(f, "w", true, -ENOENT, NULL);
	put_dir(f, "x/lib/python3.12/site-packages");
	put_file(f, "x/pyvenv.cfg", "version = 3.12.1\n");
	assert_int_equal(symlink("../x", at(f, "q/.venv")), 0);
	check_site(f, "q", true, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VENV_TEST(test_texts),		 VENV_TEST(test_no_file),
		VENV_TEST(test_of_another_user), VENV_TEST(test_paths),
		VENV_TEST(test_nearest),	 VENV_TEST(test_venv),
		VENV_TEST(test_active),		 VENV_TEST(test_site),
		VENV_TEST(test_no_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
