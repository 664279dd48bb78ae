/* SPDX-License-Identifier: MIT */
/*
 * Sources in memory. Each flight says before it reads how large its source is;
 * if those that are read and not compiled yet have no room for it, it waits in
 * a line, and a thread of its own lets it go once there is. Nobody who asks is
 * held up: FUSE's threads must not be, and a compile that ends makes room
 * whatever they do. One source that is larger than all the room goes alone.
 */
#include "content_i.h"

/* Two of the largest that are compiled where nobody says otherwise. */
#define ROOM (128ull << 20)

static bool has_room(const struct px_content *c, uint64_t bytes)
{
	const uint64_t all = c->o.in_flight ? c->o.in_flight : ROOM;

	return c->room_used == 0 ||
	       (bytes <= all && c->room_used <= all - bytes);
}

/* Under room_lock: the first in line, if there is room for it. */
static struct room_ticket *next(struct px_content *c)
{
	struct room_ticket *t = c->room_head;

	if (!t || !has_room(c, t->bytes))
		return NULL;
	c->room_head = t->next;
	if (!c->room_head)
		c->room_tail = &c->room_head;
	c->room_used += t->bytes;
	pthread_cond_broadcast(&c->room_changed);
	return t;
}

static void *room_main(void *arg)
{
	struct px_content *c = arg;
	struct room_ticket *t;

	pthread_mutex_lock(&c->room_lock);
	while (!c->room_closed) {
		t = next(c);
		if (!t) {
			pthread_cond_wait(&c->room_changed, &c->room_lock);
			continue;
		}
		pthread_mutex_unlock(&c->room_lock);
		t->go(t, 0);
		pthread_mutex_lock(&c->room_lock);
	}
	pthread_mutex_unlock(&c->room_lock);
	return NULL;
}

void px_room_enter(struct px_content *c, struct room_ticket *t)
{
	bool now, closed;

	pthread_mutex_lock(&c->room_lock);
	closed = c->room_closed;
	now = !c->room_head && has_room(c, t->bytes);
	if (closed || now) {
		c->room_used += t->bytes;
	} else {
		t->next = NULL;
		*c->room_tail = t;
		c->room_tail = &t->next;
	}
	pthread_mutex_unlock(&c->room_lock);
	if (closed || now)
		t->go(t, closed ? -ECANCELED : 0);
}

void px_room_resize(struct px_content *c, struct room_ticket *t, uint64_t bytes)
{
	pthread_mutex_lock(&c->room_lock);
	c->room_used += bytes - t->bytes;
	t->bytes = bytes;
	pthread_cond_broadcast(&c->room_changed);
	pthread_mutex_unlock(&c->room_lock);
}

void px_room_wait(struct px_content *c)
{
	pthread_mutex_lock(&c->room_lock);
	while (c->room_head && !c->room_closed)
		pthread_cond_wait(&c->room_changed, &c->room_lock);
	pthread_mutex_unlock(&c->room_lock);
}

int px_room_start(struct px_content *c)
{
	int r;

	pthread_mutex_init(&c->room_lock, NULL);
	pthread_cond_init(&c->room_changed, NULL);
	c->room_tail = &c->room_head;
	r = px_thread_start(&c->room_thread, room_main, c);
	c->room_running = r == 0;
	return r;
}

void px_room_close(struct px_content *c)
{
	struct room_ticket *t, *rest;

	pthread_mutex_lock(&c->room_lock);
	c->room_closed = true;
	for (t = c->room_head; t; t = t->next)
		c->room_used += t->bytes;
	t = c->room_head;
	c->room_head = NULL;
	c->room_tail = &c->room_head;
	pthread_cond_broadcast(&c->room_changed);
	pthread_mutex_unlock(&c->room_lock);
	for (; t; t = rest) {
		rest = t->next;
		t->go(t, -ECANCELED);
	}
}

void px_room_stop(struct px_content *c)
{
	if (c->room_running)
		pthread_join(c->room_thread, NULL);
	c->room_running = false;
}

void px_room_fini(struct px_content *c)
{
	pthread_mutex_destroy(&c->room_lock);
	pthread_cond_destroy(&c->room_changed);
}
