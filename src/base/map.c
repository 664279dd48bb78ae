/* SPDX-License-Identifier: MIT */
#include "pycfs/map.h"

#define FIRST_BUCKETS 64

static void link_node(struct px_map *m, struct px_map_node *node)
{
	struct px_map_node **bucket =
		&m->buckets[node->hash & (m->n_buckets - 1)];

	node->next = *bucket;
	*bucket = node;
}

/* Reverses a chain in place and returns its new first node. */
static struct px_map_node *reverse(struct px_map_node *chain)
{
	struct px_map_node *reversed = NULL, *next;

	for (; chain; chain = next) {
		next = chain->next;
		chain->next = reversed;
		reversed = chain;
	}
	return reversed;
}

static int grow(struct px_map *m)
{
	struct px_map_node **old = m->buckets, *node, *next;
	const size_t n_old = m->n_buckets;
	const size_t n_new = n_old ? n_old * 2 : FIRST_BUCKETS;
	struct px_map_node **buckets =
		calloc(n_new, sizeof(struct px_map_node *));
	size_t i;

	if (!buckets)
		return -ENOMEM;
	m->buckets = buckets;
	m->n_buckets = n_new;
	/* link_node puts a node at the front of its chain. Starting with the
	 * oldest node keeps the order that px_map_first promises. */
	for (i = 0; i < n_old; i++)
		for (node = reverse(old[i]); node; node = next) {
			next = node->next;
			link_node(m, node);
		}
	free(old);
	return 0;
}

void px_map_fini(struct px_map *m)
{
	free(m->buckets);
	*m = (struct px_map){0};
}

int px_map_reserve(struct px_map *m)
{
	return m->n_buckets > 0 ? 0 : grow(m);
}

int px_map_add(struct px_map *m, struct px_map_node *node, uint64_t hash)
{
	if (m->n >= m->n_buckets && grow(m) < 0 && m->n_buckets == 0)
		return -ENOMEM;
	node->hash = hash;
	link_node(m, node);
	m->n++;
	return 0;
}

void px_map_remove(struct px_map *m, struct px_map_node *node)
{
	struct px_map_node **at = &m->buckets[node->hash & (m->n_buckets - 1)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	m->n--;
}

struct px_map_node *px_map_each(const struct px_map *m,
				const struct px_map_node *after)
{
	size_t i = 0;

	if (after && after->next)
		return after->next;
	if (after)
		i = (after->hash & (m->n_buckets - 1)) + 1;
	for (; i < m->n_buckets; i++)
		if (m->buckets[i])
			return m->buckets[i];
	return NULL;
}
