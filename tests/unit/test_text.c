/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/text.h"

#include <stdio.h>

static void test_parse_size(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
	} cases[] = {
		{"0", 0, 0},
		{"17", 0, 17},
		{"1K", 0, 1024},
		{"3M", 0, 3 << 20},
		{"2G", 0, 2ull << 30},
		{"5T", 0, 5ull << 40},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18014398509481983K", 0, 18014398509481983ull << 10},
		{"18446744073709551616", -ERANGE, 0},
		{"18014398509481984K", -ERANGE, 0},
		{"16777216T", -ERANGE, 0},
		{"99999999999999999999999999G", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"1X", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		uint64_t bytes = 42;

		print_message("%s\n", cases[i].text);
		assert_int_equal(px_parse_size(cases[i].text, &bytes),
				 cases[i].r);
		assert_true(bytes == (cases[i].r ? 42 : cases[i].bytes));
	}
}

static size_t encode(uint32_t c, char ret[5])
{
	const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	memset(ret, 0, 5);
	for (size_t i = n; i-- > 1; c >>= 6)
		ret[i] = (char)(0x80 | (c & 0x3F));
	ret[0] = (char)(n == 1 ? c : (0xF00u >> n & 0xFF) | c);
	return n;
}

/* Every code point, and every byte alone. */
static void test_controls(void **state PX_UNUSED)
{
	static const uint32_t ranges[][2] = {
		{1, 0x1F},	  {0x7F, 0x9F},	    {0x61C, 0x61C},
		{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
	};
	char text[5];
	size_t n;

	for (uint32_t c = 1; c <= 0x10FFFF; c++) {
		const size_t length = encode(c, text);
		bool wanted = false;

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		for (size_t i = 0; i < PX_ARRAY_LEN(ranges); i++)
			wanted |= c >= ranges[i][0] && c <= ranges[i][1];
		if (px_is_control(text, &n) != wanted || n != length)
			fail_msg("U+%04X: %d, %zu bytes", c, !wanted, n);
	}
	for (int byte = 0x80; byte <= 0xFF; byte++) {
		text[0] = (char)byte;
		text[1] = '\0';
		assert_true(px_is_control(text, &n));
		assert_int_equal(n, 1);
	}
}

static void test_clean(void **state PX_UNUSED)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"a\nb\x1b[2J\x7f", "a?b?[2J?"},
		{"\xc2\x9b[2J", "?[2J"},
		{"\x9b[2J", "?[2J"},
		{"x\xe2\x80\xaeyp.exe\xe2\x80\xac", "x?yp.exe?"},
		{"\xe2\x80", "??"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		PX_AUTOFREE char *got = px_clean(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
