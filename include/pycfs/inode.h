/* SPDX-License-Identifier: MIT */
#ifndef PX_INODE_H
#define PX_INODE_H
/*
 * The names the kernel has asked for. A node id stands for one entry of one
 * directory for as long as the kernel remembers it; ids are never reused.
 * The kernel's count of lookups keeps a node alive, and so do its children.
 *
 * Invariant: root is PX_INODE_ROOT and is never forgotten.
 * Threads: any; one lock, held for short copies only.
 */

#include "pycfs/view.h"

#define PX_INODE_ROOT 1 /* FUSE_ROOT_ID, <fuse_lowlevel.h> 3.14 */

struct px_inodes;

/* A copy of what a node is. */
struct px_inode {
	uint64_t id;
	uint64_t number; /* st_ino: of parent and name, equal in every mount */
	enum px_kind kind;
	char *path; /* of its source; the caller's, free() it */
};

int px_inodes_new(struct px_inodes **ret);
void px_inodes_free(struct px_inodes *t);

/* -ESTALE if unknown, -ENOMEM, -ENAMETOOLONG past PATH_MAX. */
int px_inodes_get(struct px_inodes *t, uint64_t id, struct px_inode *ret);

/* Finds or adds `e` of directory `parent` and adds one lookup. A name whose
 * kind or source changed gets a new id. -ESTALE, -ENOMEM. */
int px_inodes_enter(struct px_inodes *t, uint64_t parent,
		    const struct px_entry *e, uint64_t *ret_id);
/* Takes `n` lookups back. */
void px_inodes_forget(struct px_inodes *t, uint64_t id, uint64_t n);

/* st_ino of `name` in the directory whose st_ino is `parent`. Never 0 or 1. */
uint64_t px_inode_number(uint64_t parent, const char *name);

/* A directory's last view and the listing's fingerprint. get: -ENOENT if none;
 * the reference is the caller's. set takes its own reference. */
int px_inodes_get_view(struct px_inodes *t, uint64_t id, struct px_view **ret,
		       struct px_fingerprint *ret_fp);
void px_inodes_set_view(struct px_inodes *t, uint64_t id, struct px_view *v,
			const struct px_fingerprint *fp);

/* Remembers what bytes the kernel has pages of; true if the same as before. */
bool px_inodes_same_tag(struct px_inodes *t, uint64_t id, uint64_t tag);

size_t px_inodes_count(struct px_inodes *t);

#endif
