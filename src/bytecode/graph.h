/* SPDX-License-Identifier: MIT */
#ifndef PX_BYTECODE_GRAPH_H
#define PX_BYTECODE_GRAPH_H
/*
 * The objects of one code object as a graph in which equal constants share one
 * node. The reader builds the graph and the writer walks it. Private to
 * this folder.
 */

#include "pycfs/marshal.h"

/* The nesting depth at which CPython's r_object gives up:
 * MAX_MARSHAL_STACK_DEPTH in Python/marshal.c, 2000 on Linux in 3.8-3.15. */
#define MAX_DEPTH 2000

#define FLAG_REF  0x80

/* Type bytes of Python/marshal.c. Several of them are different encodings of
 * the same kind of object (for example six for str); a node's type is always
 * the same one of these. */
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
	TYPE_UNICODE = 'u', /* the type of the node of every str */
	TYPE_INTERNED = 't',
	TYPE_FROZENSET = '>',
	TYPE_SLICE = ':',      /* start, stop, step; version 5 */
	TYPE_FROZENDICT = '}', /* key, value, ..., TYPE_NULL; version 6 */
	TYPE_NULL = '0',
	TYPE_ASCII = 'a',
	TYPE_ASCII_INTERNED = 'A',
	TYPE_SHORT_ASCII = 'z',
	TYPE_SHORT_ASCII_INTERNED = 'Z',
	/* Only in memory: a str that is a co_filename. The separate type keeps
	 * it from being merged with an equal constant. */
	KIND_FILENAME = '/',
};

struct chunk;
struct layout;

struct node {
	struct node *next; /* the next node in the same bucket */
	enum type type;
	bool interned;
	/* This is NaN or a code object, or contains one. It is equal to nothing
	 * else, and has no place in an order by value. */
	bool unordered;
	uint16_t height;     /* levels of kids below it; 0: it has none */
	unsigned uses;	     /* number of places that refer to it */
	uint32_t ref;	     /* once written with FLAG_REF: its number + 1 */
	uint32_t n;	     /* bytes in `data`, or number of kids */
	const uint8_t *data; /* in the input; of code: its le32 numbers */
	struct node **kids;
};

struct graph {
	const struct layout *layout;
	const uint8_t *data;
	size_t size;
	size_t at;
	/* Number of kids of all containers so far. Each takes at least one byte
	 * of input, so that a larger number than `size` is an error. */
	size_t claimed;
	struct px_fault fault;
	/* Hash table of the nodes, by value. */
	struct node **buckets;
	size_t n_buckets;
	size_t n_nodes;
	/* The objects with FLAG_REF, by number; NULL while the object is still
	 * being read. */
	struct node **refs;
	size_t n_refs;
	size_t refs_capacity;
	struct chunk *chunks;
};

/* Frees the graph and all its nodes. */
void px_graph_fini(struct graph *g);
/* Returns zeroed memory that is freed with the graph. NULL if out of memory. */
void *px_graph_alloc(struct graph *g, size_t size);

/* Returns the node of the graph with the same value as `made`: an existing one
 * or a copy of `made`. `made` is complete, and its kids have been merged
 * already. NULL if out of memory. */
struct node *px_graph_merge(struct graph *g, const struct node *made);
/* Returns a copy of `made` that is never merged with another node. NULL if out
 * of memory. */
struct node *px_graph_add(struct graph *g, const struct node *made);

/* Whether nodes of this type consist of other nodes (their kids). */
bool px_node_has_kids(const struct node *n);

/* Compares by value, like memcmp. The order depends on nothing else, so it is
 * the same in every run. */
int px_node_compare(const struct node *a, const struct node *b);

#endif
