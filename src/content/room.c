/* SPDX-License-Identifier: MIT */
#include "room.h"

/* In bytes: two of the largest sources that are compiled by default. */
#define DEFAULT_MAX (128ull << 20)

struct px_room {
	uint64_t max_bytes;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;	      /* any of what follows */
	bool closed;		      /* all of these under lock */
	uint64_t used;		      /* bytes */
	struct px_room_ticket *first; /* the queue */
	struct px_room_ticket **end;
};

/* Under lock. */
static bool has_room(const struct px_room *room, uint64_t bytes)
{
	return room->used == 0 || (bytes <= room->max_bytes &&
				   room->used <= room->max_bytes - bytes);
}

/* Under lock: takes the first one from the queue if there is room for it. */
static struct px_room_ticket *admit_next(struct px_room *room)
{
	struct px_room_ticket *t = room->first;

	if (!t || !has_room(room, t->bytes))
		return NULL;
	room->first = t->next;
	if (!room->first)
		room->end = &room->first;
	room->used += t->bytes;
	pthread_cond_broadcast(&room->changed);
	return t;
}

static void *room_main(void *arg)
{
	struct px_room *room = arg;
	struct px_room_ticket *t;

	pthread_mutex_lock(&room->lock);
	while (!room->closed) {
		t = admit_next(room);
		if (!t) {
			pthread_cond_wait(&room->changed, &room->lock);
			continue;
		}
		pthread_mutex_unlock(&room->lock);
		t->start(t, 0);
		pthread_mutex_lock(&room->lock);
	}
	pthread_mutex_unlock(&room->lock);
	return NULL;
}

void px_room_enter(struct px_room *room, struct px_room_ticket *t)
{
	bool at_once, closed;

	pthread_mutex_lock(&room->lock);
	closed = room->closed;
	at_once = closed || (!room->first && has_room(room, t->bytes));
	if (at_once) {
		room->used += t->bytes;
	} else {
		t->next = NULL;
		*room->end = t;
		room->end = &t->next;
	}
	pthread_mutex_unlock(&room->lock);
	if (at_once)
		t->start(t, closed ? -ECANCELED : 0);
}

void px_room_resize(struct px_room *room, struct px_room_ticket *t,
		    uint64_t bytes)
{
	pthread_mutex_lock(&room->lock);
	room->used += bytes - t->bytes;
	t->bytes = bytes;
	pthread_cond_broadcast(&room->changed);
	pthread_mutex_unlock(&room->lock);
}

void px_room_wait(struct px_room *room)
{
	pthread_mutex_lock(&room->lock);
	while (room->first && !room->closed)
		pthread_cond_wait(&room->changed, &room->lock);
	pthread_mutex_unlock(&room->lock);
}

int px_room_new(uint64_t max_bytes, struct px_room **ret)
{
	struct px_room *room = calloc(1, sizeof(*room));
	int r;

	if (!room)
		return -ENOMEM;
	room->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX;
	room->end = &room->first;
	pthread_mutex_init(&room->lock, NULL);
	pthread_cond_init(&room->changed, NULL);
	r = px_thread_start(&room->thread, room_main, room);
	room->has_thread = r == 0;
	if (r < 0) {
		px_room_free(room);
		return r;
	}
	*ret = room;
	return 0;
}

void px_room_close(struct px_room *room)
{
	struct px_room_ticket *t, *rest;

	pthread_mutex_lock(&room->lock);
	room->closed = true;
	for (t = room->first; t; t = t->next)
		room->used += t->bytes;
	t = room->first;
	room->first = NULL;
	room->end = &room->first;
	pthread_cond_broadcast(&room->changed);
	pthread_mutex_unlock(&room->lock);
	for (; t; t = rest) {
		rest = t->next;
		t->start(t, -ECANCELED);
	}
}

void px_room_join(struct px_room *room)
{
	if (room->has_thread)
		pthread_join(room->thread, NULL);
	room->has_thread = false;
}

void px_room_free(struct px_room *room)
{
	if (!room)
		return;
	pthread_mutex_destroy(&room->lock);
	pthread_cond_destroy(&room->changed);
	free(room);
}
