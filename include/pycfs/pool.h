/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_H
#define PX_POOL_H
/*
 * N worker processes that compile. One thread owns the workers, the queue and
 * every deadline; it is the only one that forks them and the only one that
 * runs completions.
 *
 * Invariants: every job submitted completes exactly once. A worker has some
 * small jobs at hand, so that it need not wait for the next one, and answers
 * them in order: a death is blamed on the first that it has not answered. A job
 * whose worker dies is tried once more in a fresh one before it is given up:
 * somebody may have killed the worker from outside. What lies behind a module
 * that takes long is taken back, and its answer is dropped.
 * Where some workers cannot be started, those that run do all the work; jobs
 * fail only where there is none. One that is lost before its first answer, with
 * nothing to do, counts as one that did not start.
 * Does not: read files, cache, or log anything but a worker's death.
 */

#include "pycfs/blob.h"
#include "pycfs/frame.h"
#include "pycfs/python.h"
#include "pycfs/stats.h"

struct px_pool;

struct px_pool_options {
	const struct px_python *python; /* outlives the pool */
	const char *compiler;		/* path of pycfs-compiler */
	unsigned n_workers;		/* at least 1 */
	/* CPU time for one module; 0: no limit. On a machine that is busy a
	 * worker may take longer, as long as it gets on. */
	unsigned timeout_ms;
	bool debug_ranges;
	/* Start no worker that the kernel does not keep from system calls. */
	bool require_sandbox;
	bool compileall; /* workers import what compileall does; slower */
	/* Workers find risks instead: a result is of kind CODE, and its bytes
	 * are lines of grade, line, rule, reason, detail and remedy, with a tab
	 * between them (src/compiler/risks.py). */
	bool analyse;
	/* px_pool_start does not wait for the first worker; px_pool_ready does.
	 * What is asked for before waits, too. */
	bool later;
	struct px_stats *stats;
};

/*
 * Called from the pool's thread without any of its locks. `err` is 0 with a
 * result (borrowed: take a reference to keep it), or -ECANCELED when the pool
 * stops, -ENOMEM, or what keeps workers from starting. Must not block.
 */
typedef void (*px_pool_done)(void *arg, int err, struct px_blob *result);

enum px_priority {
	PX_PRIORITY_WAITED, /* somebody waits for it */
	PX_PRIORITY_AHEAD,  /* nobody does yet */
};

/* Starts the pool and one worker, and waits until that is ready, so that what
 * is wrong with the Python is known here. Other workers start when there is
 * work for them. Errors come with a sentence in `why`. */
int px_pool_start(const struct px_pool_options *o, struct px_pool **ret,
		  struct px_why *why);

/* Waits until the first worker is ready. Errors as px_pool_start's; -ECANCELED
 * if it was stopped before. */
int px_pool_ready(struct px_pool *p, struct px_why *why);

/* Whether the first worker, which must be ready, is behind a filter of system
 * calls. */
bool px_pool_is_sandboxed(struct px_pool *p);

/*
 * Queues one module. task->id is set by the pool; co_filename and source are
 * copied. Returns 0 and, in *ret_id (may be NULL), a name for px_pool_promote;
 * or -ECANCELED, -ENOMEM, -EFBIG, and then `done` is not called.
 * Never blocks.
 */
int px_pool_submit(struct px_pool *p, const struct px_frame_compile *task,
		   enum px_priority priority, px_pool_done done, void *arg,
		   uint64_t *ret_id);

/* Somebody waits now: moves a queued job behind those already waited for. */
void px_pool_promote(struct px_pool *p, uint64_t id);

/* Blocks until fewer than a few jobs per worker are queued, so that whoever
 * compiles ahead holds little source in memory. -ECANCELED when stopping. */
int px_pool_wait_room(struct px_pool *p);

/* Completes what is queued or running with -ECANCELED and ends the workers and
 * the thread; later jobs are refused. One caller; twice or NULL is fine. */
void px_pool_stop(struct px_pool *p);

/* Stops and frees; nobody may use the pool any more. NULL is fine. */
void px_pool_free(struct px_pool *p);

#endif
