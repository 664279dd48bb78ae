/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/json.h"

#include <stdio.h>

/* What is printed of `text`; free() it. */
static char *printed(const char *text)
{
	char *got = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&got, &n);

	assert_non_null(to);
	px_json_string(to, text);
	assert_int_equal(fclose(to), 0);
	assert_true(n >= 2);
	return got;
}

static const struct {
	const char *text;
	const char *json;
} rows[] = {
	{"", "\"\""},
	{"pkg/core.py", "\"pkg/core.py\""},
	{"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
	{"\n\r\t\x01\x1f \x7f",
	 "\"\\u000a\\u000d\\u0009\\u0001\\u001f \\u007f\""},
	/* C1, and what turns the direction of the text around it */
	{"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
	 "\"\\u0080\\u009b\\u009f\xc2\xa0\""},
	{"\xd8\x9c \xe2\x80\x8e \xe2\x80\xae \xe2\x80\xac \xe2\x81\xa6 "
	 "\xe2\x81\xa9",
	 "\"\\u061c \\u200e \\u202e \\u202c \\u2066 \\u2069\""},
	/* UTF-8: the least and the most of each length */
	{"\xc2\xa0\xdf\xbf", "\"\xc2\xa0\xdf\xbf\""},
	{"\xe0\xa0\x80\xef\xbf\xbf", "\"\xe0\xa0\x80\xef\xbf\xbf\""},
	{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
	 "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
	{"\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\""},
	/* what is none */
	{"caf\xe9", "\"caf\\udce9\""},
	{"\x80", "\"\\udc80\""},
	{"\xff\xfe", "\"\\udcff\\udcfe\""},
	{"\xc0\xaf", "\"\\udcc0\\udcaf\""}, /* overlong */
	{"\xc1\xbf", "\"\\udcc1\\udcbf\""},
	{"\xe0\x9f\xbf", "\"\\udce0\\udc9f\\udcbf\""},
	{"\xf0\x8f\xbf\xbf", "\"\\udcf0\\udc8f\\udcbf\\udcbf\""},
	{"\xed\xa0\x80", "\"\\udced\\udca0\\udc80\""}, /* a surrogate */
	{"\xf4\x90\x80\x80", "\"\\udcf4\\udc90\\udc80\\udc80\""},
	{"\xf5\x80\x80\x80", "\"\\udcf5\\udc80\\udc80\\udc80\""},
	/* cut off, or something else follows */
	{"\xc3", "\"\\udcc3\""},
	{"\xe2\x82", "\"\\udce2\\udc82\""},
	{"\xf0\x9f\x90", "\"\\udcf0\\udc9f\\udc90\""},
	{"\xe2\x82"
	 "a",
	 "\"\\udce2\\udc82a\""},
	{"\xc3\"", "\"\\udcc3\\\"\""},
	{"\xc3\xc3\xa9", "\"\\udcc3\xc3\xa9\""},
};

static void test_strings(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		char *got = printed(rows[i].text);

		if (strcmp(got, rows[i].json) != 0)
			fail_msg("row %zu: %s, not %s", i, got, rows[i].json);
		free(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
