/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_PLAN_H
#define PX_CONTENT_PLAN_H
/*
 * What to ask a remote store for (remote.h), and whose modules wait for it. The
 * first module that the cache does not have starts the plan: a thread reads the
 * sources of its unit, or of the whole tree if that does not change, makes
 * chunks of them (chunk.h), and asks for those of which the cache lacks a
 * module. What comes is put into the cache, where it is found like all else.
 *
 * Meanwhile modules are asked for, and workers are idle. A module of a unit
 * that is planned, or of a chunk that was asked for, waits; but no longer than
 * the options say, and only until all waiting in vain has added up to a second:
 * from then on nobody waits, and whoever is first wins.
 *
 * When signing, a chunk that the store does not have is kept in mind, and given
 * to it once all its modules are compiled.
 *
 * Threads: any. Two of its own.
 */

#include "dirs.h"
#include "key.h"
#include "part.h"
#include "waits.h"

struct px_plan;

struct px_plan_options {
	const struct px_content_options *o; /* all outlive it */
	const struct px_keys *keys;
	struct px_dirs *dirs;
};

/* 0, with *ret NULL if the options name no store; -errno. */
int px_plan_new(const struct px_plan_options *o, struct px_plan **ret);

/* The cache does not have the module `path` with this blob key. True: something
 * may come; w->go is called once, perhaps before this returns. False: compile
 * it. `is_waited`: somebody waits for it. `p` may be NULL. */
bool px_plan_wait(struct px_plan *p, const char *path,
		  const uint8_t key[PX_DIGEST_SIZE], bool is_waited,
		  struct px_wait *w);
/* Somebody waits for it now. `w` need not be waiting. */
void px_plan_hurry(struct px_plan *p, struct px_wait *w);

/* Whether compiling ahead would only repeat what the plan does just now. */
bool px_plan_leads(struct px_plan *p);

/* Plans the whole tree and waits until all answers are there. */
void px_plan_all(struct px_plan *p);

/* The parts that the store did not have, which are the caller's then, linked by
 * `next`; only when signing. */
struct px_part *px_plan_take_missed(struct px_plan *p);

/* Nobody waits from now on, and no further question is asked. NULL is fine, as
 * for the other two. */
void px_plan_stop(struct px_plan *p);
/* Waits for its threads, and for questions on the way: the remote has to be
 * stopped. Twice is fine. */
void px_plan_join(struct px_plan *p);
void px_plan_free(struct px_plan *p);

#endif
