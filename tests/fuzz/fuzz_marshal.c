/* SPDX-License-Identifier: MIT */
/* Input: one byte that chooses the Python, then marshal data. */
#include "fuzz.h"
#include "pycfs/filename.h"
#include "pycfs/marshal.h"

#define MAGIC(n) (UINT32_C(0x0a0d0000) | (n))
#define OUT_MAX	 (1u << 22)

static const uint32_t magics[] = {
	MAGIC(3413), MAGIC(3425), MAGIC(3439), MAGIC(3495), MAGIC(3531),
	MAGIC(3571), MAGIC(3600), MAGIC(3627), MAGIC(3666),
};

/* `whole` is the canonical form of the `n` bytes of `data`. If there is a form
 * without a name, `whole` is that form with some str in place of the mark. */
static void nameless(uint32_t magic, const uint8_t *data, size_t n,
		     const struct px_buf *whole)
{
	struct px_buf out = {.max = OUT_MAX};
	struct px_fault fault = {SIZE_MAX, NULL};
	size_t at, len, rest;
	int r = px_marshal_nameless(magic, data, n, &out, &at, &fault);

	if (r == 0) {
		MUST(at > 0 && at < out.size);
		MUST(px_filename_is_mark(out.data[at]));
		MUST(at < whole->size);
		MUST(memcmp(out.data, whole->data, at) == 0);
		MUST(((whole->data[at] ^ out.data[at]) & PX_FILENAME_SHARED) ==
		     0);
		len = (whole->data[at] & 0x7f) == 'z'
			      ? 2 + (size_t)whole->data[at + 1]
			      : 5 + (size_t)px_get_le32(whole->data + at + 1);
		rest = out.size - at - 1;
		MUST(at + len + rest == whole->size);
		MUST(memcmp(out.data + at + 1, whole->data + at + len, rest) ==
		     0);
	} else {
		MUST(r == -EBADMSG && fault.what != NULL && out.size == 0);
	}
	px_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_buf once = {.max = OUT_MAX}, twice = {.max = OUT_MAX};
	struct px_fault fault = {SIZE_MAX, NULL};
	uint32_t magic;
	int r;

	if (size == 0)
		return 0;
	magic = magics[data[0] % PX_ARRAY_LEN(magics)];
	MUST(px_buf_add(&once, "kept", 4) == 0);
	r = px_marshal_canonical(magic, data + 1, size - 1, &once, &fault);
	MUST(memcmp(once.data, "kept", 4) == 0);
	if (r < 0) {
		MUST(r == -EBADMSG || r == -EPROTONOSUPPORT || r == -EFBIG);
		MUST((r == -EPROTONOSUPPORT) == !px_marshal_knows(magic));
		MUST(once.size == 4);
		MUST((r == -EBADMSG) == (fault.what != NULL));
		MUST(r != -EBADMSG || fault.offset <= size - 1);
	} else {
		MUST(px_marshal_canonical(magic, once.data + 4, once.size - 4,
					  &twice, NULL) == 0);
		MUST(twice.size == once.size - 4);
		MUST(memcmp(twice.data, once.data + 4, twice.size) == 0);
		nameless(magic, data + 1, size - 1, &twice);
	}
	px_buf_fini(&once);
	px_buf_fini(&twice);
	return 0;
}
