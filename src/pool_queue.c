/* SPDX-License-Identifier: MIT */
#include "pool_i.h"

void px_queue_push(struct px_queue *q, struct px_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
	q->n++;
}

void px_queue_push_front(struct px_queue *q, struct px_job *job)
{
	job->next = q->head;
	q->head = job;
	if (!job->next)
		q->tail = &job->next;
	q->n++;
}

struct px_job *px_queue_take(struct px_queue *q, struct px_job **at)
{
	struct px_job *job = *at;

	if (!job)
		return NULL;
	*at = job->next;
	if (!*at)
		q->tail = at;
	q->n--;
	return job;
}

void px_job_free(struct px_job *job)
{
	px_buf_fini(&job->frame);
	free(job);
}
