/* SPDX-License-Identifier: MIT */
#include "pycfs/buf.h"

#define FIRST_CAPACITY 256

void px_buf_fini(struct px_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->size = 0;
	b->capacity = 0;
}

int px_buf_reserve(struct px_buf *b, size_t n)
{
	size_t need;
	size_t capacity;
	uint8_t *data;

	if (n > b->max || b->size > b->max - n)
		return -EFBIG;
	need = b->size + n;
	if (need <= b->capacity)
		return 0;
	capacity = b->capacity < b->max / 2 ? b->capacity * 2 : b->max;
	if (capacity < FIRST_CAPACITY && FIRST_CAPACITY <= b->max)
		capacity = FIRST_CAPACITY;
	if (capacity < need)
		capacity = need;
	data = realloc(b->data, capacity);
	if (!data && capacity > need) {
		capacity = need;
		data = realloc(b->data, capacity);
	}
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int px_buf_add(struct px_buf *b, const void *data, size_t n)
{
	int r = px_buf_reserve(b, n);

	if (r < 0)
		return r;
	/* memcpy must not be given a NULL pointer, even for zero bytes. */
	if (n > 0)
		memcpy(b->data + b->size, data, n);
	b->size += n;
	return 0;
}

int px_buf_add_le32(struct px_buf *b, uint32_t v)
{
	uint8_t bytes[4];

	px_put_le32(bytes, v);
	return px_buf_add(b, bytes, sizeof(bytes));
}

int px_buf_add_le64(struct px_buf *b, uint64_t v)
{
	uint8_t bytes[8];

	px_put_le64(bytes, v);
	return px_buf_add(b, bytes, sizeof(bytes));
}

void px_buf_consume(struct px_buf *b, size_t n)
{
	if (n == 0)
		return;
	b->size -= n;
	memmove(b->data, b->data + n, b->size);
}
