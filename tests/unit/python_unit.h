/* SPDX-License-Identifier: MIT */
#ifndef PX_PYTHON_UNIT_H
#define PX_PYTHON_UNIT_H
/*
 * Helpers for the tests of finding a Python. The interpreters are shell scripts
 * in a temporary directory.
 */

#include "unit.h"
#include "pycfs/python.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PYTHON_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Environment variables that tell where version managers install Pythons. */
static const char *const variables[] = {
	"UV_PYTHON_INSTALL_DIR", "MISE_DATA_DIR",
	"ASDF_DATA_DIR",	 "PYENV_ROOT",
	"CONDA_PREFIX",		 "MAMBA_ROOT_PREFIX",
	"XDG_DATA_HOME",	 "HOME",
};

struct fixture {
	char top[100];
	char *path;		      /* the value of PATH before the test */
	enum px_python_worker worker; /* that is asked for */
	struct px_python *py;
	struct px_why why;
};

static inline int setup(void **state)
{
	const char *tmp = getenv("TMPDIR"), *path = getenv("PATH");
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	snprintf(f->top, sizeof(f->top), "%s/px-python-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(f->top))
		return -1;
	f->path = strdup(path ? path : "/usr/bin:/bin");
	*state = f;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st PX_UNUSED,
			     int type PX_UNUSED, struct FTW *w PX_UNUSED)
{
	return remove(path);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	const int children = waitpid(-1, NULL, WNOHANG);

	setenv("PATH", f->path, 1);
	for (size_t i = 0; i < PX_ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
	px_python_free(f->py);
	nftw(f->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f->path);
	free(f);
	return children == -1 ? 0 : -1;
}

static inline const char *compiler(void)
{
	const char *path = getenv("PYCFS_COMPILER");

	if (!path)
		fail_msg("PYCFS_COMPILER must name the compiler");
	return path;
}

/* Writes the script `body` to TOP/name, and its path to `ret`. */
static inline void put_script(struct fixture *f, const char *name,
			      const char *body, char ret[300])
{
	char *slash;
	int fd;

	assert_true(strlen(name) + sizeof(f->top) < 300);
	stpcpy(stpcpy(stpcpy(ret, f->top), "/"), name);
	for (slash = strchr(ret + strlen(f->top) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(ret, 0755);
		*slash = '/';
	}
	fd = open(ret, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, body, strlen(body)), 0);
	close(fd);
}

static inline int find_but(struct fixture *f, const char *spec,
			   const char *const *avoid)
{
	int r;

	px_python_free(f->py);
	f->py = NULL;
	f->why.text[0] = '\0';
	r = px_python_find(&(struct px_python_query){.spec = spec,
						     .avoid = avoid,
						     .compiler = compiler(),
						     .worker = f->worker},
			   &f->py, &f->why);
	print_message("%s: %d %s\n", spec ? spec : "(none)", r, f->why.text);
	/* There is a sentence if there is an error, and a Python if not. */
	assert_true((r < 0) == (f->why.text[0] != '\0'));
	assert_true((r < 0) == (f->py == NULL));
	return r;
}

static inline int find(struct fixture *f, const char *spec)
{
	return find_but(f, spec, NULL);
}

#endif
