/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_WAITS_H
#define PX_CONTENT_WAITS_H
/*
 * Modules that wait for a part that was asked for, or may be. None waits for
 * longer than it was given, and all waiting in vain adds up to a second at
 * most; from then on nobody waits.
 *
 * Threads: under the caller's lock. Whoever takes modules from here calls
 * px_waits_go without it.
 */

#include "pycfs/digest.h"
#include "pycfs/stats.h"

struct px_part;

/* Its owner keeps it until `go` was called, once. */
struct px_wait {
	struct px_wait *next; /* as all but `go` not its owner's business */
	const struct px_part *part; /* that it is in; NULL: not known yet */
	uint64_t unit;		    /* hash of its unit's name */
	uint8_t key[PX_DIGEST_SIZE];
	int64_t since, until; /* px_now_ms */
	bool is_waited, is_listed;
	void (*go)(struct px_wait *w);
};

struct px_waits {
	struct px_wait *first;
	struct px_stats *stats;
	unsigned patience_ms;	/* of who is waited for */
	int64_t spent, counted; /* ms */
	bool over;		/* nobody waits any more */
};

/* `w` has its unit, key and part. */
void px_waits_add(struct px_waits *ws, struct px_wait *w, bool is_waited);
/* What was waited in vain is forgotten. */
void px_waits_renew(struct px_waits *ws);
/* Somebody waits for it now. It need not be listed. */
void px_waits_hurry(struct px_waits *ws, struct px_wait *w);
/* The key is in this part, which was asked for. */
void px_waits_lead(struct px_waits *ws, const uint8_t key[PX_DIGEST_SIZE],
		   const struct px_part *part);

/* These take from the list those that need not wait any longer, or all if
 * nobody is to wait any more: */
/* of a part, which came, or did not */
struct px_wait *px_waits_take_part(struct px_waits *ws,
				   const struct px_part *part, bool came);
/* of a unit, that are in no part */
struct px_wait *px_waits_take_unit(struct px_waits *ws, uint64_t unit);
/* whose time is over */
struct px_wait *px_waits_take_late(struct px_waits *ws);
/* all */
struct px_wait *px_waits_take_all(struct px_waits *ws);

/* Lets them go on. Without a lock. */
void px_waits_go(struct px_wait *list);

#endif
