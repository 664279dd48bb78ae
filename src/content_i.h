/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_I_H
#define PX_CONTENT_I_H
/*
 * What content.c, content_ahead.c and content_settle.c share.
 */

#include "pycfs/content.h"

#include <pthread.h>

/* A set of 64-bit hashes that only grows. Not for security: a collision makes
 * one message or one read-ahead be skipped. */
struct seen {
	uint64_t *slots;
	size_t n;
	size_t capacity; /* a power of two, or 0 */
};

struct ahead_dir {
	struct ahead_dir *next;
	char path[];
};

struct px_content {
	struct px_content_options o;
	uint8_t profile[PX_DIGEST_SIZE];

	pthread_mutex_t lock;
	struct flight **flights; /* under lock: hash table by path */
	struct seen reported;	 /* under lock: rejections logged */
	_Atomic bool hinted;	 /* the way out was told */

	pthread_mutex_t ahead_lock;
	pthread_cond_t ahead_changed;
	pthread_t ahead_thread;
	bool ahead_running;
	bool quiet;		       /* under ahead_lock */
	struct ahead_dir *ahead_head;  /* under ahead_lock */
	struct ahead_dir **ahead_tail; /* under ahead_lock */
	struct seen touched;	       /* under ahead_lock: directories done */
};

/* True if `hash` was there already; false also when memory runs out. */
bool px_seen_add(struct seen *s, uint64_t hash);
void px_seen_fini(struct seen *s);

/* Starts a compile nobody waits for yet, unless it is known or under way. */
void px_content_start_ahead(struct px_content *c, const char *path);

int px_content_ahead_start(struct px_content *c);
/* The siblings of `path` will be wanted soon. */
void px_content_ahead_touch(struct px_content *c, const char *path);
void px_content_ahead_quiet(struct px_content *c);
void px_content_ahead_stop(struct px_content *c);

#endif
