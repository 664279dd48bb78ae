/* SPDX-License-Identifier: MIT */
/*
 * The pool's thread: gives jobs to workers, starts workers as there is work for
 * them, and waits for what happens next.
 */
#include "scheduler.h"
#include "answer.h"
#include "start.h"

#include <poll.h>

/* A worker whose jobs' frames have so many bytes together has enough to do for
 * some milliseconds. */
#define ENOUGH_BYTES (32u << 10)
/* When a module has taken so long, the jobs behind it go to other workers. */
#define PATIENCE_MS 100
/* Longest wait for the next event. */
#define MAX_WAIT_MS 60000
/* Between two tries where poll(2) does not work. */
#define NO_POLL_MS 20

static void give(struct px_pool *p, struct px_worker *w, struct px_job *job)
{
	int r;

	px_worker_give(w, job);
	if (w->state == PX_WORKER_IDLE) {
		w->state = PX_WORKER_BUSY;
		px_worker_begin(w, p->o.timeout_ms);
	}
	r = px_worker_send(w);
	if (r < 0)
		px_answer_lost(p, w, r);
}

static bool is_running(const struct px_worker *w)
{
	return w->state == PX_WORKER_IDLE || w->state == PX_WORKER_BUSY;
}

/* The worker that gets the next job: an idle one or, if all that there may be
 * are running and busy, one that will soon be done. NULL: none of them. */
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
	    found->n_slots == PX_WORKER_JOBS ||
	    px_now_ms() - found->begun_ms >= PATIENCE_MS)
		return NULL;
	return found;
}

/* Whether this worker will soon be done with what it has. */
static bool takes_more(const struct px_worker *w)
{
	return is_running(w) && !w->is_worn &&
	       (w->state == PX_WORKER_IDLE ||
		(w->n_bytes < ENOUGH_BYTES && w->n_slots < PX_WORKER_JOBS &&
		 px_now_ms() - w->begun_ms < PATIENCE_MS));
}

/* The next job for a worker that may have jobs of one group only. */
static struct px_job *next_of_group(struct px_pool *p, struct px_worker *w)
{
	struct px_job *job;

	unsigned n = 0;

	if (w->group != 0)
		return px_queue_pop_group(&p->queue, w->group);
	/* Rather a group that no other worker has: fewer are started then. */
	for (unsigned i = 0; i < p->o.n_workers; i++)
		if (is_running(&p->workers[i]) && p->workers[i].group != 0)
			p->groups[n++] = p->workers[i].group;
	job = px_queue_pop_other(&p->queue, p->groups, n);
	if (!job)
		job = px_queue_pop(&p->queue);
	if (job)
		w->group = job->group;
	return job;
}

/* As dispatch does it, but no worker gets jobs of two groups. One that is idle
 * while jobs of other groups wait ends, and another is started. */
static void give_by_group(struct px_pool *p)
{
	for (unsigned i = 0; i < p->o.n_workers; i++) {
		struct px_worker *w = &p->workers[i];
		struct px_job *job = NULL;

		while (takes_more(w) && (job = next_of_group(p, w)))
			give(p, w, job);
		if (w->state == PX_WORKER_IDLE && w->group != 0 &&
		    px_queue_count(&p->queue) > 0)
			px_worker_kill(w, NULL);
	}
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
	if (p->o.isolate)
		give_by_group(p);
	else
		while ((w = least_busy(p)) && (job = px_queue_pop(&p->queue)))
			give(p, w, job);
	for (i = 0; i < p->o.n_workers; i++)
		starting += p->workers[i].state == PX_WORKER_STARTING;
	left = px_queue_count(&p->queue);
	if (px_start_is_hopeless(p)) {
		px_start_fail_queued(p);
		return;
	}
	for (i = 0; i < p->o.n_workers && starting < left && px_start_is_due(p);
	     i++) {
		if (p->workers[i].state == PX_WORKER_NONE) {
			px_start_worker(p, &p->workers[i]);
			starting++;
		}
	}
}

/* When the jobs behind the first one go to other workers. */
static int64_t patience_ends(const struct px_worker *w)
{
	return px_worker_has_behind(w) ? w->begun_ms + PATIENCE_MS : INT64_MAX;
}

/* Milliseconds until something is due; -1: nothing is. */
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
	/* A start for what is queued failed and is tried again. */
	if (can_start && p->retry_ms > now && p->retry_ms < next &&
	    px_queue_count(&p->queue) > 0)
		next = p->retry_ms;
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0
			   : (int)(next - now < MAX_WAIT_MS ? next - now
							    : MAX_WAIT_MS);
}

/* Waits for events, in fds[0] of p->wake_fd and in fds[1 + i] of worker i. */
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
		if (px_worker_is_sending(w))
			fds[1 + i].events |= POLLOUT;
		if (is_there)
			n_fds = 2 + i;
	}
	if (poll(fds, n_fds, poll_timeout(p)) < 0 && errno != EINTR) {
		/* EINVAL: there are more descriptors here than RLIMIT_NOFILE
		 * allows. No descriptor blocks, so all can be tried. */
		usleep(NO_POLL_MS * 1000);
		for (i = 0; i < n_fds; i++)
			fds[i].revents = fds[i].events;
	}
	if (fds[0].revents & POLLIN) {
		n = read(p->wake_fd, &count, sizeof(count));
		(void)n;
	}
}

static void serve_worker(struct px_pool *p, struct px_worker *w, short events)
{
	int r = 0;

	if (w->state == PX_WORKER_NONE)
		return;
	if (events & POLLOUT)
		r = px_worker_send(w);
	/* A socket whose other end is closed may still have an answer in it. */
	if (events & (POLLIN | POLLHUP | POLLERR))
		r = px_answer_receive(p, w);
	if (r == 0 && px_worker_is_late(w, p->o.timeout_ms))
		r = -ETIMEDOUT;
	if (r < 0)
		px_answer_lost(p, w, r);
	else if (px_now_ms() >= patience_ends(w))
		px_answer_take_back(p, w);
}

static void end_all(struct px_pool *p)
{
	struct px_job *job;
	unsigned i;

	for (i = 0; i < p->o.n_workers; i++) {
		if (p->workers[i].state == PX_WORKER_NONE)
			continue;
		px_worker_kill(&p->workers[i], NULL);
		while (p->workers[i].n_slots > 0)
			if ((job = px_worker_take(&p->workers[i])))
				px_job_complete(job, -ECANCELED, NULL);
	}
	while ((job = px_queue_pop(&p->queue)))
		px_job_complete(job, -ECANCELED, NULL);
}

void *px_pool_main(void *arg)
{
	struct px_pool *p = arg;
	unsigned i;

	px_start_worker(p, &p->workers[0]);
	while (!px_queue_is_closed(&p->queue)) {
		dispatch(p);
		wait_events(p, p->fds);
		for (i = 0; i < p->o.n_workers; i++)
			serve_worker(p, &p->workers[i], p->fds[1 + i].revents);
	}
	px_start_report(p, -ECANCELED, false, "interrupted");
	end_all(p);
	return NULL;
}
