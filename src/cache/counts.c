/* SPDX-License-Identifier: MIT */
#include "counts.h"

void px_counts_init(struct px_counts *n, struct px_stats *stats)
{
	memset(n, 0, sizeof(*n));
	pthread_mutex_init(&n->lock, NULL);
	n->stats = stats;
}

void px_counts_fini(struct px_counts *n)
{
	pthread_mutex_destroy(&n->lock);
}

void px_counts_leave_stats(struct px_counts *n)
{
	pthread_mutex_lock(&n->lock);
	n->stats = NULL;
	pthread_mutex_unlock(&n->lock);
}

void px_counts_add(struct px_counts *n, enum px_counter counter, uint64_t by)
{
	pthread_mutex_lock(&n->lock);
	if (n->stats)
		px_stats_add(n->stats, counter, by);
	pthread_mutex_unlock(&n->lock);
}

static bool is_counted(const struct px_blob *b)
{
	return b->kind == PX_BLOB_CODE || b->kind == PX_BLOB_REJECTED;
}

void px_counts_served(struct px_counts *n, const struct px_blob *b)
{
	if (!is_counted(b))
		return;
	pthread_mutex_lock(&n->lock);
	n->served++;
	pthread_mutex_unlock(&n->lock);
}

void px_counts_added(struct px_counts *n, const struct px_blob *b)
{
	if (!is_counted(b))
		return;
	pthread_mutex_lock(&n->lock);
	n->added++;
	pthread_mutex_unlock(&n->lock);
}

uint32_t px_counts_profile(struct px_counts *n, const char *text)
{
	const uint32_t id = (uint32_t)px_hash64(2, text, strlen(text)) | 1;
	struct px_cache_profile *p;
	bool fits = true;
	size_t i;

	pthread_mutex_lock(&n->lock);
	for (i = 0; i < n->n_profiles && n->profile[i].id != id; i++)
		;
	if (i == PX_CACHE_MAX_PROFILES) {
		fits = false;
	} else if (i == n->n_profiles) {
		p = &n->profile[n->n_profiles++];
		p->id = id;
		strncat(p->text, text, sizeof(p->text) - 1);
	}
	pthread_mutex_unlock(&n->lock);
	return fits ? id : 0;
}

bool px_counts_any(struct px_counts *n)
{
	bool any;

	pthread_mutex_lock(&n->lock);
	any = n->served + n->added > 0;
	pthread_mutex_unlock(&n->lock);
	return any;
}

void px_counts_take(struct px_counts *n, struct px_counts_sums *ret)
{
	pthread_mutex_lock(&n->lock);
	ret->n_profiles = n->n_profiles;
	memcpy(ret->profile, n->profile, n->n_profiles * sizeof(*ret->profile));
	ret->served = n->served;
	ret->added = n->added;
	n->served = n->added = 0;
	pthread_mutex_unlock(&n->lock);
}
