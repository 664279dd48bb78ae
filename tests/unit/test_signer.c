/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/signer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct fixture {
	char dir[40];
	char file[60];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/pycfs-signer-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/key", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->file);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void write_file(const struct fixture *f, const char *text, mode_t mode)
{
	PX_AUTOCLOSE int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(px_write_full(fd, text, strlen(text)), 0);
}

static void test_make_and_read(void **state)
{
	struct fixture *f = *state;
	char text[PX_SIGNER_TEXT_SIZE];
	uint8_t signature[PX_SIGNATURE_SIZE];
	struct px_signer made, read;
	struct px_secret secret;
	struct stat st;

	assert_int_equal(px_secret_make("ci.main-1_x", f->file, &made, NULL),
			 0);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	px_signer_text(&made, text);
	assert_int_equal(px_signer_parse(text, strlen(text), &read, NULL), 0);
	assert_memory_equal(&read, &made, sizeof(made));
	assert_int_equal(px_secret_read(f->file, &secret, NULL), 0);
	assert_string_equal(secret.signer.name, "ci.main-1_x");
	assert_memory_equal(secret.signer.key, made.key, sizeof(made.key));
	px_sign(&secret, "text", 4, signature);
	assert_true(px_signed_by(&made, "text", 4, signature));
	assert_false(px_signed_by(&made, "texx", 4, signature));
	assert_false(px_signed_by(&made, "tex", 3, signature));
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 1;
		assert_false(px_signed_by(&made, "text", 4, signature));
		signature[i] ^= 1;
	}
	/* Another key. */
	made.key[0] ^= 1;
	assert_false(px_signed_by(&made, "text", 4, signature));
	px_secret_wipe(&secret);
}

static void test_is_never_written_over(void **state)
{
	struct fixture *f = *state;
	struct px_signer made;
	struct px_why why;

	write_file(f, "mine", 0600);
	assert_int_equal(px_secret_make("ci", f->file, &made, &why), -EEXIST);
	assert_non_null(strstr(why.text, "never written over"));
}

static void test_bad_names(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {
		"",    "a b",	   "a:b",
		"a/b", "\xc3\xa4", "0123456789012345678901234567890123"};
	struct px_signer made;
	struct px_why why;

	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		assert_int_equal(px_secret_make(bad[i], f->file, &made, &why),
				 -EINVAL);
		assert_int_equal(access(f->file, F_OK), -1);
	}
}

#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void test_bad_public_keys(void **state PX_UNUSED)
{
	static const char *const bad[] = {
		"",
		":",
		"ci",
		"ci:",
		":" ZEROS,
		"ci:" ZEROS " ",
		"ci:" ZEROS "A",
		"ci: " ZEROS,
		"c i:" ZEROS,
		"ci:x" ZEROS,
		"ci:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
		"ci:!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
	struct px_signer s;
	struct px_why why;

	assert_int_equal(px_signer_parse("ci:" ZEROS, 47, &s, NULL), 0);
	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(
			px_signer_parse(bad[i], strlen(bad[i]), &s, &why),
			-EINVAL);
		assert_non_null(strstr(why.text, "keygen"));
	}
}

static void test_bad_files(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"",
					  "\n",
					  "pycfs-signing-key 1 ",
					  "pycfs-signing-key 1 ci",
					  "pycfs-signing-key 1 ci ",
					  "pycfs-signing-key 2 ci " ZEROS,
					  "pycfs-signing-key 1 c:i " ZEROS,
					  "pycfs-signing-key 1 ci " ZEROS "A",
					  "ci:" ZEROS};
	struct px_secret secret;
	struct px_why why;

	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		print_message("%s\n", bad[i]);
		write_file(f, bad[i], 0600);
		assert_int_equal(px_secret_read(f->file, &secret, &why),
				 -EINVAL);
	}
	write_file(f, "pycfs-signing-key 1 ci " ZEROS "\r\n", 0600);
	assert_int_equal(px_secret_read(f->file, &secret, &why), 0);
	write_file(f, "pycfs-signing-key 1 ci " ZEROS "\n", 0620);
	assert_int_equal(px_secret_read(f->file, &secret, &why), -EPERM);
	assert_non_null(strstr(why.text, "chmod 600"));
	assert_int_equal(px_secret_read("/nowhere/key", &secret, &why),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_make_and_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_is_never_written_over,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_names, setup,
						teardown),
		cmocka_unit_test(test_bad_public_keys),
		cmocka_unit_test_setup_teardown(test_bad_files, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
