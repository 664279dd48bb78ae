/* SPDX-License-Identifier: MIT */
/* The thread of a pool: workers, deadlines, completions. */
#include "pool_i.h"

#include "pycfs/log.h"

#include <poll.h>
#include <stdio.h>

/* A worker is ready in 10-30 ms; one whose disk is slow or whose machine is
 * overloaded may take long. */
#define START_TIMEOUT_MS 30000
/* Starts that may fail in a row before there is a pause; if no worker is left,
 * jobs fail meanwhile. */
#define START_ATTEMPTS 3
#define RETRY_MS       20
#define START_PAUSE_MS 1000
/* Workers that may die of one module before it is given up. */
#define MAX_TRIES 2
/* A worker with so many bytes of frames has enough for some milliseconds. */
#define ENOUGH_BYTES (32u << 10)
/* When what waits behind a module that takes longer goes to another worker. */
#define PATIENCE_MS 100
/* A worker that gets less than one part in so many of a CPU is stuck. */
#define STARVED 50

static void complete(struct px_job *job, int err, struct px_blob *result)
{
	job->done(job->arg, err, result);
	px_job_free(job);
}

static void complete_failed(struct px_pool *p, struct px_job *job,
			    const char *text)
{
	struct px_blob *blob =
		px_blob_new(PX_BLOB_FAILED, 0, 0, text, strlen(text));

	px_stats_add(p->o.stats, PX_COUNT_rejected, 1);
	complete(job, blob ? 0 : -ENOMEM, blob);
	px_blob_unref(blob);
}

static struct px_job *next_job(struct px_pool *p)
{
	struct px_job *job;

	pthread_mutex_lock(&p->lock);
	job = px_queue_take(&p->waited, &p->waited.head);
	if (!job) {
		job = px_queue_take(&p->ahead, &p->ahead.head);
		if (job)
			pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static unsigned queued(struct px_pool *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->waited.n + p->ahead.n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static bool stopping(struct px_pool *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

/* Tells px_pool_ready how the first worker fared; later calls do nothing. */
static void report_start(struct px_pool *p, int err, bool sandboxed,
			 const char *text)
{
	pthread_mutex_lock(&p->lock);
	if (!p->ready) {
		p->ready = true;
		p->sandboxed = sandboxed;
		p->start_error = err;
		snprintf(p->why.text, sizeof(p->why.text), "%s", text);
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
}

static void fail_queued(struct px_pool *p)
{
	struct px_job *job;

	while ((job = next_job(p)))
		complete(job, -EIO, NULL);
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

/* Whether to wait longer before the next start. */
static bool is_pausing(const struct px_pool *p)
{
	return p->start_failures >= START_ATTEMPTS;
}

/* A limit on processes or memory looks like this, too: who runs or starts goes
 * on, and nothing fails as long as there is one. */
static void start_failed(struct px_pool *p, const char *text)
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
	report_start(p, -EIO, false, text);
	/* The first one: who started the pool is told, and will not use it. */
	if (p->start_error < 0 || !is_pausing(p))
		return;
	px_log(PX_LOG_ERROR, "no compile worker starts: %s", text);
	fail_queued(p);
}

static void spawn(struct px_pool *p, struct px_worker *w)
{
	struct px_why why;
	int r = px_worker_spawn(w, &p->o);

	if (r < 0) {
		/* The kernel says the same of a program that is not there and
		 * of one whose loader is not. */
		px_because(&why, r, "cannot start %s: %s", p->o.compiler,
			   r == -ENOENT && access(p->o.compiler, X_OK) == 0
				   ? "the loader that it names is missing: "
				     "it needs a system with glibc"
				   : strerror(-r));
		start_failed(p, why.text);
		return;
	}
	w->deadline_ms = px_now_ms() + START_TIMEOUT_MS;
	px_stats_add(p->o.stats, PX_COUNT_spawned, 1);
}

static void requeue(struct px_pool *p, struct px_job *job)
{
	pthread_mutex_lock(&p->lock);
	px_queue_push_front(job->ahead ? &p->ahead : &p->waited, job);
	pthread_mutex_unlock(&p->lock);
}

/* What waits behind the worker's first job goes back to the queues. */
static void take_back(struct px_pool *p, struct px_worker *w)
{
	struct px_job *job;

	while ((job = px_worker_take_back(w)))
		requeue(p, job);
}

/* Kills it and says why it had to go, in words that follow "the worker". */
static void end_worker(struct px_worker *w, int err, struct px_why *why)
{
	px_worker_kill(w, why);
	if (err == -ETIMEDOUT)
		px_because(why, 0, "does not get ready");
	else if (err == -EBADMSG)
		px_because(why, 0, "sent what is no answer");
	else if (err != -EPIPE && err != -ECONNRESET)
		px_because(why, 0, "is lost: %s", strerror(-err));
}

/* Why the worker did not start, from what it said itself. */
static void explain_start(const struct px_pool *p, const char *said,
			  struct px_why *why)
{
	/* glibc's loader (2.36, elf/dl-version.c): version `X' not found. */
	if (strstr(said, "version `GLIBC_"))
		px_because(why, 0,
			   "the compile worker %s: the glibc of this system is "
			   "too old for it",
			   said);
	else
		px_because(why, 0,
			   "the compile worker %s: is the package "
			   "libpython%u.%u whole?",
			   said, p->o.python->hexversion >> 24,
			   p->o.python->hexversion >> 16 & 255);
}

/* The worker is gone or must go, for `err`; its job, if any, is tried again or
 * failed. Those behind it had no part in that. */
static void lose(struct px_pool *p, struct px_worker *w, int err)
{
	const enum px_worker_state state = w->state;
	struct px_job *job;
	struct px_why why, text;

	end_worker(w, err, &why);
	w->sent = 0;
	take_back(p, w);
	job = px_worker_take(w);
	/* To say hello is not enough: such a one would be started for ever. */
	if (state == PX_WORKER_STARTING ||
	    (state == PX_WORKER_IDLE && !w->proven)) {
		explain_start(p, why.text, &text);
		start_failed(p, text.text);
		return;
	}
	if (!job && state == PX_WORKER_BUSY)
		return;
	if (!job) {
		px_log(PX_LOG_WARNING, "an idle compile worker was lost: %s",
		       why.text);
		return;
	}
	if (err == -ETIMEDOUT) {
		px_stats_add(p->o.stats, PX_COUNT_timeouts, 1);
		px_because(&text, 0,
			   "did not compile within %u.%03u seconds "
			   "of CPU time (see --timeout)",
			   p->o.timeout_ms / 1000, p->o.timeout_ms % 1000);
		complete_failed(p, job, text.text);
		return;
	}
	px_stats_add(p->o.stats, PX_COUNT_crashes, 1);
	if (++job->tries < MAX_TRIES) {
		requeue(p, job);
		return;
	}
	px_because(&text, 0, "the compiler died of it twice: %s", why.text);
	complete_failed(p, job, text.text);
}

static int hello(struct px_pool *p, struct px_worker *w,
		 const struct px_str *payload)
{
	const struct px_python *want = p->o.python;
	struct px_frame_hello h;
	int r = px_frame_get_hello(payload->data, payload->size, &h);
	struct px_why why;

	if (r < 0 || w->state != PX_WORKER_STARTING)
		return -EBADMSG;
	if (h.protocol != PX_FRAME_PROTOCOL) {
		report_start(p, -EPROTO, false,
			     "pycfs-compiler is of another version "
			     "than pycfs: install both again");
		return -EPROTO;
	}
	if (h.magic != want->magic || h.hexversion != want->hexversion) {
		px_because(&why, 0,
			   "%s is Python %u.%u.%u, not the "
			   "interpreter's version: install the libpython that "
			   "belongs to it",
			   want->libpython, h.hexversion >> 24,
			   h.hexversion >> 16 & 255, h.hexversion >> 8 & 255);
		report_start(p, -ELIBBAD, false, why.text);
		return -ELIBBAD;
	}
	if (!h.sandboxed && p->o.require_sandbox) {
		report_start(p, -EPERM, false,
			     "the kernel, or what contains us, lets no seccomp "
			     "filter be set, so compile workers cannot be "
			     "sandboxed (without --require-sandbox they run "
			     "all the same)");
		return -EPERM;
	}
	w->state = PX_WORKER_IDLE;
	w->deadline_ms = 0;
	report_start(p, 0, h.sandboxed, "");
	return 0;
}

/* It compiles the first of what it was given from now on. */
static void begin(const struct px_pool *p, struct px_worker *w)
{
	w->begun_ms = px_now_ms();
	w->deadline_ms = p->o.timeout_ms ? w->begun_ms + p->o.timeout_ms : 0;
	w->cpu_start_ms = w->cpu_seen_ms = px_worker_cpu_ms(w);
	w->is_worn = p->o.timeout_ms > 0 && w->cpu_start_ms / p->o.timeout_ms >=
						    PX_WORKER_DEADLINES / 2;
}

/* It has answered the first; NULL: that was taken back. */
static struct px_job *end(struct px_pool *p, struct px_worker *w)
{
	struct px_job *job = px_worker_take(w);

	if (w->n_given > 0) {
		begin(p, w);
	} else {
		w->state = PX_WORKER_IDLE;
		w->deadline_ms = 0;
	}
	return job;
}

static int result(struct px_pool *p, struct px_worker *w,
		  const struct px_str *payload)
{
	static const enum px_blob_kind kinds[] = {
		[PX_FRAME_CODE] = PX_BLOB_CODE,
		[PX_FRAME_PLAIN] = PX_BLOB_CODE,
		[PX_FRAME_REJECTED] = PX_BLOB_REJECTED,
		[PX_FRAME_FAILED] = PX_BLOB_FAILED,
	};
	struct px_frame_result res;
	struct px_job *job;
	struct px_blob *blob;
	int r = px_frame_get_result(payload->data, payload->size, &res);

	if (r < 0 || w->n_sent == 0 || res.id != w->given[0].id)
		return -EBADMSG;
	if (!w->proven) {
		w->proven = true;
		p->start_failures = 0;
	}
	job = end(p, w);
	if (!job)
		return 0;
	blob = px_blob_new(kinds[res.status], res.line, res.column,
			   res.data.data, res.data.size);
	px_stats_add(p->o.stats, PX_COUNT_compiled, 1);
	px_stats_add(p->o.stats, PX_COUNT_ahead, job->ahead);
	px_stats_add(p->o.stats, PX_COUNT_compiled_bytes, job->frame.size);
	px_stats_add(p->o.stats, PX_COUNT_plain, res.status == PX_FRAME_PLAIN);
	if (blob && blob->kind != PX_BLOB_CODE)
		px_stats_add(p->o.stats, PX_COUNT_rejected, 1);
	complete(job, blob ? 0 : -ENOMEM, blob);
	px_blob_unref(blob);
	return 0;
}

static int receive(struct px_pool *p, struct px_worker *w)
{
	enum px_frame_type type;
	struct px_str payload;
	int r;

	while ((r = px_worker_receive(w, &type, &payload)) > 0) {
		if (type == PX_FRAME_HELLO)
			r = hello(p, w, &payload);
		else if (type == PX_FRAME_RESULT)
			r = result(p, w, &payload);
		else
			r = -EBADMSG;
		if (r < 0)
			return r;
		px_worker_consume(w, &payload);
	}
	return r;
}

static void give(struct px_pool *p, struct px_worker *w, struct px_job *job)
{
	int r;

	px_worker_give(w, job);
	if (w->state == PX_WORKER_IDLE) {
		w->state = PX_WORKER_BUSY;
		begin(p, w);
	}
	r = px_worker_send(w);
	if (r < 0)
		lose(p, w, r);
}

static bool is_running(const struct px_worker *w)
{
	return w->state == PX_WORKER_IDLE || w->state == PX_WORKER_BUSY;
}

/* The worker that gets the next job: an idle one, or if all run and are busy,
 * one that will soon be through. NULL: none of them. */
static struct px_worker *least_busy(struct px_pool *p)
{
	struct px_worker *found = NULL;
	unsigned i, n_running = 0;

	for (i = 0; i < p->o.n_workers; i++) {
		struct px_worker *w = &p->workers[i];

		if (!is_running(w) || w->is_worn)
			continue;
		n_running++;
		if (!found || w->n_bytes < found->n_bytes)
			found = w;
	}
	if (!found || found->state == PX_WORKER_IDLE)
		return found;
	if (n_running < p->o.n_workers || found->n_bytes >= ENOUGH_BYTES ||
	    found->n_given == PX_WORKER_JOBS ||
	    px_now_ms() - found->begun_ms >= PATIENCE_MS)
		return NULL;
	return found;
}

/* Gives jobs to workers and starts workers for the rest. */
static void dispatch(struct px_pool *p)
{
	unsigned i, starting = 0, left;
	struct px_worker *w;
	struct px_job *job;

	for (i = 0; i < p->o.n_workers; i++) {
		w = &p->workers[i];
		if (w->state == PX_WORKER_IDLE && w->is_worn)
			px_worker_kill(w, NULL);
	}
	while ((w = least_busy(p)) && (job = next_job(p)))
		give(p, w, job);
	for (i = 0; i < p->o.n_workers; i++)
		starting += p->workers[i].state == PX_WORKER_STARTING;
	left = queued(p);
	if (p->start_error < 0 ||
	    (is_pausing(p) && px_now_ms() < p->retry_ms && !is_any(p))) {
		fail_queued(p);
		return;
	}
	for (i = 0; i < p->o.n_workers && starting < left &&
		    px_now_ms() >= p->retry_ms;
	     i++) {
		if (p->workers[i].state == PX_WORKER_NONE) {
			spawn(p, &p->workers[i]);
			starting++;
		}
	}
}

static int64_t patience_ends(const struct px_worker *w)
{
	return px_worker_has_behind(w) ? w->begun_ms + PATIENCE_MS : INT64_MAX;
}

static int poll_timeout(struct px_pool *p)
{
	int64_t next = INT64_MAX, now = px_now_ms();
	bool can_start = false;
	unsigned i;

	for (i = 0; i < p->o.n_workers; i++) {
		const struct px_worker *w = &p->workers[i];

		can_start |= w->state == PX_WORKER_NONE;
		if (patience_ends(w) < next)
			next = patience_ends(w);
		if (w->state != PX_WORKER_NONE && w->deadline_ms != 0 &&
		    w->deadline_ms < next)
			next = w->deadline_ms;
	}
	/* A worker could not be started for what is queued. */
	if (can_start && p->retry_ms > now && p->retry_ms < next &&
	    queued(p) > 0)
		next = p->retry_ms;
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : (int)(next - now < 60000 ? next - now : 60000);
}

/* fds[0] is the one that wakes us, fds[1 + i] worker i's. */
static void wait_events(struct px_pool *p, struct pollfd *fds)
{
	unsigned i, n_fds = 1;
	uint64_t count;
	ssize_t n;

	fds[0] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
	for (i = 0; i < p->o.n_workers; i++) {
		const struct px_worker *w = &p->workers[i];
		const bool is_there = w->state != PX_WORKER_NONE;

		fds[1 + i] = (struct pollfd){
			.fd = is_there ? w->fd : -1,
			.events = POLLIN,
		};
		if (px_worker_sending(w))
			fds[1 + i].events |= POLLOUT;
		if (is_there)
			n_fds = 2 + i;
	}
	if (poll(fds, n_fds, poll_timeout(p)) < 0 && errno != EINTR) {
		/* EINVAL: RLIMIT_NOFILE is less than we have. None of them
		 * blocks, so each can be tried. */
		usleep(RETRY_MS * 1000);
		for (i = 0; i < n_fds; i++)
			fds[i].revents = fds[i].events;
	}
	if (fds[0].revents & POLLIN) {
		n = read(p->wake_fd, &count, sizeof(count));
		(void)n;
	}
}

/*
 * A module has its time on the CPU: on a machine that is busy the same one must
 * not fail that compiles elsewhere. But who waits does so for a worker that
 * gets on; one that is stopped or blocked is given up.
 */
static bool is_late(struct px_pool *p, struct px_worker *w)
{
	const int64_t now = px_now_ms();
	int64_t cpu, left;

	if (w->deadline_ms == 0 || now < w->deadline_ms)
		return false;
	if (w->state != PX_WORKER_BUSY)
		return true;
	cpu = px_worker_cpu_ms(w);
	left = p->o.timeout_ms - (cpu - w->cpu_start_ms);
	if (left <= 0 || (cpu - w->cpu_seen_ms) * STARVED < p->o.timeout_ms)
		return true;
	w->cpu_seen_ms = cpu;
	w->deadline_ms = now + left;
	return false;
}

static void serve_worker(struct px_pool *p, struct px_worker *w, short events)
{
	int r = 0;

	if (w->state == PX_WORKER_NONE)
		return;
	if (events & POLLOUT)
		r = px_worker_send(w);
	/* A broken pipe still has an answer or a last word to read. */
	if (events & (POLLIN | POLLHUP | POLLERR))
		r = receive(p, w);
	if (r == 0 && is_late(p, w))
		r = -ETIMEDOUT;
	if (r < 0)
		lose(p, w, r);
	else if (px_now_ms() >= patience_ends(w))
		take_back(p, w);
}

static void end_all(struct px_pool *p)
{
	struct px_job *job;
	unsigned i;

	for (i = 0; i < p->o.n_workers; i++) {
		if (p->workers[i].state == PX_WORKER_NONE)
			continue;
		px_worker_kill(&p->workers[i], NULL);
		while (p->workers[i].n_given > 0)
			if ((job = px_worker_take(&p->workers[i])))
				complete(job, -ECANCELED, NULL);
	}
	while ((job = next_job(p)))
		complete(job, -ECANCELED, NULL);
}

void *px_pool_main(void *arg)
{
	struct px_pool *p = arg;
	unsigned i;

	spawn(p, &p->workers[0]);
	while (!stopping(p)) {
		dispatch(p);
		wait_events(p, p->fds);
		for (i = 0; i < p->o.n_workers; i++)
			serve_worker(p, &p->workers[i], p->fds[1 + i].revents);
	}
	report_start(p, -ECANCELED, false, "interrupted");
	end_all(p);
	return NULL;
}
