/* SPDX-License-Identifier: MIT */
#ifndef PX_WALK_H
#define PX_WALK_H
/*
 * Everything in the view, in byte order of paths, where a directory's path
 * counts as ending in a slash. A thread of the walk lists directories and asks
 * for modules, while others take the items and use them. The items that wait to
 * be taken are bounded in number and in bytes.
 *
 * Threads: one starts and frees; any may take items.
 */

#include "pycfs/content.h"

struct px_walk;

/* One name of the view. "Generated" is what px_kind_is_made says. */
struct px_item {
	struct px_item *next;
	struct px_walk *walk;
	bool ready; /* under the walk's lock; what follows is set before it */
	int err;    /* -errno: the source cannot be read, or the like */
	struct px_attr attr;
	struct px_blob *blob; /* if generated: its bytes, or the reason why it
			       * does not compile */
	uint64_t source_size; /* if generated: bytes */
	uint64_t tag;	      /* if generated: changes with its bytes */
	struct px_stat st;    /* of the source, if `st_known` */
	bool st_known;
	/* A module that the cache has: px_walk_fetch reads its bytes. */
	bool has_deferred_bytes;
	uint8_t key[PX_DIGEST_SIZE]; /* if a module: of its blob */
	char *target;		     /* of a symlink */
	/* Why the view leaves it out; then `path` is its path in the source,
	 * and nothing else is set. NULL: it is in the view. */
	const char *hidden;
	const char *source; /* its path in the source; points into `path` */
	char path[];	    /* in the view; "" is the root */
};

struct px_walk_options {
	struct px_content *content; /* outlives the walk, as the tree does */
	struct px_tree *tree;
	unsigned jobs;	   /* about how many modules compile at a time */
	enum px_want want; /* SIZE: no px_item.blob of modules that compile */
	bool hidden;	   /* also items for what the view leaves out */
	/* Of the .pyc files in SOURCE's own __pycache__ that px_walk_pycache
	 * sums up, such as "cpython-312"; NULL: they are not looked at. */
	const char *pycache_tag;
};

/* Starts the thread. -errno. */
int px_walk_start(const struct px_walk_options *o, struct px_walk **ret);
/* Waits up to `ms` milliseconds for the next item, which is then the caller's;
 * NULL: none came in time, or, if *ret_end, none is left.
 * If bytes are wanted and the cache has them, they are read from it here, in
 * the caller's thread. If they were evicted since the walk found them there,
 * the module is compiled again and waited for, which may take longer than `ms`.
 */
struct px_item *px_walk_fetch(struct px_walk *w, int ms, bool *ret_end);
/* 0; or why the walk ended early: -errno, and the path where it happened, which
 * is the walk's. */
int px_walk_error(struct px_walk *w, const char **ret_path);
/* After the last item: how many such files there are beside what was walked,
 * and their bytes. */
void px_walk_pycache(struct px_walk *w, uint64_t *ret_n, uint64_t *ret_bytes);
void px_item_free(struct px_item *i); /* NULL is fine */
void px_item_freep(struct px_item **i);
/* Stops the walk, waits until every module that was asked for has answered, and
 * frees. NULL is fine. */
void px_walk_free(struct px_walk *w);

#endif
