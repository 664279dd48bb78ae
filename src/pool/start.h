/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_START_H
#define PX_POOL_START_H
/*
 * Starting workers, and what follows if one does not start. A limit on
 * processes or memory shows as a start that fails, so nothing else fails as
 * long as another worker runs. After a few failures in a row there is a pause;
 * if there is no worker at all, the jobs that are queued fail meanwhile.
 *
 * Threads: the pool's only.
 */

#include "state.h"

/* Starts a process for `w`, which has none. */
void px_start_worker(struct px_pool *p, struct px_worker *w);
/* Worker `w` ended before it had answered anything, and has no process any
 * more; `said` is how, in words that follow "the worker". It is started at once
 * if workers have come to run somewhere else. */
void px_start_lost(struct px_pool *p, struct px_worker *w, const char *said);
/* Worker `w` is of no use, for `why`. If it has loaded libpython and none was
 * ready yet, says so in the log, and lets workers run in the interpreter from
 * now on. Returns whether workers are now of another kind than `w`. */
bool px_start_otherwise(struct px_pool *p, const struct px_worker *w,
			const char *why);
/* A new worker has answered: it was no failure in a row. */
void px_start_succeeded(struct px_pool *p);

/* Tells px_pool_ready how the first worker started: 0, or -errno with a
 * sentence. Later calls do nothing. */
void px_start_report(struct px_pool *p, int err, bool sandboxed,
		     const char *text);

/* Whether a worker may be started now. */
bool px_start_is_due(const struct px_pool *p);
/* Whether jobs have to fail, because no worker runs or will start soon. */
bool px_start_is_hopeless(const struct px_pool *p);
/* Completes all queued jobs with -EIO. */
void px_start_fail_queued(struct px_pool *p);

#endif
