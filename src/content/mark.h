/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_MARK_H
#define PX_CONTENT_MARK_H
/*
 * Times that are made from bytes (px_content_options.mtime_by_content). The
 * mark of a file is the beginning of a checksum of its bytes, and its time is
 * so many steps of two seconds away from the epoch.
 *
 * Threads: any.
 */

#include "pycfs/content.h"

/* The first 8 bytes of the XXH3-128 checksum, as a little-endian number. */
uint64_t px_mark_bytes(const void *data, size_t n);

/* The mark of all that can be read from `fd`, whose position does not change.
 * -errno; -ENOMEM. Blocks while it reads. */
int px_mark_fd(int fd, uint64_t *ret);

/* The mark of a module whose bytes are those of a nameless blob with the mark
 * `mark`, and the co_filename `name` in them. */
uint64_t px_mark_with_name(uint64_t mark, const char *name);

/*
 * The mark of the file `path`, which is passed through as it is. `st` is its
 * state; if the file has changed since, *st becomes what it was when it was
 * read. The mark is kept in the cache, so that a file is read once. Blocks
 * while it reads. A file that may not be read has the mark 0: whoever opens it
 * is told why. -errno as px_tree_open_file, -ENOMEM.
 */
int px_mark_file(const struct px_content_options *o, const char *path,
		 struct px_stat *st, uint64_t *ret);

/* The time of a file with that mark, in seconds since 1970; of the mark 0,
 * which directories and links have, the epoch itself. Even, and 1980 or later.
 */
int64_t px_mark_time(const struct px_content_options *o, uint64_t mark);

/* Whether times go upwards from the epoch, because downwards some would be
 * before 1980. */
bool px_mark_goes_up(const struct px_content_options *o);

#endif
