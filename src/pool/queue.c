/* SPDX-License-Identifier: MIT */
#include "queue.h"

void px_job_free(struct px_job *job)
{
	px_buf_fini(&job->frame);
	free(job);
}

void px_job_complete(struct px_job *job, int err, struct px_blob *result)
{
	job->done(job->arg, err, result);
	px_job_free(job);
}

static struct px_job_list *list_of(struct px_queue *q, const struct px_job *job)
{
	return job->ahead ? &q->ahead : &q->waited;
}

static void append(struct px_job_list *l, struct px_job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
	l->n++;
}

/* Takes *at, a link of `l`, out of it. NULL: that is the end. */
static struct px_job *take(struct px_job_list *l, struct px_job **at)
{
	struct px_job *job = *at;

	if (!job)
		return NULL;
	*at = job->next;
	if (!*at)
		l->tail = at;
	l->n--;
	return job;
}

void px_queue_init(struct px_queue *q)
{
	*q = (struct px_queue){.next_id = 1};
	q->waited.tail = &q->waited.head;
	q->ahead.tail = &q->ahead.head;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->room, NULL);
}

void px_queue_fini(struct px_queue *q)
{
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->room);
}

uint64_t px_queue_new_id(struct px_queue *q)
{
	uint64_t id;

	pthread_mutex_lock(&q->lock);
	id = q->next_id++;
	pthread_mutex_unlock(&q->lock);
	return id;
}

int px_queue_push(struct px_queue *q, struct px_job *job)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	closed = q->closed;
	if (!closed)
		append(list_of(q, job), job);
	pthread_mutex_unlock(&q->lock);
	return closed ? -ECANCELED : 0;
}

void px_queue_push_front(struct px_queue *q, struct px_job *job)
{
	struct px_job_list *l = list_of(q, job);

	pthread_mutex_lock(&q->lock);
	job->next = l->head;
	l->head = job;
	if (!job->next)
		l->tail = &job->next;
	l->n++;
	pthread_mutex_unlock(&q->lock);
}

static bool is_among(uint64_t group, const uint64_t *groups, unsigned n)
{
	while (n > 0 && groups[n - 1] != group)
		n--;
	return n > 0;
}

/* The first job whose group is among these, or is not. */
static struct px_job *take_among(struct px_job_list *l, const uint64_t *groups,
				 unsigned n, bool among)
{
	struct px_job **at = &l->head;

	while (*at && is_among((*at)->group, groups, n) != among)
		at = &(*at)->next;
	return take(l, at);
}

static struct px_job *pop_among(struct px_queue *q, const uint64_t *groups,
				unsigned n, bool among)
{
	struct px_job *job;

	pthread_mutex_lock(&q->lock);
	job = take_among(&q->waited, groups, n, among);
	if (!job) {
		job = take_among(&q->ahead, groups, n, among);
		if (job)
			pthread_cond_broadcast(&q->room);
	}
	pthread_mutex_unlock(&q->lock);
	return job;
}

struct px_job *px_queue_pop(struct px_queue *q)
{
	return pop_among(q, NULL, 0, false);
}

struct px_job *px_queue_pop_group(struct px_queue *q, uint64_t group)
{
	return pop_among(q, &group, 1, true);
}

struct px_job *px_queue_pop_other(struct px_queue *q, const uint64_t *groups,
				  unsigned n)
{
	return pop_among(q, groups, n, false);
}

unsigned px_queue_count(struct px_queue *q)
{
	unsigned n;

	pthread_mutex_lock(&q->lock);
	n = q->waited.n + q->ahead.n;
	pthread_mutex_unlock(&q->lock);
	return n;
}

void px_queue_promote(struct px_queue *q, uint64_t id)
{
	struct px_job **at;

	pthread_mutex_lock(&q->lock);
	at = &q->ahead.head;
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	if (*at) {
		(*at)->ahead = false;
		append(&q->waited, take(&q->ahead, at));
		pthread_cond_broadcast(&q->room);
	}
	pthread_mutex_unlock(&q->lock);
}

int px_queue_wait_room(struct px_queue *q, unsigned max)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && q->ahead.n >= max)
		pthread_cond_wait(&q->room, &q->lock);
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed ? -ECANCELED : 0;
}

bool px_queue_close(struct px_queue *q)
{
	bool was_open;

	pthread_mutex_lock(&q->lock);
	was_open = !q->closed;
	q->closed = true;
	pthread_cond_broadcast(&q->room);
	pthread_mutex_unlock(&q->lock);
	return was_open;
}

bool px_queue_is_closed(struct px_queue *q)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}
