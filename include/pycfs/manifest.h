/* SPDX-License-Identifier: MIT */
#ifndef PX_MANIFEST_H
#define PX_MANIFEST_H
/*
 * The last entry of an archive of sources, which says what the modules of a
 * layer were made of. It is text:
 *
 *   pycfs-sources 1 python=3.12.1 magic=168627659 prefix=/site-packages dir=
 *   0123456789abcdef pkg/core.py
 *   - pkg/timed.py
 *
 * The first line has the number of the format; the version of Python and the
 * le32 at the start of its .pyc files; what co_filename begins with; and the
 * directory of the layer that has the modules. Then there is a line for each
 * module: the hash of its source that its .pyc has in the header, in hex, or
 * "-" if that has a time instead, and the path of the source below the prefix
 * and in the archive. Backslashes, spaces and control characters of values and
 * paths are escaped as in JSON.
 *
 * Threads: any. No function here blocks. What is read is not trusted.
 */

#include "pycfs/source_hash.h"

#define PX_MANIFEST_NAME "pycfs-sources.txt"

struct px_manifest_head {
	const char *python;
	uint32_t magic;
	const char *prefix;
	const char *dir; /* "": the top of the layer */
};

/* These append to `b`: the first line, and the line of one module; `hash` is
 * NULL if its .pyc has none. The errors are those of px_buf_add. */
int px_manifest_add_head(struct px_buf *b, const struct px_manifest_head *h);
int px_manifest_add(struct px_buf *b, const char *path,
		    const uint8_t hash[PX_SOURCE_HASH_SIZE]);

/* A manifest that is being read. */
struct px_manifest {
	struct px_manifest_head head;
	char *at; /* the next line */
};

struct px_manifest_row {
	const char *path;
	bool has_hash;
	uint8_t hash[PX_SOURCE_HASH_SIZE];
};

/* Begins to read `text`, which ends in a NUL byte, is changed by reading, and
 * must live as long as what was read, which points into it. Returns 0, or
 * -EBADMSG with what is wrong with it in `why`. */
int px_manifest_open(struct px_manifest *m, char *text, struct px_why *why);
/* Reads the next line. Returns 1 with *ret; 0 at the end; -EBADMSG if it is no
 * such line. */
int px_manifest_next(struct px_manifest *m, struct px_manifest_row *ret);

#endif
