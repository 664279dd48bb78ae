/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_ROOM_H
#define PX_CONTENT_ROOM_H
/*
 * A bound on the bytes of source code that are in memory. Whoever is about to
 * read a source says how large it is. If the sources that were read and are not
 * compiled yet leave no room for it, it waits in a queue, and a thread of the
 * room starts it once there is room. The caller is never held up: a thread of
 * FUSE must not block, and compiles that end make room whatever it does. A
 * source that is larger than the whole room is read while no other one is.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

struct px_room;

/* One source. Its owner fills in `bytes` and `start`. */
struct px_room_ticket {
	struct px_room_ticket *next; /* in the queue */
	uint64_t bytes;		     /* that it occupies, or will */
	/* Called once, when the source may be read; `err` is 0. Or `err` is
	 * -ECANCELED: nothing may be read any more. In both cases the bytes
	 * are occupied until px_room_resize(..., 0). */
	void (*start)(struct px_room_ticket *t, int err);
};

/* Also starts the thread. `max_bytes` 0: 128 MiB. -errno. */
int px_room_new(uint64_t max_bytes, struct px_room **ret);

/* Calls t->start: at once and in this thread if there is room, else later in
 * the room's thread. Never blocks for room. */
void px_room_enter(struct px_room *room, struct px_room_ticket *t);

/* The source turned out to have another size; 0: it left the memory. */
void px_room_resize(struct px_room *room, struct px_room_ticket *t,
		    uint64_t bytes);

/* Blocks while any source waits in the queue, unless the room is closed. Only
 * for who compiles ahead, never for a thread of FUSE. */
void px_room_wait(struct px_room *room);

/* Starts everything that waits, and all that comes later, with -ECANCELED, in
 * this thread. Twice is fine. */
void px_room_close(struct px_room *room);

/* Waits for the thread of a closed room to end. Twice is fine. */
void px_room_join(struct px_room *room);

/* Of a room that is closed and joined. NULL is fine. */
void px_room_free(struct px_room *room);

#endif
