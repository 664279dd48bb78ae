/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_QUEUE_H
#define PX_POOL_QUEUE_H
/*
 * The jobs that no worker has. Those that somebody waits for come before those
 * that are compiled ahead; apart from that, first come, first served.
 *
 * Threads: any; the queue has a lock of its own.
 */

#include "pycfs/pool.h"

#include <pthread.h>

struct px_job {
	struct px_job *next;
	uint64_t id;
	struct px_buf frame; /* the compile frame, ready to send */
	px_pool_done done;
	void *arg;
	uint64_t group;	   /* as px_frame_compile has it */
	unsigned n_deaths; /* workers that died while they compiled it */
	bool ahead;	   /* nobody waits for it yet */
};

void px_job_free(struct px_job *job);
/* Calls `done` and frees the job. */
void px_job_complete(struct px_job *job, int err, struct px_blob *result);

struct px_job_list {
	struct px_job *head;
	struct px_job **tail;
	unsigned n;
};

struct px_queue {
	pthread_mutex_t lock; /* for all that follows */
	pthread_cond_t room;  /* fewer are ahead, or it is closed */
	struct px_job_list waited;
	struct px_job_list ahead;
	uint64_t next_id;
	bool closed;
};

void px_queue_init(struct px_queue *q);
void px_queue_fini(struct px_queue *q); /* it must be empty */

/* An id for one job; never 0. */
uint64_t px_queue_new_id(struct px_queue *q);

/* Takes the job over. -ECANCELED: the queue is closed, and the job still is the
 * caller's. */
int px_queue_push(struct px_queue *q, struct px_job *job);
/* Puts a job back that was popped before, even if the queue is closed: it is
 * the next of its kind. */
void px_queue_push_front(struct px_queue *q, struct px_job *job);
/* The next job, which is the caller's; NULL: there is none. */
struct px_job *px_queue_pop(struct px_queue *q);
/* The next job of this group, or NULL. */
struct px_job *px_queue_pop_group(struct px_queue *q, uint64_t group);
/* The next job of none of these `n` groups, or NULL. */
struct px_job *px_queue_pop_other(struct px_queue *q, const uint64_t *groups,
				  unsigned n);
unsigned px_queue_count(struct px_queue *q);

/* Moves job `id`, if it is queued ahead, behind those that are waited for. */
void px_queue_promote(struct px_queue *q, uint64_t id);
/* Blocks until fewer than `max` jobs are queued ahead. -ECANCELED: closed. */
int px_queue_wait_room(struct px_queue *q, unsigned max);

/* Refuses further jobs and ends all waits. False: it was closed already. */
bool px_queue_close(struct px_queue *q);
bool px_queue_is_closed(struct px_queue *q);

#endif
