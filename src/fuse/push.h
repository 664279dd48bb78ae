/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_PUSH_H
#define PX_FUSE_PUSH_H
/*
 * Puts files into the kernel's page cache before they are read. A READ costs a
 * round trip and a wake-up for each small file; a process that copies a tree
 * finds pushed files in the page cache and pays neither. Only for an immutable
 * source.
 *
 * A directory's files are pushed when a second one of them is read: the others
 * will probably be read, too. After that has happened in several directories,
 * further ones are pushed as soon as they are listed, except for one in 16,
 * which is left alone to see whether directories are still read.
 */

#include "mount.h"

struct px_push;

int px_push_start(struct px_fuse *f, struct px_push **ret);
void px_push_stop(struct px_push *p); /* NULL is fine */

/* For the next two, NULL does nothing. */

/* The kernel has listed all of directory `dir`, which has files. To be called
 * before the last READDIR is answered. */
void px_push_listed(struct px_push *p, uint64_t dir);
/* A READ of node `id` was received. */
void px_push_read(struct px_push *p, uint64_t id);

#endif
