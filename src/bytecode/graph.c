/* SPDX-License-Identifier: MIT */
#include "graph.h"

#include "pycfs/digest.h"

#define CHUNK (64u << 10)

/* Memory is allocated in large chunks, because a module has thousands of small
 * objects. */
struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	_Alignas(16) uint8_t data[];
};

void *px_graph_alloc(struct graph *g, size_t size)
{
	struct chunk *c = g->chunks;
	size_t want;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		want = size > CHUNK ? size : CHUNK;
		c = calloc(1, sizeof(*c) + want);
		if (!c)
			return NULL;
		c->size = want;
		c->next = g->chunks;
		g->chunks = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

void px_graph_fini(struct graph *g)
{
	struct chunk *next;

	for (; g->chunks; g->chunks = next) {
		next = g->chunks->next;
		free(g->chunks);
	}
	free(g->buckets);
	free(g->refs);
}

/* This includes code objects, although they are never merged or compared. */
bool px_node_has_kids(const struct node *n)
{
	return n->type == TYPE_TUPLE || n->type == TYPE_FROZENSET ||
	       n->type == TYPE_SLICE || n->type == TYPE_FROZENDICT ||
	       n->type == TYPE_CODE;
}

/* Equal kids have been merged, so they are the same pointer and can be hashed
 * as pointers. Addresses differ between runs, but they only choose a bucket and
 * never affect the order of the output. */
static uint64_t hash_node(const struct node *n)
{
	if (px_node_has_kids(n))
		return px_hash64(n->type, n->kids,
				 n->n * sizeof(struct node *));
	return px_hash64(n->type, n->data, n->n);
}

static bool same(const struct node *a, const struct node *b)
{
	if (a->type != b->type || a->n != b->n)
		return false;
	if (a->n == 0)
		return true;
	return px_node_has_kids(a) ? memcmp(a->kids, b->kids,
					    a->n * sizeof(struct node *)) == 0
				   : memcmp(a->data, b->data, a->n) == 0;
}

static int grow(struct graph *g)
{
	const size_t n = g->n_buckets ? g->n_buckets * 2 : 256;
	struct node **buckets, *node, *next;
	size_t i, k;

	if (g->n_nodes < g->n_buckets)
		return 0;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	for (i = 0; i < g->n_buckets; i++) {
		for (node = g->buckets[i]; node; node = next) {
			next = node->next;
			k = hash_node(node) & (n - 1);
			node->next = buckets[k];
			buckets[k] = node;
		}
	}
	free(g->buckets);
	g->buckets = buckets;
	g->n_buckets = n;
	return 0;
}

struct node *px_graph_add(struct graph *g, const struct node *made)
{
	struct node *n = px_graph_alloc(g, sizeof(*n));

	if (n)
		*n = *made;
	return n;
}

struct node *px_graph_merge(struct graph *g, const struct node *made)
{
	struct node *n;
	size_t k;

	if (grow(g) < 0)
		return NULL;
	k = hash_node(made) & (g->n_buckets - 1);
	for (n = g->buckets[k]; n; n = n->next)
		if (same(n, made))
			return n;
	n = px_graph_add(g, made);
	if (!n)
		return NULL;
	n->next = g->buckets[k];
	g->buckets[k] = n;
	g->n_nodes++;
	return n;
}

int px_node_compare(const struct node *a, const struct node *b)
{
	uint32_t i;
	int r;

	if (a == b)
		return 0;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	if (!px_node_has_kids(a))
		return a->n ? memcmp(a->data, b->data, a->n) : 0;
	for (i = 0, r = 0; i < a->n && r == 0; i++)
		r = px_node_compare(a->kids[i], b->kids[i]);
	return r;
}
