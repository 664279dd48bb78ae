/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include "pycfs/io.h"
#include "pycfs/path.h"
#include "pycfs/spawn.h"
#include "pycfs/text.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define VERSION_MS   10000
#define VERSION_SIZE 160 /* of its text, with the NUL */
#define RUN_MS	     120000
/* Descriptors of the tool beside the usual three. */
#define IN_FD  3
#define OUT_FD 4
/* Of pycfs-compiler, if it cannot become the tool. */
#define EXIT_BROKEN 252
#define IN	    "/proc/self/fd/3"
#define OUT	    "/proc/self/fd/4"

void px_tool_fini(struct px_tool *t)
{
	free(t->path);
	free(t->version);
	*t = (struct px_tool){0};
}

/* Whether a program can be there: 0; -EISDIR; -ENOENT; -EACCES. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* The path of `name`, which the caller frees. -ENOENT, -ENOMEM; of a name with
 * a slash also what check_program says. */
static int find_path(const char *name, char **ret)
{
	const char *dirs = getenv("PATH");

	if (strchr(name, '/')) {
		const int r = check_program(name);

		if (r < 0)
			return r;
		*ret = realpath(name, NULL);
		return *ret ? 0 : -errno;
	}
	for (size_t n; dirs && *dirs; dirs += n + (dirs[n] == ':')) {
		PX_AUTOFREE char *path = NULL;

		n = strcspn(dirs, ":");
		if (*dirs != '/')
			continue;
		if (asprintf(&path, "%.*s/%s", (int)n, dirs, name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (check_program(path) == 0) {
			*ret = PX_STEAL(path);
			return 0;
		}
	}
	return -ENOENT;
}

/* The beginning of what was written into `fd`, up to the end of the first line
 * behind which a byte of `wanted` has come, with nothing in it that a terminal
 * would obey; "" if that is none. The caller frees it. */
static char *first_lines(int fd, const char *wanted)
{
	char text[VERSION_SIZE];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t at;

	text[n > 0 ? n : 0] = '\0';
	at = strcspn(text, wanted);
	text[at + strcspn(text + at, "\n")] = '\0';
	for (char *p = text; (p = strchr(p, '\n'));)
		*p = ' ';
	return px_clean(text);
}

static int ask_version(struct px_tool *t)
{
	const char *const argv[] = {t->path, "--version", NULL};
	const char *const envp[] = {"LC_ALL=C", NULL};
	PX_AUTOCLOSE int out = memfd_create("version", MFD_CLOEXEC);
	const struct px_spawn s = {
		.program = t->path,
		.argv = argv,
		.envp = envp,
		.fds = {PX_SPAWN_NULL, out, PX_SPAWN_NULL},
		.n_fds = 3,
	};
	pid_t pid;
	int r;

	if (out < 0)
		return -errno;
	r = px_spawn(&s, &pid);
	if (r == 0)
		r = px_spawn_wait(pid, px_now_ms() + VERSION_MS);
	if (r < 0)
		return r == -ENOMEM ? r : -EIO;
	/* LLVM's has its number in the second one. */
	t->version = first_lines(out, "0123456789");
	if (!t->version)
		return -ENOMEM;
	return r == 0 && *t->version ? 0 : -EIO;
}

int px_tool_find(const char *name, struct px_tool *ret)
{
	struct px_tool t = {0};
	int r = find_path(name, &t.path);

	if (r == 0)
		r = ask_version(&t);
	if (r < 0 || !t.version) {
		px_tool_fini(&t);
		return r;
	}
	if (strcasestr(t.version, "llvm"))
		t.kind = PX_TOOL_LLVM;
	else if (strcasestr(t.version, "elfutils"))
		t.kind = PX_TOOL_ELFUTILS;
	*ret = t;
	return 0;
}

/* What it did instead, in `ret`; `said` is what it wrote to stderr. */
static void say_why(const struct px_tool *t, int status, int said, char *ret,
		    size_t n)
{
	PX_AUTOFREE char *line = first_lines(said, "\n");
	const char *name = px_path_name(t->path);

	if (WIFSIGNALED(status))
		snprintf(ret, n, "%s was ended by signal %d", name,
			 WTERMSIG(status));
	else if (line && *line)
		snprintf(ret, n, "%s", line);
	else
		snprintf(ret, n, "%s ended with status %d", name,
			 WEXITSTATUS(status));
}

int px_tool_run(const struct px_tool *t, const char *compiler, int in, int out,
		char *ret, size_t n)
{
	const bool streams = t->kind == PX_TOOL_LLVM;
	const char *const streaming[] = {
		compiler, "--tool", "--", t->path, "--strip-unneeded",
		"-o",	  "-",	    "-",  NULL};
	const char *const gnu[] = {
		compiler, "--tool", "--", t->path, "--strip-unneeded",
		"-o",	  OUT,	    IN,	  NULL};
	const char *const elfutils[] = {compiler, "--tool", "--", t->path,
					"-o",	  OUT,	    IN,	  NULL};
	const char *const envp[] = {"LC_ALL=C", NULL};
	PX_AUTOCLOSE int said = memfd_create("stderr", MFD_CLOEXEC);
	const struct px_spawn s = {
		.program = compiler,
		.argv = streams			      ? streaming
			: t->kind == PX_TOOL_ELFUTILS ? elfutils
						      : gnu,
		.envp = envp,
		.dir = "/",
		.fds = {streams ? in : PX_SPAWN_NULL,
			streams ? out : PX_SPAWN_NULL, said, in, out},
		.n_fds = streams ? 3 : OUT_FD + 1,
		.ends_first = true,
	};
	pid_t pid;
	int r;

	if (said < 0)
		return -errno;
	if (lseek(in, 0, SEEK_SET) < 0)
		return -errno;
	r = px_spawn(&s, &pid);
	if (r == 0)
		r = px_spawn_wait(pid, px_now_ms() + RUN_MS);
	if (r == 0)
		return 0;
	if (r == -ETIMEDOUT)
		snprintf(ret, n, "%s took longer than two minutes",
			 px_path_name(t->path));
	else if (r > 0)
		say_why(t, r, said, ret, n);
	if (r < 0)
		return r == -ETIMEDOUT ? -EAGAIN : r;
	return WIFSIGNALED(r) || WEXITSTATUS(r) == EXIT_BROKEN ? -EAGAIN
							       : -EBADMSG;
}
