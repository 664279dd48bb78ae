/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_AHEAD_H
#define PX_CONTENT_AHEAD_H
/*
 * Compiling modules before anybody asks for them. Whoever walks a tree with one
 * thread (cp, tar, find) asks for one module at a time. When a first one is
 * compiled, a thread compiles the modules beside it, at low priority and a few
 * at a time. Where the source does not change (an image is being built), it
 * goes on with the rest of the tree: one directory rarely has work enough for
 * all workers.
 *
 * Threads: any.
 */

#include "dirs.h"
#include "module.h"
#include "plan.h"

struct px_ahead;

struct px_ahead_options {
	const struct px_content_options *o; /* all outlive it */
	struct px_dirs *dirs;
	const struct px_modules *modules;
	struct px_room *room;
	struct px_plan *plan; /* NULL: no remote */
};

/* Also starts the thread, if the options want one. -errno. */
int px_ahead_new(const struct px_ahead_options *o, struct px_ahead **ret);

/* Somebody waits for the module `path`, which the cache did not have, so that
 * the modules beside it will be asked for soon. Never blocks. */
void px_ahead_touch(struct px_ahead *a, const char *path);

/* Starts no further compile; does not wait for the thread. */
void px_ahead_stop_new_work(struct px_ahead *a);

/* The same, and waits for the thread. Twice is fine. */
void px_ahead_join(struct px_ahead *a);

/* Of one whose thread has ended. NULL is fine. */
void px_ahead_free(struct px_ahead *a);

#endif
