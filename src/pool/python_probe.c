/* SPDX-License-Identifier: MIT */
#include "python_probe.h"
#include "python_place.h"

#include "pycfs/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* An interpreter behind a version manager's script takes some 50 ms; one on a
 * cold network disk may take seconds. */
#define PROBE_TIMEOUT_MS 10000
#define PROBE_MAX	 65536 /* bytes of its answer */
#define PROBE_LINES	 10    /* of the answer: see probe.py */

/* src/pool/probe.py, by tools/embed. */
extern const unsigned char px_probe_py[];

/* Reads `fd` up to its end. -ETIMEDOUT: it has not come by `deadline`. */
static int drain(int fd, struct px_buf *out, int64_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	for (;;) {
		const int64_t left = deadline - px_now_ms();
		ssize_t n;
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&pfd, 1, (int)left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		r = px_buf_reserve(out, 4096);
		if (r < 0)
			return r;
		n = read(fd, out->data + out->size, 4096);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			out->size += (size_t)n;
	}
}

/*
 * The directory to start interpreter `path` in; NULL: ours.
 *
 * If CPython does not find itself in PATH, or lies just below the root as
 * /bin/python3 does, it looks for its library around the current directory
 * (Modules/getpath.py of 3.11, getpath.c before). A pyvenv.cfg there could make
 * it load anybody's code, so it is started in "/". But the shim of a version
 * manager, which is a script or is called otherwise, chooses the Python by the
 * current directory, so that is left as it is.
 */
static const char *directory_for(const char *path)
{
	PX_AUTOFREE char *real = realpath(path, NULL);
	PX_AUTOCLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *base = real ? strrchr(real, '/') : NULL;
	char head[2] = "";

	if (fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
	    memcmp(head, "#!", sizeof(head)) == 0)
		return NULL;
	return base && strncmp(base, "/python", 7) != 0 ? NULL : "/";
}

/* Runs argv in directory `dir`, or in ours if that is NULL. Returns the wait
 * status, with all that it wrote to stdout and stderr, and a NUL, in `out`. */
static int run(const char *const argv[], const char *dir, struct px_buf *out)
{
	PX_AUTOCLOSE int read_fd = -1;
	PX_AUTOCLOSE int write_fd = -1;
	const int64_t deadline = px_now_ms() + PROBE_TIMEOUT_MS;
	struct px_spawn child = {.program = argv[0], .argv = argv, .dir = dir};
	int fds[2], r, status;
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	write_fd = fds[1];
	child.fds[0] = PX_SPAWN_NULL;
	child.fds[1] = child.fds[2] = write_fd;
	child.n_fds = 3;
	r = px_spawn(&child, &pid);
	if (r < 0)
		return r;
	close(px_steal_fd(&write_fd));
	r = drain(read_fd, out, deadline);
	if (r < 0) {
		(void)px_spawn_kill(pid);
		return r;
	}
	status = px_spawn_wait(pid, deadline);
	if (status < 0)
		return status;
	r = px_buf_add(out, "", 1);
	return r < 0 ? r : status;
}

static int take_number(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v > UINT32_MAX)
		return -EIO;
	*ret = (uint32_t)v;
	return 0;
}

static int take_text(const char *text, char **ret)
{
	*ret = *text != '\0' ? strdup(text) : NULL;
	return *text != '\0' && !*ret ? -ENOMEM : 0;
}

/* Finds the answer's ten lines, of which the first is "pycfs", in what was
 * written, and ends each with a NUL. -EIO: they are not all there. */
static int split(char *text, char *line[PROBE_LINES])
{
	char *p = text;
	int i;

	while (strncmp(p, "pycfs\n", 6) != 0) {
		p = strchr(p, '\n');
		if (!p)
			return -EIO;
		p++;
	}
	for (i = 0; i < PROBE_LINES; i++) {
		char *end = strchr(p, '\n');

		if (!end)
			return -EIO;
		*end = '\0';
		line[i] = p;
		p = end + 1;
	}
	return 0;
}

static int fill(struct px_python *py, char *line[PROBE_LINES])
{
	int r = take_number(line[2], &py->magic);

	if (r == 0)
		r = take_number(line[3], &py->hexversion);
	if (r == 0)
		r = take_text(line[4], &py->version);
	if (r == 0)
		r = take_text(line[5], &py->cache_tag);
	if (r == 0)
		r = take_text(line[6], &py->canary);
	if (r == 0)
		r = take_text(line[7], &py->home);
	if (r == 0)
		r = take_text(line[8], &py->libpython);
	if (r == 0)
		r = take_text(line[9], &py->interpreter);
	if (r == 0 && (!py->version || !py->cache_tag || !py->canary))
		r = -EIO;
	return r;
}

/* Whether we can use it. */
static int check(const struct px_python *py, const char *name,
		 const char *implementation, struct px_why *why)
{
	const unsigned major = py->hexversion >> 24;
	const unsigned minor = py->hexversion >> 16 & 255;
	/* A free-threaded build has an ABI of its own. */
	const bool free_threaded = strcmp(implementation, "cpython-t") == 0;
	char version[32];

	px_python_short(py, version, sizeof(version));
	if (strcmp(implementation, "cpython") != 0 && !free_threaded)
		return px_because(why, -EPROTONOSUPPORT,
				  "%s is %s %s; CPython 3.8 or later is needed",
				  name, implementation, version);
	if (major != 3 || minor < 8)
		return px_because(why, -EPROTONOSUPPORT,
				  "%s is Python %s; 3.8 or later is needed",
				  name, version);
	if (free_threaded && minor < 14)
		return px_because(why, -EPROTONOSUPPORT,
				  "%s is a free-threaded Python %s; of those "
				  "3.14 or later is needed",
				  name, version);
	return 0;
}

/* Leaves only those of its files that workers may use. */
static int choose_file(struct px_python *py, const char *name,
		       enum px_python_worker worker, struct px_why *why)
{
	const unsigned major = py->hexversion >> 24;
	const unsigned minor = py->hexversion >> 16 & 255;
	const char *t = py->free_threaded ? "t" : "";
	char version[32];

	if (worker == PX_PYTHON_INTERPRETER)
		free(PX_STEAL(py->libpython));
	if (worker == PX_PYTHON_LIBPYTHON)
		free(PX_STEAL(py->interpreter));
	if (px_python_file(py))
		return 0;
	px_python_short(py, version, sizeof(version));
	if (worker == PX_PYTHON_INTERPRETER)
		return px_because(
			why, -ELIBACC,
			"%s (Python %s%s) can hold no worker, as it is "
			"no dynamic program: leave out "
			"--worker interpreter",
			name, version, t);
	if (worker == PX_PYTHON_LIBPYTHON)
		return px_because(
			why, -ELIBACC,
			"%s (Python %s%s) has no libpython%u.%u%s.so: leave "
			"out --worker libpython, or install the package "
			"libpython%u.%u%s",
			name, version, t, major, minor, t, major, minor, t);
	return px_because(
		why, -ELIBACC,
		"%s (Python %s%s) has no libpython%u.%u%s.so, and can hold no "
		"worker itself, as it is no dynamic program: "
		"install the package libpython%u.%u%s, or build Python with "
		"--enable-shared",
		name, version, t, major, minor, t, major, minor, t);
}

static void first_line(const struct px_buf *out, char *buf, size_t n)
{
	*buf = '\0';
	if (out->size == 0)
		return;
	snprintf(buf, n, "%.*s", (int)strcspn((const char *)out->data, "\n"),
		 (const char *)out->data);
}

/* Whether `py` is what `spec` asks for: "3.14" or "3.14.2", or "3.14t" for a
 * free-threaded build, which the former two do not match. */
static bool version_fits(const struct px_python *py, const char *spec,
			 const char *implementation)
{
	const size_t n = strspn(spec, "0123456789.");
	char version[32];

	px_python_short(py, version, sizeof(version));
	return strncmp(version, spec, n) == 0 &&
	       (version[n] == '\0' || version[n] == '.') &&
	       (spec[n] == 't') == (strcmp(implementation, "cpython-t") == 0);
}

/* Runs a probe, which is argv, in `dir`, and makes a struct px_python of its
 * answer. `name` is what messages call it. Of `q` only `spec` and `worker` are
 * looked at. */
static int ask(const char *const argv[], const char *dir, const char *name,
	       const struct px_python_query *q, struct px_python **ret,
	       struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf out = {.max = PROBE_MAX};
	PX_AUTO(px_python_freep) struct px_python *py = NULL;
	char *line[PROBE_LINES], said[256];
	int status, r;

	status = run(argv, dir, &out);
	if (status == -ETIMEDOUT)
		return px_because(why, status,
				  "%s does not answer after %d seconds", name,
				  PROBE_TIMEOUT_MS / 1000);
	if (status < 0)
		return px_because(why, status, "cannot run %s: %s", name,
				  strerror(-status));
	first_line(&out, said, sizeof(said));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return px_because(why, -ENOENT, "no Python '%s' found%s%s",
				  name, *said ? ": " : "", said);
	if (status != 0 || split((char *)out.data, line) < 0)
		return px_because(
			why, -EIO,
			"%s is no usable Python (CPython 3.8 or later)%s%s",
			name, *said ? ": " : "", said);
	py = calloc(1, sizeof(*py));
	if (!py)
		return px_because(why, -ENOMEM, "out of memory");
	py->free_threaded = strcmp(line[1], "cpython-t") == 0;
	r = fill(py, line);
	if (r < 0)
		return px_because(why, r,
				  "%s gave an answer nobody understands", name);
	if (q->spec && !version_fits(py, q->spec, line[1]))
		return px_because(why, -ENOENT, "%s is not Python %s", name,
				  q->spec);
	r = check(py, name, line[1], why);
	if (r == 0)
		r = choose_file(py, name, q->worker, why);
	if (r < 0)
		return r;
	*ret = PX_STEAL(py);
	return 0;
}

int px_python_ask(const char *program, const struct px_python_query *q,
		  struct px_python **ret, struct px_why *why)
{
	const bool venvs = q->spec != NULL;
	char path[PATH_MAX];
	const char *argv[] = {path, "-I", "-S", "-c", (const char *)px_probe_py,
			      NULL};
	PX_AUTO(px_python_freep) struct px_python *py = NULL;
	int r = px_place_find(program, q->avoid, venvs, path);

	if (r < 0)
		return px_because(why, r, "cannot run %s: %s", program,
				  strerror(-r));
	/* A version that was not named by the user must not depend on the
	 * current directory, by which a version manager's shim chooses. */
	r = ask(argv, q->avoid && venvs ? "/" : directory_for(path), program, q,
		&py, why);
	if (r < 0 || !py)
		return r;
	/* A script may have started any other program. */
	if (py->interpreter &&
	    px_place_avoided(py->interpreter, q->avoid, venvs)) {
		if (py->libpython)
			free(PX_STEAL(py->interpreter));
		else
			return px_because(
				why, -ENOENT,
				"%s starts %s, which is not run unless you "
				"name it: say --python PATH",
				program, py->interpreter);
	}
	py->executable = strdup(path);
	if (!py->executable)
		return px_because(why, -ENOMEM, "out of memory");
	*ret = PX_STEAL(py);
	return 0;
}

int px_python_ask_build(const struct px_python_query *q, struct px_python **ret,
			struct px_why *why)
{
	const char *argv[] = {q->compiler, "--probe", "--libpython",
			      PX_BUILD_LIBPYTHON, NULL};
	struct px_why inner;

	if (q->worker == PX_PYTHON_INTERPRETER)
		return px_because(
			why, -ENOENT,
			"no python3 in PATH for --worker interpreter: "
			"install python3, or say --python PATH");
	if (ask(argv, "/", PX_BUILD_LIBPYTHON, q, ret, &inner) == 0)
		return 0;
	return px_because(why, -ENOENT,
			  "no python3 in PATH and no %s: install python3, or "
			  "say --python PATH",
			  PX_BUILD_LIBPYTHON);
}
