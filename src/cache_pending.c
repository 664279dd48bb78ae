/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include "pycfs/digest.h"

#define FIRST_BUCKETS 256 /* a power of two */

static size_t bucket_of(const struct px_pending *p, enum px_item_kind kind,
			const uint8_t key[PX_DIGEST_SIZE])
{
	return (size_t)px_hash64(kind, key, PX_DIGEST_SIZE) &
	       (p->n_buckets - 1);
}

int px_pending_init(struct px_pending *p, uint64_t kept_max)
{
	memset(p, 0, sizeof(*p));
	p->bucket = calloc(FIRST_BUCKETS, sizeof(*p->bucket));
	if (!p->bucket)
		return -ENOMEM;
	p->n_buckets = FIRST_BUCKETS;
	p->kept_max = kept_max;
	return 0;
}

static void free_item(struct px_item *it)
{
	px_blob_unref(it->blob);
	free(it);
}

static void unlink_item(struct px_pending *p, struct px_item *it)
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

static void link_item(struct px_pending *p, struct px_item *it,
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

static void unhash_item(struct px_pending *p, struct px_item *it)
{
	struct px_item **at;

	if (it->forgotten)
		return;
	at = &p->bucket[bucket_of(p, it->kind, it->key)];
	while (*at != it)
		at = &(*at)->chain;
	*at = it->chain;
	it->chain = NULL;
	p->n_items--;
}

static void hash_item(struct px_pending *p, struct px_item *it)
{
	struct px_item **at = &p->bucket[bucket_of(p, it->kind, it->key)];

	it->chain = *at;
	*at = it;
}

/* Failing to grow only makes the chains longer. */
static void grow(struct px_pending *p)
{
	struct px_item **old = p->bucket;
	size_t n_old = p->n_buckets;
	struct px_item **bucket;

	if (p->n_items < n_old)
		return;
	bucket = calloc(n_old * 2, sizeof(struct px_item *));
	if (!bucket)
		return;
	p->bucket = bucket;
	p->n_buckets = n_old * 2;
	for (size_t i = 0; i < n_old; i++) {
		struct px_item *it = old[i];

		while (it) {
			struct px_item *next = it->chain;

			hash_item(p, it);
			it = next;
		}
	}
	free(old);
}

struct px_item *px_pending_find(const struct px_pending *p,
				enum px_item_kind kind,
				const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_item *it = p->bucket[bucket_of(p, kind, key)];

	while (it &&
	       (it->kind != kind || memcmp(it->key, key, PX_DIGEST_SIZE) != 0))
		it = it->chain;
	return it;
}

static void trim_kept(struct px_pending *p)
{
	struct px_item_list *l = &p->place[PX_PLACE_KEPT];

	while (l->bytes > p->kept_max && l->first != l->last)
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
	hash_item(p, it);
	p->n_items++;
	link_item(p, it, place);
	grow(p);
	if (place == PX_PLACE_KEPT)
		trim_kept(p);
	return it;
}

void px_pending_move(struct px_pending *p, struct px_item *it,
		     enum px_item_place place)
{
	unlink_item(p, it);
	if (place == PX_PLACE_QUEUED) {
		it->queued_ms = px_now_ms();
		it->seq = ++p->last_seq;
		it->evicted = false;
	}
	link_item(p, it, place);
	if (place == PX_PLACE_KEPT)
		trim_kept(p);
}

void px_pending_remove(struct px_pending *p, struct px_item *it)
{
	unhash_item(p, it);
	unlink_item(p, it);
	free_item(it);
}

void px_pending_give_up(struct px_pending *p, struct px_item *it)
{
	/* A touch or a drop that failed stays as a mark that it was tried, or
	 * every read would try it again. */
	bool mark = it->kind == PX_ITEM_TOUCH || it->kind == PX_ITEM_DROP;

	if (it->forgotten)
		px_pending_remove(p, it);
	else
		px_pending_move(p, it, mark ? PX_PLACE_PINNED : PX_PLACE_KEPT);
}

static void free_list(struct px_pending *p, enum px_item_place place)
{
	while (p->place[place].first)
		px_pending_remove(p, p->place[place].first);
}

void px_pending_unlist(struct px_pending *p, struct px_item *it)
{
	unhash_item(p, it);
	it->forgotten = true;
}

void px_pending_forget(struct px_pending *p)
{
	free_list(p, PX_PLACE_QUEUED);
	free_list(p, PX_PLACE_KEPT);
	free_list(p, PX_PLACE_PINNED);
	for (struct px_item *it = p->place[PX_PLACE_BUSY].first; it;
	     it = it->next)
		px_pending_unlist(p, it);
}

void px_pending_fini(struct px_pending *p)
{
	if (!p->bucket)
		return;
	px_pending_forget(p);
	free_list(p, PX_PLACE_BUSY);
	free(p->bucket);
	p->bucket = NULL;
}

uint64_t px_pending_oldest(const struct px_pending *p)
{
	uint64_t oldest = UINT64_MAX;

	for (int place = PX_PLACE_QUEUED; place <= PX_PLACE_BUSY; place++) {
		const struct px_item *it = p->place[place].first;

		if (it && it->seq < oldest)
			oldest = it->seq;
	}
	return oldest;
}
