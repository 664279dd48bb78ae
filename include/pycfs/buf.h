/* SPDX-License-Identifier: MIT */
#ifndef PX_BUF_H
#define PX_BUF_H
/*
 * A byte buffer that grows up to a maximum that its owner sets.
 *
 * Threads: a buffer belongs to one thread at a time. No function here blocks.
 */

#include "pycfs/util.h"

/*
 * A growing byte buffer. All sizes are in bytes; `data` has `size` bytes in use
 * and room for `capacity`, and never grows past `max`.
 * Invariant: size <= capacity <= max. To initialise, zero everything but `max`.
 */
struct px_buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t max;
};

/* Frees the data and leaves an empty buffer that can be used again. */
void px_buf_fini(struct px_buf *b);

/* Makes room for `n` more bytes, so that adding them cannot fail. Returns 0;
 * -EFBIG if the buffer would grow past `max`; -ENOMEM. */
int px_buf_reserve(struct px_buf *b, size_t n);
/* These append data, with the errors of px_buf_reserve. On failure the buffer
 * is unchanged. */
int px_buf_add(struct px_buf *b, const void *data, size_t n);
int px_buf_add_le32(struct px_buf *b, uint32_t v);
int px_buf_add_le64(struct px_buf *b, uint64_t v);
/* Removes the first `n` bytes and moves the rest to the front; n <= size. */
void px_buf_consume(struct px_buf *b, size_t n);

#endif
