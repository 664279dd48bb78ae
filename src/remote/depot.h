/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_DEPOT_H
#define PX_REMOTE_DEPOT_H
/*
 * Where the objects lie: a directory, or a store that speaks HTTP. Objects are
 * bytes here, and nothing is known of what they mean.
 *
 * Threads: any; each slot, below px_depot_slots, is used by one at a time.
 * Calls block as the file system or the network does.
 */

#include "pycfs/chunk.h"

struct px_depot;

/* Looks at the URL only. -EINVAL, -EPROTONOSUPPORT, -EPERM, with a sentence in
 * `why`. */
int px_depot_check_url(const char *url, struct px_why *why);
/* -ENOMEM. */
int px_depot_open(const char *url, struct px_depot **ret);
void px_depot_close(struct px_depot *d); /* NULL is fine */

/* How many calls may be on the way at once. */
unsigned px_depot_slots(const struct px_depot *d);
/* Ends calls that are on the way, where that is possible, and all later ones.
 */
void px_depot_cancel(struct px_depot *d);

/* Appends the object `name` of a signer to `ret`. With `keep`, one that is old
 * is marked as used, where that is possible, so that whoever deletes old
 * objects spares it. -ENOENT: it has none; -ENODEV: nor has it anything, since
 * its place does not exist; -EFBIG, -EBADMSG: it is no object; -EACCES,
 * -EPROTO, -EHOSTUNREACH, -ELIBACC: it will not answer later either; another
 * -errno. `why` may get a sentence, and is left alone else. */
int px_depot_get(struct px_depot *d, unsigned slot,
		 const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], bool keep,
		 struct px_buf *ret, struct px_why *why);

/* Stores an object: as a whole, or not at all. -errno; `why` as above. */
int px_depot_put(struct px_depot *d, unsigned slot,
		 const uint8_t signer[PX_SIGNER_ID_SIZE],
		 const uint8_t name[PX_DIGEST_SIZE], const void *data, size_t n,
		 struct px_why *why);

#endif
