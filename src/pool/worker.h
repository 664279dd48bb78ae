/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_WORKER_H
#define PX_POOL_WORKER_H
/*
 * One worker process: its life, the jobs that it has, and the bytes that go to
 * it and come back.
 *
 * Threads: the pool's only. Nothing here blocks but px_worker_kill, which waits
 * for the process to end.
 */

#include "queue.h"

enum px_worker_state {
	PX_WORKER_NONE,	    /* no process */
	PX_WORKER_STARTING, /* its hello has not come yet */
	PX_WORKER_IDLE,
	PX_WORKER_BUSY,
};

/* Most modules are compiled in less time than it takes to hand over the next
 * one, so a worker has up to so many jobs at once. */
#define PX_WORKER_JOBS 8

/* The kernel ends a worker that has used so many times `timeout_ms` of CPU
 * time, should its pool not do so. After half of them it gets no more jobs, as
 * each of those that it still has may use one. */
#define PX_WORKER_DEADLINES (2 * (PX_WORKER_JOBS + 2))

/*
 * A job that a worker has.
 *
 *   WAITING --its whole frame is sent--> SENT --taken back--> VOID
 *      |
 *      +--taken back--> the slot is free again
 *
 * The worker answers in order what it was sent, so a sent slot stays in its
 * place until the answer has come; that to a VOID one is dropped.
 */
enum px_slot_state {
	PX_SLOT_WAITING,
	PX_SLOT_SENT,
	PX_SLOT_VOID,
};

struct px_slot {
	enum px_slot_state state;
	struct px_job *job; /* NULL if VOID */
	uint64_t id;	    /* of the job */
	size_t size;	    /* bytes of its frame's payload */
};

struct px_worker {
	enum px_worker_state state;
	bool has_answered;   /* it not only starts, but also works */
	bool in_interpreter; /* its process is an interpreter's program */
	bool is_worn;	     /* gets no more jobs: see PX_WORKER_DEADLINES */
	uint64_t group;	     /* of the jobs that it had; 0: none yet */
	pid_t pid;
	int fd;	       /* stream socket, not blocking */
	int stderr_fd; /* a pipe: what Python says when it dies */
	/* In the order of their answers. While it is BUSY there is at least
	 * one: the first is compiled now. WAITING ones come last. */
	struct px_slot slots[PX_WORKER_JOBS];
	unsigned n_slots;
	size_t n_sent;	      /* bytes sent of the first WAITING frame */
	size_t n_bytes;	      /* of the frames of all slots that are not VOID */
	int64_t begun_ms;     /* when it began with the first */
	int64_t deadline_ms;  /* when to see whether it is late; 0: never */
	int64_t cpu_start_ms; /* its CPU time when it began with the first, */
	int64_t cpu_seen_ms;  /* and when px_worker_is_late saw it last */
	struct px_buf in;
};

/* Starts a process in a slot that has none; with `in_interpreter`, that of
 * o->python->interpreter, else one that loads libpython. -ELIBACC:
 * pycfs-compiler.so, which is needed, is not beside pycfs-compiler; other
 * -errno. */
int px_worker_spawn(struct px_worker *w, const struct px_pool_options *o,
		    bool in_interpreter);
/* Ends the process; its jobs stay until they are taken. `why`, if not NULL,
 * says how it ended: its signal or status, and the last line that it wrote.
 * After -EPIPE from its socket, that is how it ended by itself. */
void px_worker_kill(struct px_worker *w, struct px_why *why);

/* Adds a job; fewer than PX_WORKER_JOBS slots must be used. */
void px_worker_give(struct px_worker *w, struct px_job *job);
/* Removes the first slot and returns its job; NULL: it was VOID, or there is
 * none. */
struct px_job *px_worker_take(struct px_worker *w);
/* Whether there is a job behind the first one that can be taken back. */
bool px_worker_has_behind(const struct px_worker *w);
/* Takes the last such job back; NULL: there is none. */
struct px_job *px_worker_take_back(struct px_worker *w);

/* It begins to compile the first job now. `timeout_ms` is that of the pool's
 * options. */
void px_worker_begin(struct px_worker *w, unsigned timeout_ms);
/* Whether it has to be given up: it does not get ready, its first job has used
 * up its CPU time, or it hardly gets any. Else the deadline may move on. */
bool px_worker_is_late(struct px_worker *w, unsigned timeout_ms);

/* Sends as much of the waiting frames as the socket takes. -errno. */
int px_worker_send(struct px_worker *w);
/* Whether something is still to be sent. */
bool px_worker_is_sending(const struct px_worker *w);

/* Reads what is there. 1 with a whole frame in *ret_type and its payload, which
 * lies in w->in until px_worker_consume; 0: it has not come yet; -EBADMSG: what
 * comes is no frame, or one that is longer than the worker may send now; other
 * -errno: the worker is lost. */
int px_worker_receive(struct px_worker *w, enum px_frame_type *ret_type,
		      struct px_str *ret_payload);
void px_worker_consume(struct px_worker *w, const struct px_str *payload);

#endif
