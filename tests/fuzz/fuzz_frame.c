/* SPDX-License-Identifier: MIT */
/* Input: a frame. What is accepted is what would have been written. */
#include "fuzz.h"
#include "pycfs/frame.h"

static void hello(const uint8_t *p, size_t n, struct px_buf *out)
{
	struct px_frame_hello h;

	if (px_frame_get_hello(p, n, &h) == 0)
		MUST(px_frame_put_hello(out, &h) == 0);
}

static void compile(const uint8_t *p, size_t n, struct px_buf *out)
{
	struct px_frame_compile c;

	if (px_frame_get_compile(p, n, &c) < 0)
		return;
	MUST(c.optimize <= 2 && c.co_filename.size > 0);
	MUST(!memchr(c.co_filename.data, '\0', c.co_filename.size));
	MUST(px_frame_put_compile(out, &c) == 0);
}

static void result(const uint8_t *p, size_t n, struct px_buf *out)
{
	struct px_frame_result r;

	if (px_frame_get_result(p, n, &r) == 0)
		MUST(px_frame_put_result(out, &r) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_buf out = {.max = SIZE_MAX};
	enum px_frame_type type;
	size_t length, n;
	uint8_t *p;

	if (size < PX_FRAME_HEADER_SIZE ||
	    px_frame_get_header(data, &type, &length) < 0)
		return 0;
	MUST(length <= PX_FRAME_MAX);
	n = size - PX_FRAME_HEADER_SIZE;
	p = fuzz_copy(data + PX_FRAME_HEADER_SIZE, n);
	if (type == PX_FRAME_HELLO)
		hello(p, n, &out);
	else if (type == PX_FRAME_COMPILE)
		compile(p, n, &out);
	else
		result(p, n, &out);
	if (out.size > 0) {
		MUST(out.size == size);
		MUST(memcmp(out.data + PX_FRAME_HEADER_SIZE, p, n) == 0);
	}
	px_buf_fini(&out);
	free(p);
	return 0;
}
