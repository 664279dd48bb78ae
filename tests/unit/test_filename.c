/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/filename.h"

static const struct {
	const char *name; /* as the file system has it */
	const char *str;  /* as marshal writes it, type byte and length first */
	size_t n;
} cases[] = {
#define CASE(name, str)                    \
	{                                  \
		name, str, sizeof(str) - 1 \
	}
	CASE("", "z\0"),
	CASE("a/b.py", "z\6a/b.py"),
	CASE("\x7f", "z\1\x7f"),
	CASE("caf\xc3\xa9", "u\5\0\0\0caf\xc3\xa9"),
	CASE("\xf0\x9f\x90\x8d", "u\4\0\0\0\xf0\x9f\x90\x8d"),
	/* What is no UTF-8 becomes a surrogate for each byte. */
	CASE("\x80", "u\3\0\0\0\xed\xb2\x80"),
	CASE("caf\xe9", "u\6\0\0\0caf\xed\xb3\xa9"),
	CASE("\xff/\xc0", "u\7\0\0\0\xed\xb3\xbf/\xed\xb3\x80"),
	/* So do surrogates themselves, overlong forms, and what is cut off. */
	CASE("\xed\xb3\xa9", "u\11\0\0\0\xed\xb3\xad\xed\xb2\xb3\xed\xb2\xa9"),
	CASE("\xc0\x80", "u\6\0\0\0\xed\xb3\x80\xed\xb2\x80"),
	CASE("\xe2\x82z", "u\7\0\0\0\xed\xb3\xa2\xed\xb2\x82z"),
	CASE("\xf4\x90\x80\x80", "u\14\0\0\0\xed\xb3\xb4\xed\xb2\x90"
				 "\xed\xb2\x80\xed\xb2\x80"),
#undef CASE
};

static void check(const char *name, const uint8_t *str, size_t n)
{
	static const uint8_t flags[] = {0, PX_FILENAME_SHARED};
	uint8_t *got = malloc(n);

	assert_int_equal(px_filename_size(name), n);
	for (size_t i = 0; i < PX_ARRAY_LEN(flags); i++) {
		memset(got, 0, n);
		px_filename_write(name, PX_FILENAME_MARK | flags[i], got);
		assert_int_equal(got[0], str[0] | flags[i]);
		assert_memory_equal(got + 1, str + 1, n - 1);
	}
	free(got);
}

static void test_forms(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++)
		check(cases[i].name, (const uint8_t *)cases[i].str, cases[i].n);
}

/* From 256 characters on, the length takes four bytes. */
static void test_lengths(void **state PX_UNUSED)
{
	static const struct {
		size_t n;
		size_t head;
		uint8_t type;
	} lengths[] = {
		{254, 2, 'z'}, {255, 2, 'z'},  {256, 5, 'a'},
		{257, 5, 'a'}, {4095, 5, 'a'},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(lengths); i++) {
		const size_t n = lengths[i].n, head = lengths[i].head;
		char *name = calloc(1, n + 1);
		uint8_t *str = malloc(head + n);

		memset(name, 'x', n);
		str[0] = lengths[i].type;
		if (head == 2)
			str[1] = (uint8_t)n;
		else
			px_put_le32(str + 1, (uint32_t)n);
		memcpy(str + head, name, n);
		check(name, str, head + n);
		free(name);
		free(str);
	}
}

static void test_marks(void **state PX_UNUSED)
{
	for (unsigned byte = 0; byte < 256; byte++)
		assert_true(px_filename_is_mark((uint8_t)byte) ==
			    (byte == '/' || byte == ('/' | 0x80)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
