/* SPDX-License-Identifier: MIT */
/*
 * Marks and strays, of small trees: names of modules, links that lose them,
 * scripts, .pth files, archives that are damaged.
 */
#include "unit.h"
#include "view/zip.h"

#include "pycfs/mark.h"
#include "pycfs/stray.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct fixture {
	char top[PATH_MAX];
	struct px_tree *t;
	struct px_owners *owners;
	struct px_strays *s;
};

static int run(const char *command)
{
	return system(command); /* NOLINT(cert-env33-c): a test's own words */
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");
	char src[PATH_MAX + 8];

	snprintf(f->top, sizeof(f->top), "%s/pycfs-stray-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(f->top))
		return -1;
	snprintf(src, sizeof(src), "%s/src", f->top);
	if (mkdir(src, 0755) < 0 || px_tree_open(src, &f->t, NULL) < 0 ||
	    px_owners_new(&f->owners) < 0 || px_strays_new(&f->s) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[PATH_MAX + 16];

	px_tree_close(f->t);
	px_owners_free(f->owners);
	px_strays_free(f->s);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->top);
	run(command);
	free(f);
	return 0;
}

static void put(const struct fixture *f, const char *name, const char *text,
		mode_t mode)
{
	char path[2 * PATH_MAX], *slash;
	PX_AUTOCLOSE int fd = -1;

	snprintf(path, sizeof(path), "%s/src/%s", f->top, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	mkdir(path, 0755);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
}

static void put_link(const struct fixture *f, const char *name,
		     const char *target)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/src/%s", f->top, name);
	assert_int_equal(symlink(target, path), 0);
}

/* Looks at one directory, as the content does. */
static void look(struct fixture *f, const char *dir)
{
	const struct px_view_options o = {.cache_tag = "cpython-312"};
	struct px_listing l = {.n = 0};
	struct px_view *v = NULL;

	assert_int_equal(px_tree_list(f->t, dir, PX_LIST_STATS, &l), 0);
	assert_int_equal(px_mark_scripts(f->owners, f->t, dir, &l), 0);
	assert_int_equal(px_mark_lost(f->t, dir, &l), 0);
	assert_int_equal(px_view_new(&l, dir, &o, &v), 0);
	assert_int_equal(px_strays_look(f->s, f->t, dir, &l, v, true), 0);
	px_view_unref(v);
	px_listing_fini(&l);
}

/* `wanted` has a line "path|text" for each. */
static void check(struct fixture *f, enum px_stray_kind kind,
		  const char *wanted)
{
	PX_AUTO(px_buf_fini) struct px_buf got = {.max = 1u << 20};
	const struct px_stray *all;
	size_t i, n, found = 0;

	all = px_strays_all(f->s, &n);
	for (i = 0; i < n; i++) {
		PX_AUTOFREE char *line = NULL;

		if (all[i].kind != kind)
			continue;
		assert_true(asprintf(&line, "%s|%s\n", all[i].path,
				     all[i].text) > 0);
		assert_int_equal(px_buf_add(&got, line, strlen(line)), 0);
		found++;
	}
	assert_int_equal(px_buf_add(&got, "", 1), 0);
	assert_string_equal((const char *)got.data, wanted);
	assert_int_equal(px_strays_count(f->s, kind), found);
}

static void test_names_of_modules(void **state PX_UNUSED)
{
	static const char *const yes[] = {
		"a.py",		"__init__.pyc",
		"_x.so",	"a-b.py",
		"fast.abi3.so", "fast.cpython-312-x86_64-linux-gnu.so",
		"\xc3\xb3.so",
	};
	static const char *const no[] = {
		"a.pyi", "libx.so", ".#a.py", ".py", "x.so.1", "py",
		"a.txt", "1.so",    "x.y.so", "",    ".so",
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(yes); i++)
		assert_true(px_mark_is_module(yes[i]));
	for (size_t i = 0; i < PX_ARRAY_LEN(no); i++)
		assert_false(px_mark_is_module(no[i]));
}

static void test_lost(void **state)
{
	struct fixture *f = *state;

	put(f, "x.py", "", 0644);
	put(f, "../pkg/__init__.py", "", 0644);
	put(f, "../data/x.txt", "", 0644);
	put(f, "data/x.txt", "", 0644);
	put_link(f, "out.py", "../pkg/__init__.py");
	put_link(f, "gone.py", "nowhere");
	put_link(f, "loop.py", "loop.py");
	put_link(f, "ext.so", "/nowhere/ext.so");
	put_link(f, "libx.so", "/nowhere/libx.so");
	put_link(f, "pkg", "../pkg");
	put_link(f, "static", "../data");
	put_link(f, "gone", "nowhere");
	put_link(f, "LICENSE", "nowhere");
	put_link(f, ".#x.py", "user@host.1");
	put_link(f, "fine.py", "x.py");
	put_link(f, "here", "data");
	put_link(f, "data/gone", "nowhere");
	look(f, "");
	look(f, "data");
	check(f, PX_STRAY_LOST,
	      "ext.so|leads out of SOURCE\n"
	      "gone|leads nowhere\n"
	      "gone.py|leads nowhere\n"
	      "loop.py|leads in a circle\n"
	      "out.py|leads out of SOURCE\n"
	      "pkg|leads out of SOURCE\n");
	check(f, PX_STRAY_LINK,
	      ".#x.py|user@host.1\n"
	      "LICENSE|nowhere\n"
	      "data/gone|nowhere\n"
	      "libx.so|/nowhere/libx.so\n"
	      "static|../data\n");
}

static void test_scripts(void **state)
{
	struct fixture *f = *state;

	put(f, "x-1.dist-info/RECORD", "own.py,,\n\"p/o,n.py\",sha256=x,1\n",
	    0644);
	put(f, "own.py", "#!/usr/bin/python\n", 0755);
	put(f, "p/o,n.py", "#!/usr/bin/python\n", 0755);
	put(f, "p/tool.py", "#!/usr/bin/python\n", 0755);
	put(f, "p/own.py", "#!/usr/bin/python\n", 0755);
	put(f, "p/plain.py", "#!/usr/bin/python\n", 0644);
	put(f, "p/mode.py", "x = 1\n", 0755);
	put(f, "p/short.py", "#", 0755);
	look(f, "");
	look(f, "p");
	check(f, PX_STRAY_SCRIPT,
	      "p/own.py|\n"
	      "p/tool.py|\n");
	/* A RECORD that is new is seen. */
	put(f, "y-1.dist-info/RECORD", "p/new.py,,\n", 0644);
	put(f, "p/new.py", "#!/usr/bin/python\n", 0755);
	look(f, "p");
	check(f, PX_STRAY_SCRIPT,
	      "p/own.py|\n"
	      "p/own.py|\n"
	      "p/tool.py|\n"
	      "p/tool.py|\n");
}

static void test_installs_that_lead_elsewhere(void **state)
{
	struct fixture *f = *state;

	put(f, "a.pth",
	    "# /comment\n\n/home/u/src  \r\nsub\n./sub/../..\nimport sys\n"
	    "import sys; sys.path.insert(0, '/x')\n../up",
	    0644);
	put(f, "sub/b.pth", "/nobody/reads/it\n", 0644);
	put(f, "old.egg-link", "/home/u/old\n.", 0644);
	put(f, "__editable___p_finder.py", "", 0644);
	put(f, "_q_editable_loader.py", "", 0644);
	put(f, "p-1.dist-info/direct_url.json",
	    "{\"dir_info\": {\"editable\" : true}, \"url\": \"file:///w\"}",
	    0644);
	put(f, "q-1.dist-info/direct_url.json",
	    "{\"dir_info\": {\"editable\": false}, \"url\": \"file:///w\"}",
	    0644);
	look(f, "");
	look(f, "sub");
	look(f, "p-1.dist-info");
	look(f, "q-1.dist-info");
	check(f, PX_STRAY_PTH,
	      "a.pth|../up\n"
	      "a.pth|./sub/../..\n"
	      "a.pth|/home/u/src\n"
	      "a.pth|import sys; sys.path.insert(0, '/x')\n");
	check(f, PX_STRAY_EGG_LINK, "old.egg-link|/home/u/old\n");
	check(f, PX_STRAY_EDITABLE,
	      "__editable___p_finder.py|finder\n"
	      "_q_editable_loader.py|finder\n"
	      "p-1.dist-info/direct_url.json|editable\n");
}

static void test_applications_and_modes(void **state)
{
	struct fixture *f = *state;

	put(f, ".git/config", "", 0644);
	put(f, ".env", "", 0644);
	put(f, "p/.env", "", 0644);
	put(f, "p/closed.py", "", 0600);
	put(f, "p/a.py", "", 0644);
	put(f, "p/b.txt", "", 0644);
	look(f, "");
	look(f, "p");
	check(f, PX_STRAY_APPLICATION,
	      ".env|\n"
	      ".git|\n");
	check(f, PX_STRAY_MODE, "p/closed.py|0600\n");
}

/* Where most are closed, none is told. */
static void test_modes_that_are_meant(void **state)
{
	struct fixture *f = *state;

	put(f, "a.py", "", 0600);
	put(f, "b.py", "", 0600);
	put(f, "c.py", "", 0644);
	look(f, "");
	check(f, PX_STRAY_MODE, "");
	assert_null(px_strays_sentence(f->s, PX_STRAY_MODE));
}

/* A zip with one entry for each name, of which only the directory is right. */
static size_t make_zip(uint8_t *to, const char *const *names, size_t n)
{
	size_t at = 0, i;

	memset(to, 0, 4096);
	for (at = 0; at < 9; at++)
		to[at] = '#';
	for (i = 0; i < n; i++) {
		px_put_le32(to + at, 0x02014b50);
		to[at + 28] = (uint8_t)strlen(names[i]);
		memcpy(to + at + 46, names[i], strlen(names[i]));
		at += 46 + strlen(names[i]);
	}
	px_put_le32(to + at, 0x06054b50);
	px_put_le32(to + at + 12, (uint32_t)(at - 9));
	return at + 22;
}

static size_t sources_of(const uint8_t *bytes, size_t n)
{
	PX_AUTOCLOSE int fd = memfd_create("zip", MFD_CLOEXEC);

	assert_int_equal(px_write_full(fd, bytes, n), 0);
	return px_zip_sources(fd, n);
}

static void test_archives(void **state)
{
	static const char *const names[] = {"a/__init__.py", "b.pyc", "c.py"};
	struct fixture *f = *state;
	uint8_t zip[4096], bad[4096];
	const size_t n = make_zip(zip, names, PX_ARRAY_LEN(names));

	assert_int_equal(sources_of(zip, n), 2);
	/* Whatever is damaged or missing, nothing beyond it is read. */
	for (size_t i = 0; i < n; i++)
		assert_true(sources_of(zip, i) <= 2);
	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(bad, zip, n);
			bad[i] ^= (uint8_t)(1u << bit);
			assert_true(sources_of(bad, n) <= 3);
		}
	put(f, "x.egg", "PK", 0644);
	put(f, "x.zip", "", 0644);
	look(f, "");
	check(f, PX_STRAY_ARCHIVE, "");
}

static void test_sentence(void **state)
{
	struct fixture *f = *state;
	PX_AUTOFREE char *one = NULL;
	PX_AUTOFREE char *many = NULL;

	put_link(f, "a.py", "nowhere");
	look(f, "");
	one = px_strays_sentence(f->s, PX_STRAY_LOST);
	assert_non_null(strstr(one, "1 module or package is lost"));
	assert_non_null(strstr(one, ": a.py (leads nowhere): --follow-links"));
	put_link(f, "b.py", "nowhere");
	put_link(f, "c.py", "nowhere");
	look(f, "");
	many = px_strays_sentence(f->s, PX_STRAY_LOST);
	assert_non_null(strstr(many, "4 modules or packages are lost"));
	assert_non_null(strstr(many, ", ...: --follow-links"));
}

#define STRAY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_modules),
		STRAY_TEST(test_lost),
		STRAY_TEST(test_scripts),
		STRAY_TEST(test_installs_that_lead_elsewhere),
		STRAY_TEST(test_applications_and_modes),
		STRAY_TEST(test_modes_that_are_meant),
		STRAY_TEST(test_archives),
		STRAY_TEST(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
