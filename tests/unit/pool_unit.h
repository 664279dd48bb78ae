/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_UNIT_H
#define PX_POOL_UNIT_H
/*
 * Helpers for the tests of the pool: a pool of fake or real compilers, and jobs
 * that record how they ended. The teardown of every test checks that no
 * descriptor and no child process is left.
 */

#include "unit.h"
#include "pycfs/pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MAX_JOBS 256
#define PATIENCE 60 /* how long to wait for a job, in seconds */

struct unit_pool;

struct unit_job {
	struct unit_pool *u;
	uint64_t id;
	unsigned n_done; /* how often it was completed; guarded by u->lock */
	int err;
	unsigned order; /* 1 for the job that ended first, and so on */
	struct px_blob *blob;
};

struct unit_pool {
	char top[100];
	int n_fds;
	struct px_stats stats;
	struct px_python fake;
	struct px_pool_options o;
	struct px_pool *p;
	struct px_why why;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_done; /* jobs completed; guarded by `lock` */
	unsigned n_jobs;
	struct unit_job jobs[MAX_JOBS];
	uint64_t group; /* of what is submitted from now on */
};

static inline int unit_n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline const char *unit_program(const char *variable)
{
	const char *path = getenv(variable);

	if (!path)
		fail_msg("%s must name a program", variable);
	return path;
}

static inline int unit_pool_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct unit_pool *u = calloc(1, sizeof(*u));

	snprintf(u->top, sizeof(u->top), "%s/px-pool-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(u->top))
		return -1;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->changed, NULL);
	u->n_fds = unit_n_fds();
	*state = u;
	return 0;
}

static inline int unit_pool_remove(const char *path,
				   const struct stat *st PX_UNUSED,
				   int type PX_UNUSED, struct FTW *f PX_UNUSED)
{
	return remove(path);
}

static inline int unit_pool_teardown(void **state)
{
	struct unit_pool *u = *state;
	int left, children;

	px_pool_free(u->p);
	for (unsigned i = 0; i < u->n_jobs; i++)
		px_blob_unref(u->jobs[i].blob);
	left = unit_n_fds() - u->n_fds;
	children = waitpid(-1, NULL, WNOHANG);
	nftw(u->top, unit_pool_remove, 8, FTW_DEPTH | FTW_PHYS);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->changed);
	free(u);
	if (left != 0 || children != -1)
		print_error("%d descriptors left, waitpid: %d\n", left,
			    children);
	return left != 0 || children != -1 ? -1 : 0;
}

/* Starts a pool of fake compilers. `how` is passed to them as the libpython,
 * and tells them how to start (see fake_compiler.c). */
static inline int unit_try_fake(struct unit_pool *u, const char *how,
				unsigned n_workers, unsigned timeout_ms)
{
	const char *program = unit_program("PYCFS_FAKE_COMPILER");

	/* A test may have set a compiler of its own. */
	if (!u->o.compiler)
		u->o.compiler = program;
	u->fake.libpython = (char *)(uintptr_t)how;
	u->fake.magic = 1;
	u->fake.hexversion = 0x030900f0;
	u->fake.canary = (char *)(uintptr_t) "0123";
	u->o.python = &u->fake;
	u->o.n_workers = n_workers;
	u->o.timeout_ms = timeout_ms;
	u->o.stats = &u->stats;
	return px_pool_start(&u->o, &u->p, &u->why);
}

static inline void unit_fake(struct unit_pool *u, unsigned n_workers,
			     unsigned timeout_ms)
{
	int r = unit_try_fake(u, "ok", n_workers, timeout_ms);

	if (r < 0)
		fail_msg("%d: %s", r, u->why.text);
}

static inline void unit_on_done(void *arg, int err, struct px_blob *b)
{
	struct unit_job *j = arg;
	struct unit_pool *u = j->u;

	pthread_mutex_lock(&u->lock);
	j->n_done++;
	j->err = err;
	j->order = ++u->n_done;
	j->blob = b ? px_blob_ref(b) : NULL;
	pthread_cond_broadcast(&u->changed);
	pthread_mutex_unlock(&u->lock);
}

static inline int unit_try_submit(struct unit_pool *u, const char *name,
				  const char *source, enum px_priority priority,
				  struct unit_job **ret)
{
	struct unit_job *j = &u->jobs[u->n_jobs];
	const struct px_frame_compile task = {
		.group = u->group,
		.optimize = 2,
		.mode = PX_PYC_UNCHECKED_HASH,
		.canonical = true,
		.co_filename = {(const uint8_t *)name, strlen(name)},
		.source = {(const uint8_t *)source, strlen(source)},
	};
	int r;

	assert_true(u->n_jobs < MAX_JOBS);
	j->u = u;
	r = px_pool_submit(u->p, &task, priority, unit_on_done, j, &j->id);
	if (r == 0)
		u->n_jobs++;
	*ret = j;
	return r;
}

static inline struct unit_job *unit_submit(struct unit_pool *u,
					   const char *name, const char *source)
{
	struct unit_job *j;

	assert_int_equal(
		unit_try_submit(u, name, source, PX_PRIORITY_WAITED, &j), 0);
	return j;
}

static inline struct unit_job *unit_ahead(struct unit_pool *u, const char *name)
{
	struct unit_job *j;

	assert_int_equal(unit_try_submit(u, name, "", PX_PRIORITY_AHEAD, &j),
			 0);
	return j;
}

/* Waits until the job has ended. Returns false if that takes more than `ms`
 * milliseconds. */
static inline bool unit_ends(struct unit_job *j, unsigned ms)
{
	struct unit_pool *u = j->u;
	struct timespec end;
	bool done;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	pthread_mutex_lock(&u->lock);
	while (j->n_done == 0 && r == 0)
		r = pthread_cond_timedwait(&u->changed, &u->lock, &end);
	done = j->n_done > 0;
	pthread_mutex_unlock(&u->lock);
	return done;
}

static inline struct unit_job *unit_wait(struct unit_job *j)
{
	if (!unit_ends(j, PATIENCE * 1000))
		fail_msg("job %u did not end", (unsigned)j->id);
	assert_int_equal(j->n_done, 1);
	return j;
}

static inline void unit_expect(struct unit_job *j, enum px_blob_kind kind,
			       const char *text)
{
	unit_wait(j);
	assert_int_equal(j->err, 0);
	assert_non_null(j->blob);
	if (!memmem(j->blob->data, j->blob->size, text, strlen(text)))
		fail_msg("'%.*s' has no '%s'", (int)j->blob->size,
			 (const char *)j->blob->data, text);
	assert_int_equal(j->blob->kind, kind);
}

/* Returns the PID of a worker of the pool, which is a child of this process; -1
 * if there is none. */
static inline pid_t unit_child(void)
{
	char path[300], text[20] = "";
	const struct dirent *e;
	DIR *dir = opendir("/proc/self/task");
	pid_t found = -1;

	while (found < 0 && (e = readdir(dir))) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%s/children",
			 e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (px_read_full(fd, text, sizeof(text) - 1) > 0)
			found = (pid_t)strtol(text, NULL, 10);
		close(fd);
	}
	closedir(dir);
	return found;
}

/* Kills a worker; false: there is none just now. kill(2) takes -1 for all
 * processes there are. */
static inline bool unit_kill_child(void)
{
	const pid_t pid = unit_child();

	return pid > 0 && kill(pid, SIGKILL) == 0;
}

static inline void unit_touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static inline uint64_t unit_stat(struct unit_pool *u, enum px_counter c)
{
	return px_stats_get(&u->stats, c);
}

static inline void gate_path(struct unit_pool *u, char ret[200])
{
	snprintf(ret, 200, "%s/gate", u->top);
}

/* Submits a job with a source of `n` bytes, which keeps its worker busy until
 * open_gate(). */
static inline struct unit_job *shut_gate_of(struct unit_pool *u, size_t n)
{
	char path[200], name[250];
	PX_AUTOFREE char *source = calloc(1, n + 1);

	assert_non_null(source);
	memset(source, 'g', n);
	gate_path(u, path);
	snprintf(name, sizeof(name), "wait %s", path);
	return unit_submit(u, name, source);
}

/* The same, with a source so large that the pool sends its worker no other job
 * before it has ended. */
static inline struct unit_job *shut_gate(struct unit_pool *u)
{
	return shut_gate_of(u, 64u << 10);
}

static inline void open_gate(struct unit_pool *u)
{
	char path[200];

	gate_path(u, path);
	unit_touch(path);
}

static inline void gate_unlink(struct unit_pool *u)
{
	char path[200];

	gate_path(u, path);
	assert_int_equal(unlink(path), 0);
}

#define POOL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, unit_pool_setup, unit_pool_teardown)

#endif
