/* SPDX-License-Identifier: MIT */
#include "python_unit.h"

/* What an interpreter answers; line 9 is its libpython, line 10 its program. */
#define FILES(implementation, hexversion, version, libpython, program) \
	"printf 'pycfs\\n" implementation "\\n168627659\\n" hexversion \
	"\\n" version " (fake)\\ncpython-312\\n0123456789abcdef\\n"    \
	"/opt/python\\n" libpython "\\n" program "\\n'\n"
#define ANSWER(implementation, hexversion, version)                         \
	FILES(implementation, hexversion, version, "/opt/libpython3.12.so", \
	      "/opt/python3")
#define GOOD ANSWER("cpython", "51118576", "3.12.1") /* 0x030c01f0 */

static int find_script(struct fixture *f, const char *body)
{
	char path[300];

	put_script(f, "python", body, path);
	return find(f, path);
}

/* ------------------------------------------------------------- real ones */

static void check_real(const struct px_python *py)
{
	char version[32];

	assert_int_equal(py->magic >> 16, 0x0a0d);
	assert_int_equal(py->hexversion >> 24, 3);
	assert_true((py->hexversion >> 16 & 255) >= 8);
	px_python_short(py, version, sizeof(version));
	assert_memory_equal(py->version, version, strlen(version));
	assert_int_equal(py->version[strlen(version)], ' ');
	assert_null(strchr(py->version, '\n'));
	assert_memory_equal(py->cache_tag, "cpython-3", 9);
	assert_int_equal(strspn(py->canary, "0123456789abcdef"), 16);
	assert_int_equal(strlen(py->canary), 16);
	assert_non_null(strstr(py->libpython, "libpython3"));
}

static void test_real(void **state)
{
	struct fixture *f = *state;
	char version[32], *short_one;
	uint32_t hexversion;

	assert_int_equal(find(f, NULL), 0);
	check_real(f->py);
	assert_true(px_ends_in(f->py->executable, "/python3"));
	assert_int_equal(find(f, "python3"), 0);
	check_real(f->py);
	hexversion = f->py->hexversion;
	px_python_short(f->py, version, sizeof(version));
	/* The same one by its exact version and by its series. */
	assert_int_equal(find(f, version), 0);
	assert_int_equal(f->py->hexversion, hexversion);
	short_one = strrchr(version, '.');
	*short_one = '\0';
	assert_int_equal(find(f, version), 0);
	check_real(f->py);
	assert_int_equal(f->py->hexversion >> 16, hexversion >> 16);
	if (access("/usr/bin/python3", X_OK) == 0) {
		assert_int_equal(find(f, "/usr/bin/python3"), 0);
		check_real(f->py);
		assert_string_equal(f->py->executable, "/usr/bin/python3");
	}
}

/* Without any python3: the libpython of the build. */
static void test_without_path(void **state)
{
	struct fixture *f = *state;

	setenv("PATH", f->top, 1);
	/* CPython leaks at its end; that is not what a sanitizer's build of
	 * the compiler should say here. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	assert_int_equal(find(f, NULL), 0);
	check_real(f->py);
	assert_null(f->py->executable);
	assert_int_equal(find(f, "python3"), -ENOENT);
	assert_non_null(strstr(f->why.text, "python3"));
	assert_int_equal(px_python_find(
				 &(struct px_python_query){
					 .compiler = "/nonexistent/compiler"},
				 &f->py, &f->why),
			 -ENOENT);
	assert_non_null(strstr(f->why.text, "install python3"));
}

/* A directory of somebody who wants Python to start with his library: by a
 * pyvenv.cfg that names it, or by what a PYTHONPATH such as ":/x" lets in. */
static void enter_hostile(struct fixture *f)
{
	char path[300], place[100];

	for (unsigned minor = 8; minor < 20; minor++) {
		snprintf(place, sizeof(place),
			 "evil/lib/python3.%u/encodings/__init__.py", minor);
		put_script(f, place, "__import__('posix').mkdir('let-in')\n",
			   path);
		snprintf(place, sizeof(place), "evil/lib/python3.%u/os.py",
			 minor);
		put_script(f, place, "", path);
	}
	put_script(f, "encodings/__init__.py",
		   "__import__('posix').mkdir('let-in')\n", path);
	put_script(f, "pyvenv.cfg", "home = evil/bin\n", path);
	assert_int_equal(chdir(f->top), 0);
}

static void test_hostile_directory(void **state)
{
	struct fixture *f = *state;
	char nowhere[200];
	int with_path, with_build;

	enter_hostile(f);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	setenv("PYTHONPATH", ":/nonexistent", 1);
	/* Without PATH an interpreter does not find itself. */
	unsetenv("PATH");
	with_path = find(f, NULL);
	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", f->top);
	setenv("PATH", nowhere, 1);
	with_build = find(f, NULL);
	unsetenv("PYTHONPATH");
	assert_int_equal(access("let-in", F_OK), -1);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(with_path, 0);
	assert_int_equal(with_build, 0);
	/* Workers get it from there as well. */
	assert_non_null(f->py->home);
}

/* A name with a directory in PATH that is no absolute one, or is none. */
static void test_relative_path(void **state)
{
	struct fixture *f = *state;
	char path[300];

	put_script(f, "bin/pycfs-python", "#!/bin/sh\n" GOOD, path);
	assert_int_equal(chdir(f->top), 0);
	setenv("PATH", "/nonexistent:bin:/usr/bin:/bin", 1);
	assert_int_equal(find(f, "pycfs-python"), 0);
	snprintf(path, sizeof(path), "%s/bin/pycfs-python", f->top);
	assert_string_equal(f->py->executable, path);
	assert_int_equal(chdir("bin"), 0);
	setenv("PATH", "/usr/bin:/bin:", 1);
	assert_int_equal(find(f, "pycfs-python"), 0);
	setenv("PATH", "/usr/bin:/bin", 1);
	assert_int_equal(find(f, "pycfs-python"), -ENOENT);
	assert_int_equal(chdir("/"), 0);
}

static void test_absent(void **state)
{
	static const char *const specs[] = {
		"/nonexistent/python3",
		"./nonexistent",
		"python9.99",
		"3.99",
		"9.9",
		"3.12.999",
		"3.",
		".",
		"..",
		"",
	};
	struct fixture *f = *state;

	setenv("PYENV_ROOT", f->top, 1);
	for (size_t i = 0; i < PX_ARRAY_LEN(specs); i++)
		assert_int_equal(find(f, specs[i]), -ENOENT);
	assert_non_null(strstr(f->why.text, "--python"));
}

/* ------------------------------------------------------------------ fakes */

static void test_good_answer(void **state)
{
	struct fixture *f = *state;
	char version[32];

	assert_int_equal(find_script(f, "#!/bin/sh\n" GOOD), 0);
	assert_int_equal(f->py->magic, 168627659);
	assert_int_equal(f->py->hexversion, 0x030c01f0);
	assert_string_equal(f->py->version, "3.12.1 (fake)");
	assert_string_equal(f->py->cache_tag, "cpython-312");
	assert_string_equal(f->py->canary, "0123456789abcdef");
	assert_string_equal(f->py->home, "/opt/python");
	assert_string_equal(f->py->libpython, "/opt/libpython3.12.so");
	px_python_short(f->py, version, sizeof(version));
	assert_string_equal(version, "3.12.1");
}

/* Version managers and site hooks talk before, on either stream. */
static void test_chatty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find_script(f,
				     "#!/bin/sh\n"
				     "echo warning: old configuration >&2\n"
				     "echo hello\n" GOOD "echo goodbye >&2\n"),
			 0);
	assert_int_equal(f->py->magic, 168627659);
	assert_int_equal(find_script(f, "#!/bin/sh\nseq 1 4000\n" GOOD), 0);
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *body;
		int r;
		const char *text;
	} cases[] = {
		{"", -EIO, "no usable Python"},
		{"exit 1\n", -EIO, "no usable Python"},
		{"echo it broke >&2; exit 1\n", -EIO, "it broke"},
		{"echo nonsense\n", -EIO, "nonsense"},
		{"kill -9 $$\n", -EIO, "no usable Python"},
		{GOOD "exit 1\n", -EIO, "no usable Python"},
		{"echo pycfs\n", -EIO, "no usable Python"},
		{"printf 'pycfs\\ncpython\\n1\\n2\\n3\\n4\\n5\\n6\\n7\\n8'\n",
		 -EIO, "no usable Python"},
		{"printf "
		 "'pycfs\\ncpython\\nx\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n'\n",
		 -EIO, "nobody understands"},
		{"printf "
		 "'pycfs\\ncpython\\n1\\n2x\\n3\\n4\\n5\\n6\\n7\\n8\\n'\n",
		 -EIO, "nobody understands"},
		{"printf 'pycfs\\ncpython\\n99999999999\\n2\\n3\\n4\\n5\\n6"
		 "\\n7\\n8\\n'\n",
		 -EIO, "nobody understands"},
		{"printf "
		 "'pycfs\\ncpython\\n1\\n51118576\\n\\n4\\n5\\n6\\n7\\n8\\n'\n",
		 -EIO, "nobody understands"},
		{"printf "
		 "'pycfs\\ncpython\\n1\\n51118576\\n3.12.1\\nt\\nc\\nh\\n"
		 "\\n\\n'\n",
		 -ELIBACC, "libpython3.12"},
		{ANSWER("cpython", "50792944", "3.7.9"), -EPROTONOSUPPORT,
		 "3.8 or later"}, /* 0x030709f0 */
		{ANSWER("cpython", "34017776", "2.7.18"), -EPROTONOSUPPORT,
		 "3.8 or later"},
		{ANSWER("cpython", "67174640", "4.1.0"), -EPROTONOSUPPORT,
		 "3.8 or later"},
		{ANSWER("pypy", "51118576", "3.12.1"), -EPROTONOSUPPORT,
		 "pypy"},
		{ANSWER("cpython-t", "51183344", "3.13.0"), -EPROTONOSUPPORT,
		 "free-threaded"},
		{"head -c 20000000 /dev/zero\n", -EFBIG, "python"},
	};
	struct fixture *f = *state;
	char body[1000];

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		snprintf(body, sizeof(body), "#!/bin/sh\n%s", cases[i].body);
		assert_int_equal(find_script(f, body), cases[i].r);
		assert_non_null(strstr(f->why.text, cases[i].text));
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

/* What workers use of the two files that an interpreter has named. */
static void test_worker(void **state)
{
	static const struct {
		enum px_python_worker worker;
		const char *body;
		const char *libpython, *interpreter; /* of the answer */
		const char *text;		     /* of the error */
	} cases[] = {
#define BOTH FILES("cpython", "51118576", "3.12.1", "/l/libpython3.12.so", "/p")
#define ONLY FILES("cpython", "51118576", "3.12.1", "", "/p")
#define NONE FILES("cpython", "51118576", "3.12.1", "", "")
		{PX_PYTHON_AUTO, BOTH, "/l/libpython3.12.so", "/p", NULL},
		{PX_PYTHON_AUTO, ONLY, NULL, "/p", NULL},
		{PX_PYTHON_AUTO, NONE, NULL, NULL,
		 "no libpython3.12.so, and can hold no worker itself"},
		{PX_PYTHON_LIBPYTHON, BOTH, "/l/libpython3.12.so", NULL, NULL},
		{PX_PYTHON_LIBPYTHON, ONLY, NULL, NULL,
		 "leave out --worker libpython"},
		{PX_PYTHON_INTERPRETER, BOTH, NULL, "/p", NULL},
		{PX_PYTHON_INTERPRETER, ONLY, NULL, "/p", NULL},
		{PX_PYTHON_INTERPRETER, GOOD, NULL, "/opt/python3", NULL},
		{PX_PYTHON_INTERPRETER,
		 FILES("cpython", "51118576", "3.12.1", "/l", ""), NULL, NULL,
		 "leave out --worker interpreter"},
	};
	struct fixture *f = *state;
	char body[1000];

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		snprintf(body, sizeof(body), "#!/bin/sh\n%s", cases[i].body);
		f->worker = cases[i].worker;
		if (cases[i].text) {
			assert_int_equal(find_script(f, body), -ELIBACC);
			assert_non_null(strstr(f->why.text, cases[i].text));
			continue;
		}
		assert_int_equal(find_script(f, body), 0);
		assert_string_equal(px_python_file(f->py),
				    cases[i].libpython ? cases[i].libpython
						       : cases[i].interpreter);
		assert_int_equal(!f->py->libpython, !cases[i].libpython);
		assert_int_equal(!f->py->interpreter, !cases[i].interpreter);
	}
}

/* A script of PATH that starts a program which must not be run. */
static void test_avoided_program(void **state)
{
	struct fixture *f = *state;
	char path[300], dir[200], other[200], body[600];
	const char *const avoid[] = {dir, NULL};
	const char *const others[] = {other, NULL};

	put_script(f, "in/python", "", path);
	snprintf(dir, sizeof(dir), "%s/in", f->top);
	snprintf(other, sizeof(other), "%s/out", f->top);
	snprintf(body, sizeof(body),
		 "#!/bin/sh\nprintf 'pycfs\\ncpython\\n168627659\\n51118576"
		 "\\n3.12.1\\ncpython-312\\n0123\\n/opt\\n\\n%s\\n'\n",
		 path);
	put_script(f, "bin/python3", body, path);
	snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", f->top);
	setenv("PATH", path, 1);
	f->worker = PX_PYTHON_INTERPRETER;
	assert_int_equal(find_but(f, NULL, others), 0);
	assert_true(px_ends_in(f->py->interpreter, "/in/python"));
	assert_int_equal(find_but(f, NULL, avoid), -ENOENT);
	assert_non_null(strstr(f->why.text, "--python PATH"));
	/* Whoever names it may. */
	assert_int_equal(find(f, "python3"), 0);
}

/* The build's libpython is no interpreter. */
static void test_no_interpreter(void **state)
{
	struct fixture *f = *state;

	setenv("PATH", f->top, 1);
	f->worker = PX_PYTHON_INTERPRETER;
	assert_int_equal(find(f, NULL), -ENOENT);
	assert_non_null(strstr(f->why.text, "for --worker interpreter"));
}

static void test_no_program(void **state)
{
	struct fixture *f = *state;
	char path[300];

	assert_true(find(f, f->top) < 0);
	assert_non_null(strstr(f->why.text, f->top));
	put_script(f, "python", "not a program\n", path);
	assert_true(find(f, path) < 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(find(f, path), -EACCES);
	assert_int_equal(unlink(path), 0);
	/* What shims say when they have no such version. */
	assert_int_equal(find_script(f, "#!/bin/sh\n"
					"echo no such version >&2\n"
					"exit 127\n"),
			 -ENOENT);
}

/* One that closes its output and goes on must not hold the mount up. */
static void test_closes_its_output(void **state)
{
	struct fixture *f = *state;
	const int64_t start = px_now_ms();
	int r;

	/* The answer is there; to be late after it may count as no answer. */
	r = find_script(f, "#!/bin/sh\n" GOOD
			   "exec >/dev/null 2>&1\nexec sleep 60\n");
	assert_true(r == 0 || r == -ETIMEDOUT);
	assert_true(px_now_ms() - start < 20000);
}

static void test_version_in_path(void **state)
{
	struct fixture *f = *state;
	char path[300], search[400];

	put_script(f, "python3.12", "#!/bin/sh\n" GOOD, path);
	snprintf(search, sizeof(search), "%s:%s", f->top, f->path);
	setenv("PATH", search, 1);
	setenv("PYENV_ROOT", "/nonexistent", 1);
	assert_int_equal(find(f, "3.12"), 0);
	assert_string_equal(f->py->version, "3.12.1 (fake)");
	assert_int_equal(find(f, "3.12.1"), 0);
	assert_int_equal(find(f, "3.12.2"), -ENOENT);
}

/* Waits for its ten seconds: it is the only limit there is. */
static void test_hangs(void **state)
{
	struct fixture *f = *state;
	const int64_t start = px_now_ms();

	if (!getenv("PYCFS_SLOW_TESTS"))
		skip();
	assert_int_equal(find_script(f, "#!/bin/sh\nexec sleep 100\n"),
			 -ETIMEDOUT);
	assert_true(px_now_ms() - start < 30000);
}

static void test_compiler_is_found(void **state)
{
	struct fixture *f = *state;
	char *path = NULL;
	int r = px_python_compiler(&path, &f->why);

	/* Beside a unit test there is none; where it is installed there may
	 * be one. */
	if (r == 0)
		assert_int_equal(access(path, X_OK), 0);
	else
		assert_non_null(strstr(f->why.text, "install pycfs"));
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PYTHON_TEST(test_real),
		PYTHON_TEST(test_without_path),
		PYTHON_TEST(test_hostile_directory),
		PYTHON_TEST(test_relative_path),
		PYTHON_TEST(test_absent),
		PYTHON_TEST(test_good_answer),
		PYTHON_TEST(test_chatty),
		PYTHON_TEST(test_bad_answers),
		PYTHON_TEST(test_worker),
		PYTHON_TEST(test_avoided_program),
		PYTHON_TEST(test_no_interpreter),
		PYTHON_TEST(test_no_program),
		PYTHON_TEST(test_closes_its_output),
		PYTHON_TEST(test_version_in_path),
		PYTHON_TEST(test_hangs),
		PYTHON_TEST(test_compiler_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
