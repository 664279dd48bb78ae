/* SPDX-License-Identifier: MIT */
#include "recent.h"

#include <pthread.h>

/* Enough for a few processes that read at once. A file is here only between
 * its first READ and its last one: the kernel reads large ones in pieces. */
#define N_RECENT 8

struct px_recent {
	pthread_mutex_t lock;
	unsigned next; /* the slot to replace next */
	struct {
		uint64_t id;
		struct px_blob *blob;
	} slot[N_RECENT];
};

struct px_recent *px_recent_new(void)
{
	struct px_recent *r = calloc(1, sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

void px_recent_free(struct px_recent *r)
{
	unsigned i;

	if (!r)
		return;
	for (i = 0; i < N_RECENT; i++)
		px_blob_unref(r->slot[i].blob);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

struct px_blob *px_recent_get(struct px_recent *r, uint64_t id)
{
	struct px_blob *b = NULL;
	unsigned i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < N_RECENT && !b; i++)
		if (r->slot[i].id == id && r->slot[i].blob)
			b = px_blob_ref(r->slot[i].blob);
	pthread_mutex_unlock(&r->lock);
	return b;
}

void px_recent_drop(struct px_recent *r, uint64_t id)
{
	struct px_blob *old = NULL;
	unsigned i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < N_RECENT && !old; i++)
		if (r->slot[i].id == id)
			old = PX_STEAL(r->slot[i].blob);
	pthread_mutex_unlock(&r->lock);
	px_blob_unref(old);
}

void px_recent_put(struct px_recent *r, uint64_t id, struct px_blob *b)
{
	struct px_blob *old;

	pthread_mutex_lock(&r->lock);
	old = r->slot[r->next].blob;
	r->slot[r->next].id = id;
	r->slot[r->next].blob = px_blob_ref(b);
	r->next = (r->next + 1) % N_RECENT;
	pthread_mutex_unlock(&r->lock);
	px_blob_unref(old);
}
