/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_REPLY_H
#define PX_CONTENT_REPLY_H
/*
 * How a module that was found or compiled is reported: to the one who asked,
 * and, if it does not compile, to the user.
 *
 * Threads: any.
 */

#include "key.h"
#include "said.h"

/* What the cache's index says of the module `id` whose source is `st`. */
void px_reply_fill(const struct px_content_options *o,
		   const struct px_module_id *id, const struct px_stat *st,
		   const struct px_cache_entry *e, struct px_module *ret);

/* The entry of the cache's index that leads to the blob `b`, under `key`. With
 * `with_mark`, its mark (mark.h) is computed, which reads all bytes of the
 * blob: the index needs it, a reply only if times depend on bytes. */
struct px_cache_entry px_reply_entry(const struct px_blob *b,
				     const uint8_t key[PX_DIGEST_SIZE],
				     bool with_mark);

/* Calls `done` with a module whose blob `b` is there, under `key`: with its
 * co_filename in the bytes. Takes a reference to `b` over. With -ENOMEM, if
 * there is no memory for them. */
void px_reply_blob(const struct px_content_options *o,
		   const struct px_module_id *id, const struct px_stat *st,
		   const uint8_t key[PX_DIGEST_SIZE], struct px_blob *b,
		   px_content_done done, void *arg);

/* Logs what does not compile, and where; nothing of a module that does. Once
 * for each path and key, and never if the options say that whoever asks reports
 * it. */
void px_reply_log(const struct px_content_options *o, struct px_said *said,
		  const char *path, const uint8_t key[PX_DIGEST_SIZE],
		  const struct px_blob *b);

#endif
