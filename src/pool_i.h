/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_I_H
#define PX_POOL_I_H
/*
 * One worker process as its pool sees it, touched by the pool's thread only
 * (pool_thread.c); and the queues, touched under the pool's lock.
 */

#include "pycfs/pool.h"

#include <pthread.h>

struct px_job {
	struct px_job *next;
	uint64_t id;
	struct px_buf frame; /* the compile frame, ready to send */
	px_pool_done done;
	void *arg;
	unsigned tries; /* workers that died of it */
	bool ahead;	/* queued before anybody asked */
};

struct px_queue {
	struct px_job *head;
	struct px_job **tail;
	unsigned n;
};

void px_job_free(struct px_job *job);
void px_queue_push(struct px_queue *q, struct px_job *job);
void px_queue_push_front(struct px_queue *q, struct px_job *job);
/* Unlinks *at, which is a link of `q`; NULL if that is the end. */
struct px_job *px_queue_take(struct px_queue *q, struct px_job **at);

enum px_worker_state {
	PX_WORKER_NONE,	    /* no process */
	PX_WORKER_STARTING, /* has not said hello */
	PX_WORKER_IDLE,
	PX_WORKER_BUSY,
};

/* Most modules are compiled in less time than it takes to hand over the next:
 * a worker has some of those at hand. */
#define PX_WORKER_JOBS 8

/* The kernel ends a worker that has used so many deadlines of CPU time, should
 * its pool not do so. After half of them it is replaced, as the jobs that it
 * then still has may use one each. */
#define PX_WORKER_DEADLINES (2 * (PX_WORKER_JOBS + 2))

struct px_given {
	struct px_job *job; /* NULL: taken back, its answer is for nobody */
	uint64_t id;
	size_t size; /* of its frame's payload */
};

struct px_worker {
	enum px_worker_state state;
	bool proven;  /* it has answered: it starts and works */
	bool is_worn; /* gets no more jobs: see PX_WORKER_DEADLINES */
	pid_t pid;
	int fd;	       /* stream socket, not blocking */
	int stderr_fd; /* what Python says when it dies */
	/* When BUSY, in the order of their answers: the first is compiled now,
	 * the others lie in the socket or are still to be sent. */
	struct px_given given[PX_WORKER_JOBS];
	unsigned n_given;
	unsigned n_sent;     /* of them */
	size_t sent;	     /* bytes of the next one's frame */
	size_t n_bytes;	     /* of the frames of all that were not taken back */
	int64_t begun_ms;    /* when it began with the first */
	int64_t deadline_ms; /* when to look whether it is late; 0: never */
	int64_t cpu_start_ms; /* its CPU time when it began with the first, */
	int64_t cpu_seen_ms;  /* and when it was last looked at */
	struct px_buf in;
};

struct px_pool {
	struct px_pool_options o;
	pthread_t thread;
	int wake_fd;
	struct px_worker *workers;
	struct pollfd *fds; /* wake_fd, then each worker's */
	/* The pool's thread only: */
	unsigned start_failures; /* since a new worker answered */
	int64_t retry_ms;	 /* no worker is started before that */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* ready or room or stopping */
	struct px_queue waited; /* under lock */
	struct px_queue ahead;	/* under lock */
	uint64_t next_id;	/* under lock */
	bool stopping;		/* under lock */
	bool sandboxed;		/* under lock, once ready */
	bool ready;		/* under lock: the first worker is there, or */
	int start_error;   /* under lock: is not, and (set by the thread) */
	struct px_why why; /* under lock: why */
};

/* The thread; `arg` is the pool. */
void *px_pool_main(void *arg);

/* Starts a process in an unused slot. -errno. */
int px_worker_spawn(struct px_worker *w, const struct px_pool_options *o);

/* Kills and reaps; the slot is unused afterwards. `why`, if not NULL, gets how
 * it ended: its signal or status and the last line it wrote. One whose socket
 * says -EPIPE has ended by itself, and that is how. */
void px_worker_kill(struct px_worker *w, struct px_why *why);

/* CPU time it has used so far, or 0. */
int64_t px_worker_cpu_ms(const struct px_worker *w);

/* One more job; there must be room for it. */
void px_worker_give(struct px_worker *w, struct px_job *job);
/* Removes the first; NULL if it was taken back, or there is none. */
struct px_job *px_worker_take(struct px_worker *w);
/* Whether there is one behind the first that can be had back, and the last such
 * one, or NULL. If the worker was sent it, its answer is for nobody. */
bool px_worker_has_behind(const struct px_worker *w);
struct px_job *px_worker_take_back(struct px_worker *w);

/* Sends what the socket takes of the frames. -errno. */
int px_worker_send(struct px_worker *w);
bool px_worker_sending(const struct px_worker *w);

/* Reads what is there; a frame longer than may come now is -EBADMSG before
 * there is memory for it. 1 with a whole frame in *ret_type and its payload (in
 * w->in until px_worker_consume), 0 not yet, -errno: the worker is lost. */
int px_worker_receive(struct px_worker *w, enum px_frame_type *ret_type,
		      struct px_str *ret_payload);
void px_worker_consume(struct px_worker *w, const struct px_str *payload);

#endif
