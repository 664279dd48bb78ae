/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_HANDLE_H
#define PX_FUSE_HANDLE_H
/*
 * An open file or directory. fi->fh is the address of its handle, or 0 for a
 * file of which nothing is held.
 *
 * Threads: any; a handle's members do not change after OPEN was answered.
 */

#include "mount.h"

struct handle {
	struct handle *prev, *next; /* in px_fuse.handles */
	struct px_blob *blob;	    /* of a module or RECORD */
	int fd;			    /* of a source file; -1: none */
	/* Hash of its size and mtime when it was opened: see stamp_of in
	 * file.c. */
	uint32_t stamp;
	struct px_inode dir; /* of a directory, as is the next */
	struct px_view *view;
};

/* An empty handle in the list of `f`. NULL: ENOMEM. */
struct handle *px_handle_new(struct px_fuse *f);
/* Closes and frees all that it holds. NULL is fine. */
void px_handle_free(struct px_fuse *f, struct handle *h);

static inline struct handle *px_handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

#endif
