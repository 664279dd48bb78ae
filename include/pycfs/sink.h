/* SPDX-License-Identifier: MIT */
#ifndef PX_SINK_H
#define PX_SINK_H
/*
 * Where an export goes: a directory, a tar (plain or compressed), a zip, or a
 * tar on a descriptor. Until px_sink_commit it stands beside its destination,
 * as temp.h says.
 *
 * Threads: one at a time.
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
	const char *dest; /* a path; the format is by its ending */
	int fd;		  /* write a tar there instead; else negative */
	bool force;	  /* replace a directory that is not empty */
	bool digest;	  /* px_sink_result has digests */
};

/* What an entry is, and where: `path` is relative, in byte order with what
 * came before it (a directory's as if it ended in a slash), and every
 * directory comes before what is in it. "" is the destination itself, which
 * only a directory has. */
struct px_sink_entry {
	const char *path;
	const struct px_attr *attr;
	/* Of a link; or the path of an earlier file that this one shall be a
	 * hard link to, which no zip can hold. */
	const char *target;
	bool hardlink;
};

struct px_sink_result {
	uint64_t bytes; /* of the file written; 0: a directory */
	uint8_t sha256[PX_SHA256_SIZE];	 /* of that file */
	uint8_t diff_id[PX_SHA256_SIZE]; /* of the tar before compression */
};

struct px_sink;

/* The format that the ending of `dest` asks for. */
enum px_sink_format px_sink_format(const char *dest);

/* Makes the temporary file or directory. -EEXIST: a directory that is not
 * empty, or something that is neither; -errno; with a sentence in `why`. */
int px_sink_open(const struct px_sink_options *o, struct px_sink **ret,
		 struct px_why *why);

/* Writes one entry; `data` are the attr->size bytes of a file. The errors of
 * the file system; -EILSEQ: the format cannot hold such a name; -EOVERFLOW: a
 * directory cannot have such an owner in this user namespace. */
int px_sink_put(struct px_sink *s, const struct px_sink_entry *e,
		const void *data);
/* The same for a file whose bytes are those of descriptor `fd`, read from its
 * offset on. -ESTALE: it has not as many as attr->size says. */
int px_sink_put_fd(struct px_sink *s, const struct px_sink_entry *e, int fd);

/* Writes what is left, but leaves it under its temporary name. */
int px_sink_finish(struct px_sink *s, struct px_sink_result *ret);
/* Puts what was finished into its place, at once. With a sentence in `why`. */
int px_sink_commit(struct px_sink *s, struct px_why *why);
/* Removes what was not committed, and frees. NULL is fine. */
void px_sink_free(struct px_sink *s);

#endif
