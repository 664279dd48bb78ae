/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_PARK_H
#define PX_FUSE_PARK_H
/*
 * A request that waits for a compile or for the cache. FUSE threads never wait:
 * they park the request, and whoever has the result answers it.
 *
 *   p = px_park(req, &inode);          in the FUSE thread
 *   px_content_get(..., done, p);
 *
 *   done(p): if (!px_claim(p))         in any thread, exactly once
 *                    return;
 *            fuse_reply_...(p->req, ...);
 *            px_parked_free(p);
 *
 * If the process that asked is killed in the meantime, the request is answered
 * with EINTR. px_claim then returns false and has freed `p`.
 */

#include "mount.h"

struct parked {
	fuse_req_t req;
	struct px_fuse *f;
	struct px_inode inode; /* the node; of LOOKUP, the directory */

	/* For who parks it; zero at first. */
	struct parked *next;
	struct fuse_file_info fi; /* OPEN, OPENDIR */
	size_t size;		  /* READ: bytes */
	off_t off;		  /* READ: bytes */
	enum px_kind kind;	  /* LOOKUP: of the entry */
	bool by_source;		  /* LOOKUP: X.py was asked for, not X.pyc */
	char *name;		  /* LOOKUP; freed with it, as is the next */
	char *source;		  /* LOOKUP: the entry's source name */

	/* Of park.c. */
	atomic_int state;
	atomic_bool claimed;
};

/* Takes inode->path over. NULL: ENOMEM; the request is still to be answered. */
struct parked *px_park(fuse_req_t req, struct px_inode *inode);
/* Whether the caller has to answer. False: it was answered, and `p` is freed.
 */
bool px_claim(struct parked *p);
void px_parked_free(struct parked *p); /* NULL is fine */

#endif
