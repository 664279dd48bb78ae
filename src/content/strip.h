/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_STRIP_H
#define PX_CONTENT_STRIP_H
/*
 * Files that a rule strips: what ships of them. The outcome is kept in the
 * cache under the fingerprint of the file and the versions of the tools, and
 * the result as a file beside the database.
 *
 * Threads: any; one file is stripped at a time.
 */

#include "said.h"

#include "pycfs/content.h"

struct px_strips;

/* Both outlive it. -ENOMEM. */
int px_strips_new(const struct px_content_options *o, struct px_said *said,
		  struct px_strips **ret);
void px_strips_free(struct px_strips *s); /* NULL is fine */

/* What is shipped in place of a file. */
struct px_shipped {
	bool stripped; /* false: the file as it is; nothing else is set then */
	uint64_t size; /* bytes */
	uint64_t mark; /* of its bytes (mark.h) */
	uint8_t name[PX_DIGEST_SIZE]; /* of its bytes, as px_cache_put_file */
};

/* Looks what is shipped of the file `path`, whose state is *st; if it has
 * changed since, *st becomes what it was when it was read. Blocks while it is
 * stripped, if it was not before. A file that may not be read is shipped as it
 * is: whoever opens it is told why. Why a file is not stripped that should be
 * is logged once. -errno as px_tree_open_file, -ENOMEM, or that of starting a
 * tool. */
int px_strips_get(struct px_strips *s, const char *path, struct px_stat *st,
		  struct px_shipped *ret);

/* As px_content_open. */
int px_strips_open(struct px_strips *s, const char *path, bool known,
		   int *ret_fd, struct px_stat *ret_st, uint64_t *ret_size);

#endif
