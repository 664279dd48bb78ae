/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_INODE_NODE_H
#define PX_FUSE_INODE_NODE_H
/*
 * Nodes, and the table that finds them by id and by name. Everything here is
 * called with px_inodes.lock held; inode.c is the interface, which takes it.
 */

#include "pycfs/inode.h"
#include "pycfs/map.h"

#include <pthread.h>

/* What a directory listed last. */
struct listed {
	struct px_view *view;
	struct px_fingerprint fp; /* of the directory then */
};

/* There is one for each name that the kernel remembers, so its size counts. The
 * id is the hash of by_id: ids are handed out in order, and their low bits
 * spread them evenly over the buckets. */
struct node {
	struct px_map_node by_id;
	struct px_map_node by_name; /* by the hash of parent's id and name */
	struct node *parent;	    /* NULL: this is the root */
	uint64_t number;
	uint64_t n_lookups;
	struct listed *listed; /* of a directory; NULL: none yet */
	uint64_t tag;
	uint64_t version;    /* 0: not known yet */
	struct px_attr attr; /* of that version */
	uint32_t n_children; /* nodes whose parent this is */
	uint32_t n_read;     /* of a directory: files that were read */
	uint16_t source;     /* where in `names` its source's name begins */
	uint8_t kind;	     /* enum px_kind */
	bool has_attr : 1;
	bool has_tag : 1;
	/* Was read or pushed. Of a directory: all its files were pushed, or are
	 * going to be. */
	bool read : 1;
	/* The name leads to this node; false once a newer node has the name. */
	bool has_name : 1;
	char names[]; /* as shipped; the source's name, if that is different */
};

struct px_inodes {
	pthread_mutex_t lock; /* for everything below and in the nodes */
	struct px_map by_id;
	struct px_map by_name;
	uint64_t next_id;
	struct node *root;
};

static inline uint64_t px_inodes_id_of(const struct node *n)
{
	return n->by_id.hash;
}

/* A node with these names, in no table yet. NULL: no memory, or a name that is
 * longer than any file system allows. */
struct node *px_inodes_new_node(const char *name, const char *source,
				enum px_kind kind);
void px_inodes_free_node(struct node *n);
void px_inodes_free_listed(struct listed *l); /* NULL is fine */

/* Gives `n` the next id and its name in directory `parent` (NULL: `n` is the
 * root). 0; -ENOMEM, only for the first node. */
int px_inodes_add(struct px_inodes *t, struct node *n, struct node *parent);
/* The name no longer leads to `n`, which goes on being found by id. */
void px_inodes_take_name(struct px_inodes *t, struct node *n);
/* Frees `n` if nothing refers to it: no lookup of the kernel's and no child;
 * then its parent, if `n` was the last reference to that, and so on. */
void px_inodes_drop_unused(struct px_inodes *t, struct node *n);

/* NULL: there is none. */
struct node *px_inodes_find(const struct px_inodes *t, uint64_t id);
/* The node to which `name` in directory `dir` leads; NULL: there is none. */
struct node *px_inodes_find_name(const struct px_inodes *t, uint64_t dir,
				 const char *name);

#endif
