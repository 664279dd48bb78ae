/* SPDX-License-Identifier: MIT */
#include "scheduler.h"
#include "state.h"

#include <poll.h>
#include <sys/eventfd.h>

/* Jobs that may be queued ahead, per worker: enough that none is idle while
 * whoever compiles ahead reads the next source. */
#define AHEAD_PER_WORKER 4

static void wake(struct px_pool *p)
{
	const uint64_t one = 1;
	ssize_t n = write(p->wake_fd, &one, sizeof(one));

	(void)n; /* if the counter is full, the thread is about to wake up */
}

static void pool_free(struct px_pool *p)
{
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	free(p->workers);
	free(p->fds);
	free(p->groups);
	px_queue_fini(&p->queue);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->is_ready);
	free(p);
}

int px_pool_ready(struct px_pool *p, struct px_why *why)
{
	int r;

	pthread_mutex_lock(&p->lock);
	while (!p->ready)
		pthread_cond_wait(&p->is_ready, &p->lock);
	r = p->start_error;
	if (why)
		*why = p->why;
	pthread_mutex_unlock(&p->lock);
	return r;
}

int px_pool_start(const struct px_pool_options *o, struct px_pool **ret,
		  struct px_why *why)
{
	struct px_pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return px_because(why, -ENOMEM, "out of memory");
	p->o = *o;
	p->in_interpreter = o->in_interpreter || !o->python->libpython;
	px_queue_init(&p->queue);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->is_ready, NULL);
	p->workers = calloc(o->n_workers, sizeof(*p->workers));
	p->fds = calloc(o->n_workers + 1, sizeof(*p->fds));
	p->groups = calloc(o->n_workers, sizeof(*p->groups));
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!p->workers || !p->fds || !p->groups || p->wake_fd < 0) {
		pool_free(p);
		return px_because(why, -ENOMEM, "out of memory");
	}
	r = px_thread_start(&p->thread, px_pool_main, p);
	if (r < 0) {
		pool_free(p);
		return px_because(why, r, "cannot start a thread: %s",
				  strerror(-r));
	}
	r = o->start_async ? 0 : px_pool_ready(p, why);
	if (r < 0) {
		px_pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

bool px_pool_is_sandboxed(struct px_pool *p)
{
	bool sandboxed;

	pthread_mutex_lock(&p->lock);
	sandboxed = p->sandboxed;
	pthread_mutex_unlock(&p->lock);
	return sandboxed;
}

bool px_pool_is_in_interpreter(struct px_pool *p)
{
	bool in_interpreter;

	pthread_mutex_lock(&p->lock);
	in_interpreter = p->in_interpreter;
	pthread_mutex_unlock(&p->lock);
	return in_interpreter;
}

int px_pool_submit(struct px_pool *p, const struct px_frame_compile *task,
		   enum px_priority priority, px_pool_done done, void *arg,
		   uint64_t *ret_id)
{
	struct px_frame_compile t = *task;
	struct px_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	t.id = px_queue_new_id(&p->queue);
	job->id = t.id;
	job->group = t.group;
	job->done = done;
	job->arg = arg;
	job->ahead = priority == PX_PRIORITY_AHEAD;
	job->frame.max = (size_t)PX_FRAME_MAX + PX_FRAME_HEADER_SIZE;
	r = px_frame_put_compile(&job->frame, &t);
	/* The result may come before this returns. */
	if (r == 0 && ret_id)
		*ret_id = t.id;
	if (r == 0)
		r = px_queue_push(&p->queue, job);
	if (r < 0) {
		px_job_free(job);
		return r;
	}
	wake(p);
	return 0;
}

void px_pool_promote(struct px_pool *p, uint64_t id)
{
	px_queue_promote(&p->queue, id);
}

int px_pool_wait_room(struct px_pool *p)
{
	return px_queue_wait_room(&p->queue, AHEAD_PER_WORKER * p->o.n_workers);
}

void px_pool_stop(struct px_pool *p)
{
	if (!p || !px_queue_close(&p->queue))
		return;
	wake(p);
	pthread_join(p->thread, NULL);
}

void px_pool_free(struct px_pool *p)
{
	if (!p)
		return;
	px_pool_stop(p);
	pool_free(p);
}
