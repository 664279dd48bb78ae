/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_PART_H
#define PX_CONTENT_PART_H
/*
 * A chunk (chunk.h) of this tree: which modules are in it.
 *
 * Threads: one at a time.
 */

#include "key.h"

#include "pycfs/map.h"
#include "pycfs/remote.h"

struct px_plan;

struct px_part_module {
	struct px_map_node node; /* of what is on the way: by key */
	struct px_part *part;
	struct px_module_id id;
	struct px_stat st;
	int64_t read_at_ns; /* 0: the index had its key */
	unsigned level;	    /* once it was read */
	bool has;	    /* the cache has it */
};

struct px_part {
	struct px_plan *plan;
	struct px_part *next;
	uint64_t bytes; /* of source */
	size_t n;
	px_chunk_key keys[PX_CHUNK_MODULES];
	struct px_part_module m[PX_CHUNK_MODULES];
};

void px_part_free(struct px_part *c); /* NULL is fine */

/* Puts what came for it into the cache, under the name of who signed it. */
void px_part_store(const struct px_content_options *o, const struct px_keys *k,
		   const struct px_part *c, struct px_blob *const *blobs,
		   const struct px_signer *by);

/* Gives it to the remote, if all of it is compiled. What is not is counted. */
void px_part_push(const struct px_content_options *o, const struct px_keys *k,
		  const struct px_part *c);

#endif
