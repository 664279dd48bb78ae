/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_DEPOT_H
#define PX_REMOTE_DEPOT_H
/*
 * Where the objects lie: a directory. Objects are bytes here, and nothing is
 * known of what they mean.
 *
 * Threads: any. Calls block as the file system does.
 */

#include "pycfs/chunk.h"

struct px_depot;

/* Looks at the URL only. -EINVAL, -EPROTONOSUPPORT, with a sentence in `why`.
 */
int px_depot_check_url(const char *url, struct px_why *why);
/* -ENOMEM. */
int px_depot_open(const char *url, struct px_depot **ret);
void px_depot_close(struct px_depot *d); /* NULL is fine */

/* Appends the object `name` of a signer to `ret`. With `keep`, one that is old
 * is marked as used, so that whoever deletes old objects spares it. -ENOENT: it
 * has none; -ENODEV: nor has it anything, since its place does not exist;
 * -EFBIG, -EBADMSG: it is no object; another -errno. */
int px_depot_get(struct px_depot *d, const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], bool keep,
		 struct px_buf *ret);

/* Stores an object: as a whole, or not at all. -errno. */
int px_depot_put(struct px_depot *d, const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], const void *data,
		 size_t n);

#endif
