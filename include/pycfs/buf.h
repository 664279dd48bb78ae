/* SPDX-License-Identifier: MIT */
#ifndef PX_BUF_H
#define PX_BUF_H
/*
 * A byte buffer that grows up to a maximum that its owner sets.
 *
 * Threads: a buffer belongs to one thread at a time. Nothing here blocks.
 */

#include "pycfs/util.h"

/*
 * A growing byte buffer that refuses to grow past `max` bytes.
 * Invariant: size <= capacity <= max. Zero-initialise apart from `max`.
 */
struct px_buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t max;
};

void px_buf_fini(struct px_buf *b);

/* Makes room for `n` more bytes. -EFBIG past max, -ENOMEM. */
int px_buf_reserve(struct px_buf *b, size_t n);
/* Appends. The same errors; the buffer is unchanged on failure. */
int px_buf_add(struct px_buf *b, const void *data, size_t n);
int px_buf_add_le32(struct px_buf *b, uint32_t v);
int px_buf_add_le64(struct px_buf *b, uint64_t v);
/* Drops the first `n` bytes (n <= size). */
void px_buf_consume(struct px_buf *b, size_t n);

#endif
