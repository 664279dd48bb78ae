/* SPDX-License-Identifier: MIT */
#ifndef PX_MARSHAL_GRAPH_H
#define PX_MARSHAL_GRAPH_H
/*
 * The objects of one module as a graph in which equal constants are one node.
 * The reader fills it, the writer walks it.
 */

#include "pycfs/marshal.h"

/* What r_object accepts before it gives up: MAX_MARSHAL_STACK_DEPTH in
 * Python/marshal.c, 2000 on Linux in 3.8-3.15. */
#define MAX_DEPTH 2000

#define FLAG_REF  0x80

/* Type bytes of Python/marshal.c. Each kind of node is known by one of them,
 * whichever form it had. */
enum type {
	TYPE_NONE = 'N',
	TYPE_FALSE = 'F',
	TYPE_TRUE = 'T',
	TYPE_STOPITER = 'S',
	TYPE_ELLIPSIS = '.',
	TYPE_INT = 'i',
	TYPE_LONG = 'l',
	TYPE_BINARY_FLOAT = 'g',
	TYPE_BINARY_COMPLEX = 'y',
	TYPE_STRING = 's', /* bytes */
	TYPE_REF = 'r',
	TYPE_TUPLE = '(',
	TYPE_SMALL_TUPLE = ')',
	TYPE_CODE = 'c',
	TYPE_UNICODE = 'u', /* also the kind of every str */
	TYPE_INTERNED = 't',
	TYPE_FROZENSET = '>',
	TYPE_SLICE = ':',      /* start, stop, step; version 5 */
	TYPE_FROZENDICT = '}', /* key, value, ..., TYPE_NULL; version 6 */
	TYPE_NULL = '0',
	TYPE_ASCII = 'a',
	TYPE_ASCII_INTERNED = 'A',
	TYPE_SHORT_ASCII = 'z',
	TYPE_SHORT_ASCII_INTERNED = 'Z',
	/* Ours: a str that is a co_filename, equal to no other. */
	KIND_FILENAME = '/',
};

struct chunk;
struct layout;

struct node {
	struct node *next; /* in its bucket */
	enum type type;
	bool interned;
	/* Is NaN or a code object, or has one inside: equal to nothing else,
	 * and in no order that follows from values. */
	bool unordered;
	uint16_t height;     /* levels below and including this one */
	unsigned uses;	     /* places it is written at */
	uint32_t ref;	     /* 1 + its number once written with FLAG_REF */
	uint32_t n;	     /* bytes of data, or number of kids */
	const uint8_t *data; /* into the input; of code: its longs */
	struct node **kids;
};

struct graph {
	const struct layout *layout;
	const uint8_t *data;
	size_t size;
	size_t at;
	size_t claimed; /* kids of all containers: each takes a byte or more */
	struct px_fault fault;
	/* Objects by value. */
	struct node **buckets;
	size_t n_buckets;
	size_t n_nodes;
	/* By FLAG_REF number; NULL while being read. */
	struct node **refs;
	size_t n_refs;
	size_t refs_capacity;
	struct chunk *chunks;
};

void px_graph_fini(struct graph *g);
/* Zeroed memory that lives as long as the graph; NULL: ENOMEM. */
void *px_graph_alloc(struct graph *g, size_t size);

/* The one node with this value. `made` is a complete node on the stack, its
 * kids merged already; copied if it is new. NULL: ENOMEM. */
struct node *px_graph_merge(struct graph *g, const struct node *made);
/* A node equal to no other. */
struct node *px_graph_add(struct graph *g, const struct node *made);

/* Whether it is made of others, which are its kids. */
bool px_node_has_kids(const struct node *n);

/* An order of values: of the same ones it is always the same. */
int px_node_compare(const struct node *a, const struct node *b);

#endif
