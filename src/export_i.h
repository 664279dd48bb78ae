/* SPDX-License-Identifier: MIT */
#ifndef PX_EXPORT_I_H
#define PX_EXPORT_I_H
/*
 * What src/export*.c share: the walk that asks for everything in order, and
 * the window of what was asked for and is not yet written.
 */

#include "pycfs/export.h"

struct px_walk;

/* One name of the view. */
struct px_item {
	struct px_item *next;
	struct px_walk *walk;
	bool ready; /* under the walk's lock; what is below is set before */
	int err;    /* -errno: it could not be had */
	struct px_attr attr;
	struct px_blob *blob; /* of what is made: its bytes, or why not */
	char *target;	      /* of a link */
	const char *source;   /* its path in the source; into `path` */
	char path[];	      /* in the view; "" is the root */
};

/* Starts a thread that asks for all that the view has. The rest outlives it.
 * `jobs` is how many modules are compiled at a time. -errno. */
int px_walk_start(struct px_content *c, struct px_tree *t, unsigned jobs,
		  struct px_walk **ret);
/* The next item, the caller's, whether it could be had or not; NULL after
 * `ms` without one. *ret_end: there are no more. */
struct px_item *px_walk_next(struct px_walk *w, int ms, bool *ret_end);
/* Why the walk itself ended early: -errno and the path it happened at. */
int px_walk_error(struct px_walk *w, const char **ret_path);
void px_item_free(struct px_item *i);
/* Stops asking, waits for what was asked for, and frees. NULL is fine. */
void px_walk_free(struct px_walk *w);

#endif
