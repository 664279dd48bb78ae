/* SPDX-License-Identifier: MIT */
#include "pending.h"

static uint64_t hash_of(enum px_item_kind kind,
			const uint8_t key[PX_DIGEST_SIZE])
{
	return px_hash64(kind, key, PX_DIGEST_SIZE);
}

void px_pending_init(struct px_pending *p, uint64_t unstored_max)
{
	memset(p, 0, sizeof(*p));
	p->unstored_max = unstored_max;
}

static void free_item(struct px_item *it)
{
	px_blob_unref(it->blob);
	free(it);
}

static void leave_place(struct px_pending *p, struct px_item *it)
{
	struct px_item_list *l = &p->place[it->place];

	if (it->prev)
		it->prev->next = it->next;
	else
		l->first = it->next;
	if (it->next)
		it->next->prev = it->prev;
	else
		l->last = it->prev;
	it->prev = NULL;
	it->next = NULL;
	l->bytes -= it->cost;
}

static void enter_place(struct px_pending *p, struct px_item *it,
			enum px_item_place place)
{
	struct px_item_list *l = &p->place[place];

	it->place = place;
	it->prev = l->last;
	it->next = NULL;
	if (l->last)
		l->last->next = it;
	else
		l->first = it;
	l->last = it;
	l->bytes += it->cost;
}

struct px_item *px_pending_find(const struct px_pending *p,
				enum px_item_kind kind,
				const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_map_node *n = px_map_first(&p->map, hash_of(kind, key));

	for (; n; n = px_map_next(n)) {
		struct px_item *it = PX_CONTAINER(n, struct px_item, node);

		if (it->kind == kind &&
		    memcmp(it->key, key, PX_DIGEST_SIZE) == 0)
			return it;
	}
	return NULL;
}

static void trim_unstored(struct px_pending *p)
{
	struct px_item_list *l = &p->place[PX_PLACE_UNSTORED];

	while (l->bytes > p->unstored_max && l->first != l->last)
		px_pending_remove(p, l->first);
}

struct px_item *px_pending_add(struct px_pending *p, enum px_item_kind kind,
			       const uint8_t key[PX_DIGEST_SIZE],
			       struct px_blob *blob,
			       const struct px_cache_entry *entry,
			       enum px_item_place place)
{
	struct px_item *it = calloc(1, sizeof(*it));

	if (!it)
		return NULL;
	if (px_map_add(&p->map, &it->node, hash_of(kind, key)) < 0) {
		free(it);
		return NULL;
	}
	it->kind = kind;
	memcpy(it->key, key, PX_DIGEST_SIZE);
	it->cost = sizeof(*it);
	if (blob) {
		it->blob = px_blob_ref(blob);
		it->cost += sizeof(*blob) + blob->size;
	}
	if (entry)
		it->entry = *entry;
	it->queued_ms = px_now_ms();
	it->seq = ++p->last_seq;
	enter_place(p, it, place);
	if (place == PX_PLACE_UNSTORED)
		trim_unstored(p);
	return it;
}

void px_pending_move(struct px_pending *p, struct px_item *it,
		     enum px_item_place place)
{
	leave_place(p, it);
	if (place == PX_PLACE_QUEUED) {
		it->queued_ms = px_now_ms();
		it->seq = ++p->last_seq;
		it->evicted = false;
	}
	enter_place(p, it, place);
	if (place == PX_PLACE_UNSTORED)
		trim_unstored(p);
}

void px_pending_remove(struct px_pending *p, struct px_item *it)
{
	if (!it->unlisted)
		px_map_remove(&p->map, &it->node);
	leave_place(p, it);
	free_item(it);
}

void px_pending_keep_unstored(struct px_pending *p, struct px_item *it)
{
	/* A touch or a drop that failed stays as a mark that it was tried, or
	 * every read would try it again. */
	const bool is_mark =
		it->kind == PX_ITEM_TOUCH || it->kind == PX_ITEM_DROP;

	if (it->unlisted)
		px_pending_remove(p, it);
	else
		px_pending_move(p, it,
				is_mark ? PX_PLACE_MEMORY : PX_PLACE_UNSTORED);
}

static void free_place(struct px_pending *p, enum px_item_place place)
{
	while (p->place[place].first)
		px_pending_remove(p, p->place[place].first);
}

void px_pending_unlist(struct px_pending *p, struct px_item *it)
{
	if (it->unlisted)
		return;
	px_map_remove(&p->map, &it->node);
	it->unlisted = true;
}

void px_pending_clear(struct px_pending *p)
{
	free_place(p, PX_PLACE_QUEUED);
	free_place(p, PX_PLACE_UNSTORED);
	free_place(p, PX_PLACE_MEMORY);
	for (struct px_item *it = p->place[PX_PLACE_WRITING].first; it;
	     it = it->next)
		px_pending_unlist(p, it);
}

void px_pending_fini(struct px_pending *p)
{
	px_pending_clear(p);
	free_place(p, PX_PLACE_WRITING);
	px_map_fini(&p->map);
}

uint64_t px_pending_oldest_seq(const struct px_pending *p)
{
	uint64_t oldest = UINT64_MAX;

	for (int place = PX_PLACE_QUEUED; place <= PX_PLACE_WRITING; place++) {
		const struct px_item *it = p->place[place].first;

		if (it && it->seq < oldest)
			oldest = it->seq;
	}
	return oldest;
}
