/* SPDX-License-Identifier: MIT */
#include "start.h"

#include "pycfs/log.h"

#include <stdio.h>

/* A worker is ready in 10-30 ms; one on a slow disk or an overloaded machine
 * may take long. */
#define START_TIMEOUT_MS 30000
/* Starts that may fail in a row, RETRY_MS apart, before each further one comes
 * after a pause. */
#define START_ATTEMPTS 3
#define RETRY_MS       20
#define START_PAUSE_MS 1000

void px_start_report(struct px_pool *p, int err, bool sandboxed,
		     const char *text)
{
	pthread_mutex_lock(&p->lock);
	if (!p->ready) {
		p->ready = true;
		p->sandboxed = sandboxed;
		p->start_error = err;
		snprintf(p->why.text, sizeof(p->why.text), "%s", text);
		pthread_cond_broadcast(&p->is_ready);
	}
	pthread_mutex_unlock(&p->lock);
}

void px_start_fail_queued(struct px_pool *p)
{
	struct px_job *job;

	while ((job = px_queue_pop(&p->queue)))
		px_job_complete(job, -EIO, NULL);
}

/* Whether a worker runs or starts. */
static bool is_any(const struct px_pool *p)
{
	unsigned i;

	for (i = 0; i < p->o.n_workers; i++)
		if (p->workers[i].state != PX_WORKER_NONE)
			return true;
	return false;
}

/* Whether the next start comes after the longer pause. */
static bool is_pausing(const struct px_pool *p)
{
	return p->start_failures >= START_ATTEMPTS;
}

static void failed(struct px_pool *p, const char *text)
{
	p->start_failures++;
	p->retry_ms = px_now_ms() + (is_pausing(p) ? START_PAUSE_MS : RETRY_MS);
	if (is_any(p)) {
		if (p->start_failures == START_ATTEMPTS)
			px_log(PX_LOG_WARNING,
			       "fewer compile workers than asked for: %s",
			       text);
		return;
	}
	px_start_report(p, -EIO, false, text);
	/* If this was the first worker, px_pool_ready has the error, and the
	 * pool will not be used. */
	if (p->start_error < 0 || !is_pausing(p))
		return;
	px_log(PX_LOG_ERROR, "no compile worker starts: %s", text);
	px_start_fail_queued(p);
}

static void could_not_start(const struct px_pool *p, int err,
			    struct px_why *why)
{
	const char *file =
		p->in_interpreter ? p->o.python->interpreter : p->o.compiler;

	if (err == -ELIBACC)
		px_because(why, err,
			   "pycfs-compiler.so is missing beside %s: install "
			   "pycfs again",
			   p->o.compiler);
	/* The kernel says -ENOENT also if the program is there and its
	 * loader is not. */
	else if (err == -ENOENT && access(file, X_OK) == 0)
		px_because(why, err,
			   "cannot start %s: the loader that it names is "
			   "missing: this pycfs is for systems with another C "
			   "library (glibc, musl)",
			   file);
	else
		px_because(why, err, "cannot start %s: %s", file,
			   strerror(-err));
}

void px_start_worker(struct px_pool *p, struct px_worker *w)
{
	struct px_why why;
	int r = px_worker_spawn(w, &p->o, p->in_interpreter);

	if (r < 0) {
		could_not_start(p, r, &why);
		failed(p, why.text);
		return;
	}
	w->deadline_ms = px_now_ms() + START_TIMEOUT_MS;
	px_stats_add(p->o.stats, PX_COUNT_spawned, 1);
}

/* glibc's loader (2.36, elf/dl-version.c): version `X' not found. */
static bool is_too_new(const char *said)
{
	return strstr(said, "version `GLIBC_") != NULL;
}

/* Why worker `w` did not start. */
static void explain(const struct px_pool *p, const struct px_worker *w,
		    const char *said, struct px_why *why)
{
	const struct px_python *py = p->o.python;
	const unsigned major = py->hexversion >> 24;
	const unsigned minor = py->hexversion >> 16 & 255;

	if (is_too_new(said))
		px_because(why, 0,
			   "the compile worker %s: the glibc of this system is "
			   "too old for it",
			   said);
	/* CPython 3.8 to 3.15, Python/initconfig.c, of an option that it does
	 * not know: the worker's main function did not run. */
	else if (w->in_interpreter && strstr(said, "python -h"))
		px_because(why, 0,
			   "the compile worker ran as an ordinary Python: %s "
			   "cannot load pycfs-compiler.so from beside %s "
			   "(--worker libpython does without it)",
			   py->interpreter, p->o.compiler);
	else if (w->in_interpreter)
		px_because(why, 0,
			   "the compile worker in %s %s (with the package "
			   "libpython%u.%u, --worker libpython does without "
			   "that program)",
			   py->interpreter, said, major, minor);
	else
		px_because(why, 0,
			   "the compile worker %s: is the package "
			   "libpython%u.%u whole?",
			   said, major, minor);
}

bool px_start_otherwise(struct px_pool *p, const struct px_worker *w,
			const char *why)
{
	const struct px_python *py = p->o.python;

	if (w->in_interpreter != p->in_interpreter)
		return true;
	if (p->ready || w->in_interpreter || !py->interpreter)
		return false;
	pthread_mutex_lock(&p->lock);
	p->in_interpreter = true;
	pthread_mutex_unlock(&p->lock);
	px_log(PX_LOG_WARNING, "compile workers run in %s instead: %s",
	       py->interpreter, why);
	return true;
}

void px_start_lost(struct px_pool *p, struct px_worker *w, const char *said)
{
	struct px_why why;

	explain(p, w, said, &why);
	/* pycfs-compiler.so needs the same glibc. */
	if (is_too_new(said) || !px_start_otherwise(p, w, why.text))
		failed(p, why.text);
	else
		px_start_worker(p, w);
}

void px_start_succeeded(struct px_pool *p)
{
	p->start_failures = 0;
}

bool px_start_is_due(const struct px_pool *p)
{
	return px_now_ms() >= p->retry_ms;
}

bool px_start_is_hopeless(const struct px_pool *p)
{
	return p->start_error < 0 ||
	       (is_pausing(p) && !px_start_is_due(p) && !is_any(p));
}
