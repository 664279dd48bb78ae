/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_FLUSH_H
#define PX_FUSE_FLUSH_H
/*
 * Commits the cache for a process that asks the mount to. That takes up to 5 s,
 * so a thread of its own does it and no reader is held up; all requests that
 * come meanwhile are answered together. Only root and the user who mounted may
 * ask: with allow_other everybody else can open the mount, too.
 */

#include "mount.h"

struct px_flush;

int px_flush_start(struct px_fuse *f, struct px_flush **ret);
/* Answers everybody who waits, which takes up to 5 s. NULL is fine. */
void px_flush_stop(struct px_flush *w);

/* Answers `req` once everything compiled so far is in the cache. */
void px_flush_request(fuse_req_t req);

#endif
