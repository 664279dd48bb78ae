/* SPDX-License-Identifier: MIT */
/*
 * px_marshal_canonical for tests that are no C programs.
 *
 * usage: canonical MAGIC <IN >OUT
 *
 * IN and OUT are blocks of le32 bytes and so many bytes: code objects as
 * marshal data, and their canonical forms in the same order. MAGIC is the le32
 * that a .pyc begins with.
 */
#include "pycfs/marshal.h"

#include <stdio.h>

#define MAX_BLOCK (64u << 20)

/* 1: a block, 0: the end, or -errno. */
static int read_block(struct px_buf *b)
{
	uint8_t size[4];
	ssize_t n = px_read_full(0, size, sizeof(size));
	uint32_t want;
	int r;

	if (n <= 0)
		return (int)n;
	if (n != (ssize_t)sizeof(size))
		return -EIO;
	want = px_get_le32(size);
	r = px_buf_reserve(b, want);
	if (r < 0)
		return r;
	n = px_read_full(0, b->data, want);
	if (n != (ssize_t)want)
		return n < 0 ? (int)n : -EIO;
	b->size = want;
	return 1;
}

static int rewrite(uint32_t magic)
{
	PX_AUTO(px_buf_fini) struct px_buf in = {.max = MAX_BLOCK};
	PX_AUTO(px_buf_fini) struct px_buf out = {.max = MAX_BLOCK};
	struct px_fault fault = {0, ""};
	uint8_t size[4];
	int r = read_block(&in);

	if (r <= 0)
		return r;
	r = px_marshal_canonical(magic, in.data, in.size, &out, &fault);
	if (r < 0) {
		fprintf(stderr, "canonical: %s: %s at byte %zu\n", strerror(-r),
			fault.what, fault.offset);
		return r;
	}
	px_put_le32(size, (uint32_t)out.size);
	r = px_write_full(1, size, sizeof(size));
	if (r == 0)
		r = px_write_full(1, out.data, out.size);
	return r < 0 ? r : 1;
}

int main(int argc, char **argv)
{
	uint32_t magic;
	int r;

	if (argc != 2)
		return 2;
	magic = (uint32_t)strtoul(argv[1], NULL, 10);
	do
		r = rewrite(magic);
	while (r > 0);
	return r < 0;
}
