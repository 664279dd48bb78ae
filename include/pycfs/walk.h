/* SPDX-License-Identifier: MIT */
#ifndef PX_WALK_H
#define PX_WALK_H
/*
 * All that the view has, in byte order of paths (a directory's as if it ended
 * in a slash), asked for by a thread of its own while others make use of what
 * is there. What waits to be taken is bounded in number and bytes.
 *
 * Threads: one starts and frees; any may take items.
 */

#include "pycfs/content.h"

struct px_walk;

/* One name of the view. */
struct px_item {
	struct px_item *next;
	struct px_walk *walk;
	bool ready; /* under the walk's lock; what is below is set before */
	int err;    /* -errno: it could not be had */
	struct px_attr attr;
	struct px_blob *blob; /* of what is made: its bytes, or why not */
	uint64_t source_size; /* of what is made */
	uint64_t tag;	      /* of what is made: changes with its bytes */
	struct px_stat st;    /* of the source, if `st_known` */
	bool st_known;
	/* Of a module whose bytes are still to be had. */
	bool later;
	uint8_t key[PX_DIGEST_SIZE];
	char *target; /* of a link */
	/* Not in the view, and why not; `path` is that of the source, and
	 * nothing else is set. NULL: it is there. */
	const char *hidden;
	const char *source; /* its path in the source; into `path` */
	char path[];	    /* in the view; "" is the root */
};

struct px_walk_options {
	struct px_content *content; /* outlives the walk, as the tree does */
	struct px_tree *tree;
	unsigned jobs;	   /* modules that are compiled at a time, about */
	enum px_want want; /* bytes, or without px_item.blob if they compile */
	bool hidden;	   /* also what the view has not */
};

/* Starts a thread that asks for all that the view has. -errno. */
int px_walk_start(const struct px_walk_options *o, struct px_walk **ret);
/* The next item, the caller's, whether it could be had or not; NULL after
 * `ms` without one. *ret_end: there are no more. Bytes that are stored are read
 * here, which leaves the walk's thread more time. */
struct px_item *px_walk_next(struct px_walk *w, int ms, bool *ret_end);
/* Why the walk itself ended early: -errno and the path it happened at. */
int px_walk_error(struct px_walk *w, const char **ret_path);
void px_item_free(struct px_item *i); /* NULL is fine */
/* Stops asking, waits for what was asked for, and frees. NULL is fine. */
void px_walk_free(struct px_walk *w);

#endif
