/* SPDX-License-Identifier: MIT */
#ifndef PX_UNARCHIVE_H
#define PX_UNARCHIVE_H
/*
 * Reads an archive in one go: a zip, or a tar that is plain or compressed by
 * gzip or zstd. Only px_unarchive_to unpacks into the file system. What is read
 * is not trusted: an archive of more than 8 million entries or 64 GiB is
 * refused, and the caller says how much of an entry it takes.
 *
 * Threads: one at a time. All functions but px_unarchive_close read the file,
 * and may block.
 */

#include "pycfs/util.h"

struct px_unarchive;

/* A regular file in the archive. The strings belong to the archive, until the
 * next entry is asked for. */
struct px_unarchive_entry {
	const char *path;     /* without "./" in front */
	const char *hardlink; /* the path of an earlier file that this is a link
			       * to, and then it has no bytes; else NULL */
};

/* Opens the regular file `path`. Returns 0 and *ret; -EINVAL if it is no
 * regular file; -errno; on failure with a sentence in `why`. */
int px_unarchive_open(const char *path, struct px_unarchive **ret,
		      struct px_why *why);
/* Goes to the next file, past directories and symbolic links. Returns 1 and
 * *ret; 0 at the end; -EBADMSG if the archive is damaged; -EFBIG if it is too
 * large; -errno; on failure with a sentence in `why`. */
int px_unarchive_next(struct px_unarchive *u, struct px_unarchive_entry *ret,
		      struct px_why *why);
/* Appends the bytes of the file to `b`. -EFBIG if they do not fit; else as
 * px_unarchive_next. */
int px_unarchive_read(struct px_unarchive *u, struct px_buf *b,
		      struct px_why *why);
/* Reads the first `n` bytes of the file. Returns how many there were, which is
 * less than `n` if the file is shorter; else as px_unarchive_next. */
ssize_t px_unarchive_head(struct px_unarchive *u, void *data, size_t n,
			  struct px_why *why);
/* Unpacks all of it below the directory `dir`, an absolute path without links:
 * directories, regular files and links, with their permissions and times, owned
 * by this user. Nothing is written outside of it, whatever the archive says:
 * -EXDEV for a path or a link that would lead there by "..", or through a
 * symlink. Other kinds of files are passed over. Errors are those of
 * px_unarchive_next. */
int px_unarchive_to(struct px_unarchive *u, const char *dir,
		    struct px_why *why);
void px_unarchive_close(struct px_unarchive *u); /* NULL is fine */

#endif
