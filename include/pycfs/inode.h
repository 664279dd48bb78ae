/* SPDX-License-Identifier: MIT */
#ifndef PX_INODE_H
#define PX_INODE_H
/*
 * The names the kernel has asked for. A node id stands for one entry of one
 * directory for as long as the kernel remembers it; ids are never reused.
 * The kernel's count of lookups keeps a node alive, and so do its children.
 *
 * A node of a file stands for one version of it, too: when the content has
 * changed, the name gets a new node, so that the pages and the size that the
 * kernel keeps for a node always belong together, and who has the old version
 * open goes on reading that. Version 0: not known yet; the first one that is
 * known becomes the node's.
 *
 * Invariant: root is PX_INODE_ROOT and is never forgotten.
 * Threads: any; one lock, held for short copies only.
 */

#include "pycfs/content.h"

#define PX_INODE_ROOT 1 /* FUSE_ROOT_ID, <fuse_lowlevel.h> 3.14 */

struct px_inodes;

/* A copy of what a node is. */
struct px_inode {
	uint64_t id;
	uint64_t number; /* st_ino: of parent and name, equal in every mount */
	enum px_kind kind;
	char *path; /* of its source; the caller's */
};

void px_inode_fini(struct px_inode *i); /* frees the path */

int px_inodes_new(struct px_inodes **ret);
void px_inodes_free(struct px_inodes *t);

/* -ESTALE if unknown, -ENOMEM, -ENAMETOOLONG past PATH_MAX. */
int px_inodes_get(struct px_inodes *t, uint64_t id, struct px_inode *ret);

/* Finds or adds `e` of directory `parent` and adds one lookup. A name whose
 * kind, source or version changed gets a new id. -ESTALE, -ENOMEM. */
int px_inodes_enter(struct px_inodes *t, uint64_t parent,
		    const struct px_entry *e, uint64_t version,
		    uint64_t *ret_id);

/* The version of the node that has this name now; 0: none, or none known. */
uint64_t px_inodes_version(struct px_inodes *t, uint64_t parent,
			   const char *name);

/* Whether node `id` stands for `version`. If so, *attr is remembered; if not,
 * it becomes what was remembered. */
bool px_inodes_settle(struct px_inodes *t, uint64_t id, uint64_t version,
		      struct px_attr *attr);
/* The same without attributes. */
bool px_inodes_is(struct px_inodes *t, uint64_t id, uint64_t version);
/* What was remembered; false: nothing. */
bool px_inodes_get_attr(struct px_inodes *t, uint64_t id, struct px_attr *ret);
/* Takes `n` lookups back. */
void px_inodes_forget(struct px_inodes *t, uint64_t id, uint64_t n);

/* st_ino of `name` in the directory whose st_ino is `parent`. Never 0 or 1. The
 * same in every mount; and in order of names, nearly: cp(1) copies a directory
 * in order of inodes (coreutils 9.1, SAVEDIR_SORT_FASTREAD), and so comes to
 * what was compiled ahead, which is done in order of names. */
uint64_t px_inode_number(uint64_t parent, const char *name);

/* A directory's last view and the listing's fingerprint. get: -ENOENT if none;
 * the reference is the caller's. set takes its own reference. */
int px_inodes_get_view(struct px_inodes *t, uint64_t id, struct px_view **ret,
		       struct px_fingerprint *ret_fp);
void px_inodes_set_view(struct px_inodes *t, uint64_t id, struct px_view *v,
			const struct px_fingerprint *fp);

/* Remembers what bytes the kernel has pages of; true if the same as before. */
bool px_inodes_same_tag(struct px_inodes *t, uint64_t id, uint64_t tag);

/*
 * What is given to the kernel before it asks (fuse_push.c).
 * mark_read: a file is read; how many of its directory (*ret_dir) were before
 * the directory was claimed, this one too; 0: it was already, or is claimed.
 * claim_push: true once for each directory.
 * unread: the node with that name, true once, and only if it was not read.
 * child: the node with that name; false: the kernel does not know it.
 */
unsigned px_inodes_mark_read(struct px_inodes *t, uint64_t id,
			     uint64_t *ret_dir);
bool px_inodes_claim_push(struct px_inodes *t, uint64_t dir);
bool px_inodes_unread(struct px_inodes *t, uint64_t dir, const char *name,
		      uint64_t *ret_id);
bool px_inodes_child(struct px_inodes *t, uint64_t dir, const char *name,
		     uint64_t *ret_id);

size_t px_inodes_count(struct px_inodes *t);

#endif
