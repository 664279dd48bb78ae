/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_RUNS_H
#define PX_CHECK_RUNS_H
/*
 * Tries items in processes, several at a time.
 *
 * Threads: one at a time.
 */

#include "items.h"

/* Items `from` to `to` in one process of one tree. */
struct px_run {
	enum px_tree_side side;
	int round;
	size_t from, to;
	/* Where the facts go that the process sends at its end, one a line;
	 * NULL: nobody wants them. */
	struct px_buf *facts;
	/* The process has come to its end, and each item was tried in it. */
	bool *complete;
};

struct px_runs {
	const struct px_check_options *o;
	struct px_items *items;
	struct px_run *queue;
	size_t n, capacity, next;
	struct px_check_progress progress;
};

/* Puts a run into the queue. -ENOMEM. */
int px_runs_add(struct px_runs *r, const struct px_run *run);

/* Does all that is in the queue. An item that ends its process has that as its
 * outcome, and those behind it are tried in another process. 0; -ECANCELED;
 * -errno. */
int px_runs_do(struct px_runs *r);

void px_runs_fini(struct px_runs *r);

#endif
