/* SPDX-License-Identifier: MIT */
#ifndef PX_SINK_H
#define PX_SINK_H
/*
 * The destination of an export: a directory, a tar (plain or compressed), a
 * zip, or a tar written to a descriptor. Until px_sink_commit the output is
 * under a temporary name next to the destination (temp.h); a tar on a
 * descriptor has no temporary name.
 *
 * Threads: a sink belongs to one thread at a time. All functions but
 * px_sink_format and px_sink_free write, and may block.
 * Owns: <archive.h>.
 */

#include "pycfs/content.h"

enum px_sink_format {
	PX_SINK_DIR,
	PX_SINK_TAR,
	PX_SINK_TAR_GZ,
	PX_SINK_TAR_ZST,
	PX_SINK_ZIP,
};

struct px_sink_options {
	const char *dest; /* path; its ending selects the format */
	int fd;		  /* to write a tar there instead; else negative */
	/* whether a directory that is not empty may be replaced */
	bool force;
	bool digest; /* compute the digests of px_sink_result */
};

/* One entry of the output; the caller owns everything in it. `path` is relative
 * to the destination. Entries must come in byte order of their paths, with the
 * path of a directory compared as if it ended in a slash, and a directory must
 * come before what is in it. The path "" is the destination itself; archives
 * ignore it. */
struct px_sink_entry {
	const char *path;
	const struct px_attr *attr;
	/* The target of a symlink; or, with `hardlink`, the path of an earlier
	 * file to which this one becomes a hard link, which a zip does not
	 * support. Else NULL. */
	const char *target;
	bool hardlink;
};

struct px_sink_result {
	uint64_t bytes;			 /* of the archive; 0 for a directory */
	uint8_t sha256[PX_SHA256_SIZE];	 /* of the archive */
	uint8_t diff_id[PX_SHA256_SIZE]; /* of the tar before compression */
};

struct px_sink;

/* The endings of archives that can be written, for messages. */
#define PX_SINK_ENDINGS ".tar, .tar.gz, .tgz, .tar.zst, .tzst or .zip"

/* Returns the format that the ending of `dest` selects. */
enum px_sink_format px_sink_format(const char *dest);

/* Returns the ending of `dest` if it is that of an archive or a compressed file
 * that cannot be written, such as .tar.xz, or .ZIP; else NULL. Points into
 * `dest`. A slash at its end says that it is a directory. */
const char *px_sink_unknown_ending(const char *dest);

/* The library that writes archives and those that it compresses with, and their
 * versions: other ones may write other bytes. A static string. */
const char *px_sink_library(void);

/* Opens a sink, with its temporary file or directory. Strings in `o` are used
 * during the call only; o->fd stays owned by the caller and must outlive the
 * sink. Returns 0 and the sink, which the caller frees with px_sink_free;
 * -EEXIST if the destination exists and may not be replaced (px_temp_make);
 * -errno; on failure with a sentence in `why`. */
int px_sink_open(const struct px_sink_options *o, struct px_sink **ret,
		 struct px_why *why);

/* Writes one entry. `data` has the attr->size bytes of a regular file and is
 * ignored for other entries. Returns 0; -EILSEQ if the format does not support
 * such a name; -EOVERFLOW if the user namespace does not have the owner that a
 * file or directory is to get; -errno of the file system. */
int px_sink_put(struct px_sink *s, const struct px_sink_entry *e,
		const void *data);
/* Writes a regular file whose content is read from the descriptor `fd`, from
 * its current position to its end. -ESTALE if that is not attr->size bytes;
 * otherwise as px_sink_put. */
int px_sink_put_fd(struct px_sink *s, const struct px_sink_entry *e, int fd);

/* Completes the output but leaves it under its temporary name. *ret is filled
 * in. Returns 0 or -errno. */
int px_sink_finish(struct px_sink *s, struct px_sink_result *ret);
/* Atomically moves the completed output to its destination. Returns 0 or -errno
 * with a sentence in `why`. */
int px_sink_commit(struct px_sink *s, struct px_why *why);
/* Removes the output unless it has been committed, and frees the sink. NULL is
 * allowed. */
void px_sink_free(struct px_sink *s);

#endif
