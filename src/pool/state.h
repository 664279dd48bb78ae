/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_STATE_H
#define PX_POOL_STATE_H
/*
 * A pool. Its thread owns the workers and every member that is not said to be
 * under a lock.
 */

#include "worker.h"

struct px_pool {
	struct px_pool_options o;
	pthread_t thread;
	int wake_fd; /* eventfd: there is a new job, or the end */
	struct px_queue queue;
	struct px_worker *workers; /* o.n_workers of them */
	struct pollfd *fds;	   /* wake_fd, then each worker's */
	uint64_t *groups;	   /* of the workers, while jobs are given */
	unsigned start_failures;   /* in a row; see start.h */
	int64_t retry_ms;	   /* no worker is started before that time */

	/* How the first worker started, for px_pool_ready. Written once, by the
	 * thread. Under lock: */
	pthread_mutex_t lock;
	pthread_cond_t is_ready;
	bool ready; /* the rest is known */
	bool sandboxed;
	bool in_interpreter; /* where workers run that are started now; does not
			      * change after `ready` */
	int start_error;     /* 0 or -errno, and a sentence: */
	struct px_why why;
};

#endif
