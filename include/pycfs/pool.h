/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_H
#define PX_POOL_H
/*
 * Worker processes that compile. One thread owns the workers and every
 * deadline; it alone starts workers and calls completions.
 *
 * Invariant: every submitted job completes exactly once.
 *
 * A worker has several small jobs at once, so that it need not wait for the
 * next one. It answers them in order; so when it dies, the first that it has
 * not answered is to blame. That job is tried once more in a fresh worker
 * before it fails, as somebody may have killed the worker from outside. If a
 * module takes long, the jobs behind it are given to other workers, and the
 * first worker's answers to them are dropped.
 *
 * If libpython turns out to be of no use before any worker is ready, workers
 * run in the interpreter, if px_python.interpreter is there.
 *
 * If some workers cannot be started, those that run do all the work; jobs fail
 * only when there is no worker at all. A worker that dies idle, before its
 * first answer, counts as one that could not be started.
 *
 * Does not: read files, cache, or log anything but that workers die, do not
 * start, or run elsewhere.
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
	/* CPU time for one module; 0: no limit. On a busy machine a worker may
	 * take more time than that, as long as it makes progress. */
	unsigned timeout_ms;
	bool debug_ranges;
	/* Use no worker that has no filter of system calls (seccomp). */
	bool require_sandbox;
	/* Workers import compileall first, so that up to Python 3.10 their
	 * bytes are those of `python -m compileall`. Slower. */
	bool compileall;
	/* Workers run in the interpreter even if there is a libpython: another
	 * pool has found that it is of no use. */
	bool in_interpreter;
	/* Workers find risks instead of compiling: a result is of kind CODE,
	 * and its bytes are lines of grade, line, rule, reason, detail and
	 * remedy, with a tab between them (src/compiler/analysis.py). */
	bool analyse;
	/* A worker that had a module of one group (px_frame_compile.group) gets
	 * none of another: a hostile module can spoil its own group only. */
	bool isolate;
	/* px_pool_start does not wait for the first worker. Jobs can be
	 * submitted at once; px_pool_ready says whether they will succeed. */
	bool start_async;
	struct px_stats *stats;
};

/*
 * Called in the pool's thread, with none of its locks held. Must not block.
 * `err` is 0 with a result (borrowed: take a reference to keep it), or
 * -ECANCELED: the pool stops; -EIO: no worker can be started; -ENOMEM.
 */
typedef void (*px_pool_done)(void *arg, int err, struct px_blob *result);

enum px_priority {
	PX_PRIORITY_WAITED, /* somebody waits for it */
	PX_PRIORITY_AHEAD,  /* nobody does yet: after all of the others */
};

/* Starts the pool and one worker, and waits until that is ready, so that the
 * caller learns here what is wrong with the Python. Other workers start when
 * there is work for them. Errors come with a sentence in `why`. */
int px_pool_start(const struct px_pool_options *o, struct px_pool **ret,
		  struct px_why *why);

/* Waits until the first worker is ready or has failed to start. The errors of
 * px_pool_start; -ECANCELED: the pool was stopped before. */
int px_pool_ready(struct px_pool *p, struct px_why *why);

/* Whether the first worker, which must be ready, has a filter of system calls.
 */
bool px_pool_is_sandboxed(struct px_pool *p);

/* Whether workers run in the interpreter; the first one must be ready. */
bool px_pool_is_in_interpreter(struct px_pool *p);

/*
 * Queues one module. The pool chooses task->id; co_filename and source are
 * copied. Returns 0 and, in *ret_id (may be NULL), the id for px_pool_promote,
 * which is set before `done` can be called. -ECANCELED: the pool stops;
 * -ENOMEM; -EFBIG: the source is longer than a frame may be; then `done` is not
 * called. Does not block.
 */
int px_pool_submit(struct px_pool *p, const struct px_frame_compile *task,
		   enum px_priority priority, px_pool_done done, void *arg,
		   uint64_t *ret_id);

/* Somebody waits for job `id` now. If it is still queued ahead, it moves behind
 * those that were waited for already. */
void px_pool_promote(struct px_pool *p, uint64_t id);

/* Blocks until no more than a few jobs per worker are queued ahead, so that
 * whoever compiles ahead has little source in memory. -ECANCELED: it stops. */
int px_pool_wait_room(struct px_pool *p);

/* Completes all jobs, queued or with a worker, with -ECANCELED, and ends the
 * workers and the thread; further jobs are refused. Of several callers only the
 * first waits for that. NULL is fine. */
void px_pool_stop(struct px_pool *p);

/* Stops and frees it; no thread may be in any of these functions. NULL is fine.
 */
void px_pool_free(struct px_pool *p);

#endif
