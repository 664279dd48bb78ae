/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/manifest.h"

#include <stdio.h>

static const struct px_manifest_head head = {
	.python = "3.12.1",
	.magic = 168627659,
	.prefix = "/site packages\\\n",
	.dir = "",
};
static const uint8_t hash[PX_SOURCE_HASH_SIZE] = {0,	1,    0x7f, 0x80,
						  0xab, 0xcd, 0xef, 0xff};

static char *text_of(struct px_buf *b)
{
	assert_int_equal(px_buf_add(b, "", 1), 0);
	return (char *)b->data;
}

static void test_what_is_written_is_read(void **state PX_UNUSED)
{
	static const char *const paths[] = {"a.py", "d/sp ace.py",
					    "d\n\t\x7f\\u0041.py", "caf\xe9.py",
					    "\xc3\xa9.py"};
	struct px_buf b = {.max = 1 << 20};
	struct px_manifest m;
	struct px_manifest_row row;
	struct px_why why;

	assert_int_equal(px_manifest_add_head(&b, &head), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(paths); i++)
		assert_int_equal(
			px_manifest_add(&b, paths[i], i == 1 ? NULL : hash), 0);
	assert_int_equal(px_manifest_open(&m, text_of(&b), &why), 0);
	assert_string_equal(m.head.python, head.python);
	assert_int_equal(m.head.magic, head.magic);
	assert_string_equal(m.head.prefix, head.prefix);
	assert_string_equal(m.head.dir, head.dir);
	for (size_t i = 0; i < PX_ARRAY_LEN(paths); i++) {
		assert_int_equal(px_manifest_next(&m, &row), 1);
		assert_string_equal(row.path, paths[i]);
		assert_int_equal(row.has_hash, i != 1);
		if (row.has_hash)
			assert_memory_equal(row.hash, hash, sizeof(hash));
	}
	assert_int_equal(px_manifest_next(&m, &row), 0);
	px_buf_fini(&b);
}

static void test_its_form(void **state PX_UNUSED)
{
	struct px_buf b = {.max = 1 << 20};

	assert_int_equal(px_manifest_add_head(&b, &head), 0);
	assert_int_equal(px_manifest_add(&b, "a b.py", hash), 0);
	assert_int_equal(px_manifest_add(&b, "c.py", NULL), 0);
	assert_string_equal(text_of(&b),
			    "pycfs-sources 1 python=3.12.1 magic=168627659 "
			    "prefix=/site\\u0020packages\\\\\\u000a dir=\n"
			    "00017f80abcdefff a\\u0020b.py\n"
			    "- c.py\n");
	px_buf_fini(&b);
}

#define GOOD "pycfs-sources 1 python=3.12.1 magic=1 prefix= dir=\n"

static void test_bad_ones(void **state PX_UNUSED)
{
	static const char *const heads[] = {
		"",
		"x",
		"pycfs-sources ",
		"pycfs-sources 1",
		"pycfs-sources 1\n",
		"pycfs-sources 2 python=3.12.1 magic=1 prefix= dir=\n",
		"pycfs-sources 1 python=3.12.1 magic=1 prefix= dir=",
		"pycfs-sources 1 python=3.12.1 magic=x prefix= dir=\n",
		"pycfs-sources 1 python=3.12.1 magic=1 prefix=\\ dir=\n",
		"pycfs-sources 1 python=3.12.1 magic=1 prefix=\\u0000 dir=\n",
		"pycfs-sources 1 python=3.12.1 magic=1 prefix=\\u00 dir=\n",
		"pycfs-sources 1 python=3.12.1 magic=1 prefix=\n",
	};
	static const char *const rows[] = {
		"-",
		"- a",
		"\n",
		"-\n",
		"- \n",
		"00017f80abcdeff a\n",
		"00017f80abcdefff0 a\n",
		"00017F80abcdefff a\n",
		"00017f80abcdefff a\\u0\n",
		"00017f80abcdefff a\\x\n",
	};
	struct px_manifest m;
	struct px_manifest_row row;
	struct px_why why;

	for (size_t i = 0; i < PX_ARRAY_LEN(heads); i++) {
		char *text = strdup(heads[i]);

		*why.text = '\0';
		if (px_manifest_open(&m, text, &why) != -EBADMSG || !*why.text)
			fail_msg("\"%s\" is taken", heads[i]);
		free(text);
	}
	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		char *text;

		assert_true(asprintf(&text, "%s%s", GOOD, rows[i]) > 0);
		assert_int_equal(px_manifest_open(&m, text, &why), 0);
		if (px_manifest_next(&m, &row) != -EBADMSG)
			fail_msg("\"%s\" is taken", rows[i]);
		free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_its_form),
		cmocka_unit_test(test_bad_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
