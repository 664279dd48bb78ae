/* SPDX-License-Identifier: MIT */
#ifndef PX_ANSWER_H
#define PX_ANSWER_H
/*
 * Waiting for one answer that comes by callback in another thread:
 *
 *	struct px_answer a = PX_ANSWER_INIT;
 *
 *	start(..., callback, &a);
 *	px_answer_wait(&a);
 *
 * where the callback ends with px_answer_came. A struct px_answer is usually a
 * member of a larger struct, which has room for what was answered.
 *
 * Threads: one waits, one answers. The answer may come before the wait begins,
 * also in the thread that is going to wait.
 */

#include "pycfs/util.h"

struct px_answer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_come; /* under lock */
};

#define PX_ANSWER_INIT                                                     \
	{                                                                  \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false \
	}

/* Ends the wait. The waiting thread may free everything before this returns, so
 * the callback touches nothing of the request afterwards. */
void px_answer_came(struct px_answer *a);

/* Blocks until px_answer_came was called. Also releases what `a` holds, so it
 * is called once, even where the answer is not needed any more. */
void px_answer_wait(struct px_answer *a);

#endif
