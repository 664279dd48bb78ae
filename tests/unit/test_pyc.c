/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/pyc.h"

#define MAGIC_312 0x0a0d0dcbu /* 3531, Lib/importlib 3.12 */

static const struct {
	struct px_pyc_header h;
	uint8_t bytes[PX_PYC_HEADER_SIZE];
} cases[] = {
	{{.magic = MAGIC_312, .mode = PX_PYC_UNCHECKED_HASH},
	 {0xcb, 0x0d, '\r', '\n', 1}},
	{{.magic = MAGIC_312,
	  .mode = PX_PYC_CHECKED_HASH,
	  .source_hash = {1, 2, 3, 4, 5, 6, 7, 8}},
	 {0xcb, 0x0d, '\r', '\n', 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}},
	{{.magic = MAGIC_312,
	  .mode = PX_PYC_TIMESTAMP,
	  .mtime = 0x65432100,
	  .source_size = 0x10203},
	 {0xcb, 0x0d, '\r', '\n', 0, 0, 0, 0, 0, 0x21, 0x43, 0x65, 3, 2, 1, 0}},
};

static void test_encode_decode(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		const struct px_pyc_header *h = &cases[i].h;
		uint8_t bytes[PX_PYC_HEADER_SIZE];
		struct px_pyc_header back;

		memset(bytes, 0xee, sizeof(bytes));
		memset(&back, 0xee, sizeof(back));
		px_pyc_encode(h, bytes);
		assert_memory_equal(bytes, cases[i].bytes, sizeof(bytes));
		assert_int_equal(px_pyc_decode(bytes, sizeof(bytes), &back), 0);
		assert_int_equal(back.magic, h->magic);
		assert_int_equal(back.mode, h->mode);
		assert_int_equal(back.mtime, h->mtime);
		assert_int_equal(back.source_size, h->source_size);
		assert_memory_equal(back.source_hash, h->source_hash, 8);
	}
}

static void test_decode_refuses(void **state PX_UNUSED)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} damages[] = {
		{2, '\n'}, {3, '\r'}, {4, 2}, {4, 4},
		{4, 5},	   {4, 0x81}, {5, 1}, {7, 0x80},
	};
	uint8_t bytes[PX_PYC_HEADER_SIZE + 1];
	struct px_pyc_header h;

	for (size_t i = 0; i < PX_ARRAY_LEN(damages); i++) {
		px_pyc_encode(&cases[0].h, bytes);
		bytes[damages[i].offset] = damages[i].value;
		assert_int_equal(px_pyc_decode(bytes, sizeof(bytes), &h),
				 -EBADMSG);
	}
	px_pyc_encode(&cases[0].h, bytes);
	for (size_t n = 0; n < PX_PYC_HEADER_SIZE; n++) {
		/* Exactly n bytes, for the sanitizer to see a read beyond. */
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, bytes, n);
		assert_int_equal(px_pyc_decode(exact, n, &h), -EBADMSG);
		free(exact);
	}
	assert_int_equal(px_pyc_decode(bytes, sizeof(bytes), &h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_decode),
		cmocka_unit_test(test_decode_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
