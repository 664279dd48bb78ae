/* SPDX-License-Identifier: MIT */
#include "waits.h"

/* All fruitless waiting of a run, in ms: with what ending takes, a second. */
#define MAX_SPENT 800
/* How long a module that nobody waits for may be left alone, in ms. */
#define PATIENCE 2000

static void set_end(const struct px_waits *ws, struct px_wait *w,
		    bool is_waited)
{
	w->is_waited = is_waited;
	w->since = px_now_ms();
	w->until = w->since + (is_waited ? ws->patience_ms : PATIENCE);
}

void px_waits_add(struct px_waits *ws, struct px_wait *w, bool is_waited)
{
	set_end(ws, w, is_waited);
	w->is_listed = true;
	w->next = ws->first;
	ws->first = w;
}

void px_waits_renew(struct px_waits *ws)
{
	ws->spent = 0;
	ws->over = false;
}

void px_waits_hurry(struct px_waits *ws, struct px_wait *w)
{
	if (w->is_listed && !w->is_waited)
		set_end(ws, w, true);
}

void px_waits_lead(struct px_waits *ws, const uint8_t key[PX_DIGEST_SIZE],
		   const struct px_part *part)
{
	for (struct px_wait *w = ws->first; w; w = w->next)
		if (memcmp(w->key, key, PX_DIGEST_SIZE) == 0)
			w->part = part;
}

/* Somebody has waited for nothing. Time in which several did counts once. */
static void account(struct px_waits *ws, const struct px_wait *w)
{
	const int64_t now = px_now_ms();
	const int64_t from = w->since > ws->counted ? w->since : ws->counted;

	if (!w->is_waited)
		return;
	px_stats_add(ws->stats, PX_COUNT_remote_waits, 1);
	if (now > from)
		ws->spent += now - from;
	ws->counted = now;
	if (ws->spent >= MAX_SPENT)
		ws->over = true;
}

enum why {
	OF_PART,
	OF_UNIT,
	LATE,
	ALL,
};

static struct px_wait *take(struct px_waits *ws, enum why why,
			    const struct px_part *part, uint64_t unit,
			    bool in_vain)
{
	const int64_t now = px_now_ms();
	struct px_wait **at = &ws->first, *list = NULL, *w;

	while ((w = *at)) {
		if (!(ws->over || why == ALL ||
		      (why == OF_PART && w->part == part) ||
		      (why == OF_UNIT && !w->part && w->unit == unit) ||
		      (why == LATE && w->until <= now))) {
			at = &w->next;
			continue;
		}
		if (in_vain)
			account(ws, w);
		*at = w->next;
		w->is_listed = false;
		w->next = list;
		list = w;
	}
	return list;
}

struct px_wait *px_waits_take_part(struct px_waits *ws,
				   const struct px_part *part, bool came)
{
	return take(ws, OF_PART, part, 0, !came);
}

struct px_wait *px_waits_take_unit(struct px_waits *ws, uint64_t unit)
{
	return take(ws, OF_UNIT, NULL, unit, true);
}

struct px_wait *px_waits_take_late(struct px_waits *ws)
{
	return take(ws, LATE, NULL, 0, true);
}

struct px_wait *px_waits_take_all(struct px_waits *ws)
{
	return take(ws, ALL, NULL, 0, false);
}

void px_waits_go(struct px_wait *list)
{
	struct px_wait *next;

	for (; list; list = next) {
		next = list->next;
		list->go(list);
	}
}
