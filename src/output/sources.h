/* SPDX-License-Identifier: MIT */
#ifndef PX_OUTPUT_SOURCES_H
#define PX_OUTPUT_SOURCES_H
/*
 * Writes the archive of sources beside an export: the source of every module
 * that is shipped, and a manifest (manifest.h).
 *
 * Threads: one at a time. Writing and reading sources may block.
 */

#include "pycfs/manifest.h"
#include "pycfs/walk.h"
#include "pycfs/sink.h"

struct px_sources;

/* Whether a .pyc with this header, of PX_PYC_HEADER_SIZE bytes, was made of the
 * source in `b`, and its hash in *ret_hash; NULL if it has none. */
bool px_sources_is_of(const uint8_t *header, const struct px_buf *b,
		      const struct px_stat *st, const uint8_t **ret_hash);

/* `sink`, `tree` and what `head` points to outlive it. Returns 0 and *ret,
 * which the caller frees; -ENOMEM; -EFBIG. */
int px_sources_new(struct px_sink *sink, struct px_tree *tree,
		   const struct px_manifest_head *head,
		   struct px_sources **ret);
/* Writes the source of the module `i`, which has its bytes. Returns 0; -ESTALE
 * if the source is not the one any more that was compiled; else the errors of
 * px_tree_read and px_sink_put. */
int px_sources_put(struct px_sources *s, const struct px_item *i);
/* Writes the manifest. The sink is then to be finished. */
int px_sources_end(struct px_sources *s);
void px_sources_free(struct px_sources *s); /* NULL is fine */

#endif
