/* SPDX-License-Identifier: MIT */
#ifndef PX_POOL_ANSWER_H
#define PX_POOL_ANSWER_H
/*
 * What comes back from a worker: its hello, its results, or its death. Here it
 * is decided how a job ends.
 *
 * Threads: the pool's only.
 */

#include "state.h"

/* Handles all frames that have come. -errno: the worker is lost. */
int px_answer_receive(struct px_pool *p, struct px_worker *w);

/* The worker has died or has to be killed, for `err`. Its first job is tried
 * once more or fails; the others had no part in that and are queued again. */
void px_answer_lost(struct px_pool *p, struct px_worker *w, int err);

/* Queues all jobs again that the worker has behind its first one. */
void px_answer_take_back(struct px_pool *p, struct px_worker *w);

#endif
