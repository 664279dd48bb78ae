/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_FLIGHT_H
#define PX_CONTENT_FLIGHT_H
/*
 * Modules whose bytes are being found out. Whoever asks for one that is under
 * way already joins the same flight, so that each is read and compiled once.
 *
 *   join -> room for the source -> read, blob key -> is it compiling?
 *             yes: follow that flight, and land with it
 *             no: in the cache? -> land
 *               no: may it come from the remote? -> wait for that, and look
 *                   again
 *                 no: the pool compiles it -> store -> land
 *
 * To land is to answer everybody who joined. A flight is of one path; several
 * paths with equal sources have one blob key, so that one of them compiles and
 * the others follow it.
 *
 * Threads: any.
 */

#include "key.h"
#include "plan.h"
#include "room.h"
#include "said.h"

struct px_flights;

struct px_flights_options {
	const struct px_content_options *o; /* all outlive the flights */
	const struct px_keys *keys;
	struct px_said *said;
	struct px_room *room;
	struct px_plan *plan; /* NULL: no remote */
	/* Called without a lock after a module that somebody waits for was
	 * given to the pool; must not block. */
	void (*on_waited)(void *arg, const char *path);
	void *arg;
};

int px_flights_new(const struct px_flights_options *o,
		   struct px_flights **ret); /* -ENOMEM */
/* When all have landed. NULL is fine. */
void px_flights_free(struct px_flights *fs);

/* Joins the flight for this module, or starts one; `st` is its source. `id` is
 * taken over, and afterwards empty. `done` is called exactly once, perhaps
 * before this returns; NULL: nobody waits yet. -ENOMEM: `done` is not called.
 */
int px_flights_join(struct px_flights *fs, struct px_module_id *id,
		    const struct px_stat *st, px_content_done done, void *arg);

#endif
