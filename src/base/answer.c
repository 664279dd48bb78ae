/* SPDX-License-Identifier: MIT */
#include "pycfs/answer.h"

void px_answer_came(struct px_answer *a)
{
	pthread_mutex_lock(&a->lock);
	a->has_come = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

void px_answer_wait(struct px_answer *a)
{
	pthread_mutex_lock(&a->lock);
	while (!a->has_come)
		pthread_cond_wait(&a->changed, &a->lock);
	pthread_mutex_unlock(&a->lock);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
}
