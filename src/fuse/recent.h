/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_RECENT_H
#define PX_FUSE_RECENT_H
/*
 * The blobs that were read last. On an immutable source the kernel sends no
 * OPEN, so that no open file holds a module's blob from one READ to the next.
 *
 * Threads: any.
 */

#include "pycfs/blob.h"

struct px_recent;

struct px_recent *px_recent_new(void);	  /* NULL: ENOMEM */
void px_recent_free(struct px_recent *r); /* NULL is fine */

/* A reference to the blob of node `id`, or NULL: it is not among them. */
struct px_blob *px_recent_get(struct px_recent *r, uint64_t id);
/* Adds it, in place of the one that was added first. Takes its own reference.
 */
void px_recent_put(struct px_recent *r, uint64_t id, struct px_blob *b);
/* Removes it, if it is there: the node was read up to its end. */
void px_recent_drop(struct px_recent *r, uint64_t id);

#endif
