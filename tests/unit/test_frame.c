/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/frame.h"

#define STR(literal)                                            \
	{                                                       \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}

static const struct px_frame_hello hello = {
	.protocol = PX_FRAME_PROTOCOL,
	.magic = 0x0a0d0dcb,
	.hexversion = 0x030c01f0,
	.sandboxed = true,
	.version = STR("3.12.1 (main)"),
	.canary = STR("0123456789abcdef"),
};

static const struct px_frame_compile compile = {
	.id = 0x1122334455667788,
	.optimize = 2,
	.mode = PX_PYC_CHECKED_HASH,
	.canonical = true,
	.mtime = 0x65432100,
	.co_filename = STR("a/\xff.py"),
	.source = STR("x = '\0'\n"),
};

static const struct px_frame_result result = {
	.id = 0x1122334455667788,
	.status = PX_FRAME_REJECTED,
	.line = 3,
	.column = 4,
	.name_at = 0x10203040,
	.data = STR("invalid syntax"),
};

static void assert_str_equal(const struct px_str *a, const struct px_str *b)
{
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->data, b->data, b->size);
}

static int decode(enum px_frame_type type, const uint8_t *p, size_t n)
{
	struct px_frame_hello h;
	struct px_frame_compile c;
	struct px_frame_result r;

	switch (type) {
	case PX_FRAME_HELLO:
		return px_frame_get_hello(p, n, &h);
	case PX_FRAME_COMPILE:
		return px_frame_get_compile(p, n, &c);
	case PX_FRAME_RESULT:
		break;
	}
	return px_frame_get_result(p, n, &r);
}

/* Encodes the sample of `type`. */
static struct px_buf encode(enum px_frame_type type)
{
	struct px_buf b = {.max = 1000};

	if (type == PX_FRAME_HELLO)
		assert_int_equal(px_frame_put_hello(&b, &hello), 0);
	else if (type == PX_FRAME_COMPILE)
		assert_int_equal(px_frame_put_compile(&b, &compile), 0);
	else
		assert_int_equal(px_frame_put_result(&b, &result), 0);
	return b;
}

/* Checks the header and returns the payload's length. */
static size_t header_of(const struct px_buf *b, enum px_frame_type expected)
{
	enum px_frame_type type;
	size_t length;

	assert_int_equal(px_frame_get_header(b->data, &type, &length), 0);
	assert_int_equal(type, expected);
	assert_int_equal(length, b->size - PX_FRAME_HEADER_SIZE);
	return length;
}

static void test_hello(void **state PX_UNUSED)
{
	struct px_buf b = encode(PX_FRAME_HELLO);
	struct px_frame_hello h;

	assert_int_equal(px_frame_get_hello(b.data + PX_FRAME_HEADER_SIZE,
					    header_of(&b, PX_FRAME_HELLO), &h),
			 0);
	assert_int_equal(h.protocol, hello.protocol);
	assert_int_equal(h.magic, hello.magic);
	assert_int_equal(h.hexversion, hello.hexversion);
	assert_true(h.sandboxed);
	assert_str_equal(&h.version, &hello.version);
	assert_str_equal(&h.canary, &hello.canary);
	/* Neither yes nor no. */
	b.data[PX_FRAME_HEADER_SIZE + 12] = 2;
	assert_int_equal(px_frame_get_hello(b.data + PX_FRAME_HEADER_SIZE,
					    b.size - PX_FRAME_HEADER_SIZE, &h),
			 -EBADMSG);
	px_buf_fini(&b);
}

static void test_compile(void **state PX_UNUSED)
{
	struct px_buf b = encode(PX_FRAME_COMPILE);
	struct px_frame_compile c;

	assert_int_equal(px_frame_get_compile(b.data + PX_FRAME_HEADER_SIZE,
					      header_of(&b, PX_FRAME_COMPILE),
					      &c),
			 0);
	assert_true(c.id == compile.id);
	assert_int_equal(c.optimize, compile.optimize);
	assert_int_equal(c.mode, compile.mode);
	assert_true(c.canonical);
	assert_int_equal(c.mtime, compile.mtime);
	assert_str_equal(&c.co_filename, &compile.co_filename);
	assert_str_equal(&c.source, &compile.source);
	px_buf_fini(&b);
}

static void test_result(void **state PX_UNUSED)
{
	struct px_buf b = encode(PX_FRAME_RESULT);
	struct px_frame_result r;

	assert_int_equal(px_frame_get_result(b.data + PX_FRAME_HEADER_SIZE,
					     header_of(&b, PX_FRAME_RESULT),
					     &r),
			 0);
	assert_true(r.id == result.id);
	assert_int_equal(r.status, result.status);
	assert_int_equal(r.line, result.line);
	assert_int_equal(r.column, result.column);
	assert_int_equal(r.name_at, result.name_at);
	assert_str_equal(&r.data, &result.data);
	px_buf_fini(&b);
}

/* The bytes themselves: pool and compiler may be of different builds. */
static void test_wire_format(void **state PX_UNUSED)
{
	static const uint8_t expected[] = {
		2,  0,	0,   0,	 38, 0,	 0,   0,  136, 119, 102, 85,
		68, 51, 34,  17, 2,  3,	 1,   0,  0,   33,  67,	 101,
		6,  0,	0,   0,	 97, 47, 255, 46, 112, 121, 8,	 0,
		0,  0,	120, 32, 61, 32, 39,  0,  39,  10};
	struct px_buf b = encode(PX_FRAME_COMPILE);

	assert_int_equal(b.size, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
	px_buf_fini(&b);
}

static void test_every_other_length_is_refused(void **state PX_UNUSED)
{
	for (int i = PX_FRAME_HELLO; i <= PX_FRAME_RESULT; i++) {
		enum px_frame_type type = (enum px_frame_type)i;
		struct px_buf b = encode(type);
		size_t n = b.size - PX_FRAME_HEADER_SIZE;
		uint8_t *longer = calloc(1, n + 1);

		for (size_t m = 0; m < n; m++) {
			uint8_t *exact = malloc(m ? m : 1);

			memcpy(exact, b.data + PX_FRAME_HEADER_SIZE, m);
			assert_int_equal(decode(type, exact, m), -EBADMSG);
			free(exact);
		}
		memcpy(longer, b.data + PX_FRAME_HEADER_SIZE, n);
		assert_int_equal(decode(type, longer, n), 0);
		assert_int_equal(decode(type, longer, n + 1), -EBADMSG);
		free(longer);
		px_buf_fini(&b);
	}
}

static void test_bad_values(void **state PX_UNUSED)
{
	/* Offsets into the payload. */
	static const struct {
		enum px_frame_type type;
		size_t offset;
		uint8_t value;
	} cases[] = {
		{PX_FRAME_HELLO, 12, 255}, /* string longer than is there */
		{PX_FRAME_HELLO, 15, 255}, /* much longer */
		{PX_FRAME_COMPILE, 8, 3},  /* optimize */
		{PX_FRAME_COMPILE, 8, 255},
		{PX_FRAME_COMPILE, 9, 2}, /* mode */
		{PX_FRAME_COMPILE, 9, 4},
		{PX_FRAME_COMPILE, 10, 2}, /* canonical */
		{PX_FRAME_COMPILE, 11, 1}, /* padding */
		{PX_FRAME_COMPILE, 16, 5}, /* co_filename's length */
		{PX_FRAME_COMPILE, 19, 255},
		{PX_FRAME_COMPILE, 20, 0}, /* NUL in co_filename */
		{PX_FRAME_RESULT, 8, 4},   /* status */
		{PX_FRAME_RESULT, 11, 1},
		{PX_FRAME_RESULT, 24, 13},
		{PX_FRAME_RESULT, 24, 15},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_buf b = encode(cases[i].type);

		px_buf_consume(&b, PX_FRAME_HEADER_SIZE);
		assert_int_equal(decode(cases[i].type, b.data, b.size), 0);
		b.data[cases[i].offset] = cases[i].value;
		print_message("%zu\n", i);
		assert_int_equal(decode(cases[i].type, b.data, b.size),
				 -EBADMSG);
		px_buf_fini(&b);
	}
}

static void test_empty_strings(void **state PX_UNUSED)
{
	struct px_frame_compile c = compile;
	struct px_frame_compile back;
	struct px_buf b = {.max = 1000};

	c.source = (struct px_str){NULL, 0};
	assert_int_equal(px_frame_put_compile(&b, &c), 0);
	px_buf_consume(&b, PX_FRAME_HEADER_SIZE);
	assert_int_equal(px_frame_get_compile(b.data, b.size, &back), 0);
	assert_int_equal(back.source.size, 0);
	b.size = 0;
	c.co_filename = (struct px_str){NULL, 0};
	assert_int_equal(px_frame_put_compile(&b, &c), 0);
	px_buf_consume(&b, PX_FRAME_HEADER_SIZE);
	assert_int_equal(px_frame_get_compile(b.data, b.size, &back), -EBADMSG);
	px_buf_fini(&b);
}

static void test_header(void **state PX_UNUSED)
{
	static const struct {
		uint32_t type;
		uint32_t length;
		int r;
	} cases[] = {
		{0, 0, -EBADMSG},	   {1, 0, 0},
		{3, PX_FRAME_MAX, 0},	   {3, PX_FRAME_MAX + 1, -EBADMSG},
		{3, UINT32_MAX, -EBADMSG}, {4, 0, -EBADMSG},
		{0x101, 0, -EBADMSG},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		uint8_t header[PX_FRAME_HEADER_SIZE];
		enum px_frame_type type;
		size_t length;

		px_put_le32(header, cases[i].type);
		px_put_le32(header + 4, cases[i].length);
		assert_int_equal(px_frame_get_header(header, &type, &length),
				 cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(length, cases[i].length);
	}
}

static void test_too_large_leaves_no_trace(void **state PX_UNUSED)
{
	struct px_buf b = {.max = 50};
	struct px_frame_result r = result;

	assert_int_equal(px_buf_add(&b, "before", 6), 0);
	assert_int_equal(px_frame_put_result(&b, &result), -EFBIG);
	assert_int_equal(px_frame_put_compile(&b, &compile), -EFBIG);
	b.max = SIZE_MAX;
	r.data.size = PX_FRAME_MAX - 23;
	assert_int_equal(px_frame_put_result(&b, &r), -EFBIG);
	r.data.size = SIZE_MAX - 10;
	assert_int_equal(px_frame_put_result(&b, &r), -EFBIG);
	assert_int_equal(b.size, 6);
	assert_memory_equal(b.data, "before", 6);
	px_buf_fini(&b);
}

/* It grows with the source, and never beyond what a frame may have. */
static void test_result_max(void **state PX_UNUSED)
{
	const size_t n = 1u << 20;

	assert_in_range(px_frame_result_max(0), 1u << 20, 64u << 20);
	assert_in_range(px_frame_result_max(n), 20 * n, 200 * n);
	assert_int_equal(px_frame_result_max(PX_FRAME_MAX), PX_FRAME_MAX);
	assert_int_equal(px_frame_result_max(SIZE_MAX), PX_FRAME_MAX);
	for (size_t i = 0; i < 64; i++)
		assert_true(px_frame_result_max(i * n) <=
			    px_frame_result_max(i * n + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_compile),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_wire_format),
		cmocka_unit_test(test_every_other_length_is_refused),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_empty_strings),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_too_large_leaves_no_trace),
		cmocka_unit_test(test_result_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
