/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/digest.h"

#include <stdio.h>

static void to_hex(const uint8_t *data, char *hex)
{
	for (size_t i = 0; i < PX_DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", data[i]);
}

/* From Python: hashlib.blake2b(tag + NUL + le64 length + data,
 * digest_size=32). Stored keys depend on them. */
static void test_known_answers(void **state PX_UNUSED)
{
	uint8_t out[PX_DIGEST_SIZE];
	char hex[2 * PX_DIGEST_SIZE + 1];
	struct px_digest d;

	px_digest_init(&d);
	px_digest_final(&d, out);
	to_hex(out, hex);
	assert_string_equal(hex, "0e5751c026e543b2e8ab2eb06099daa1"
				 "d1e5df47778f7787faab45cdf12fe3a8");
	px_digest_init(&d);
	px_digest_field(&d, "source", "hello", 5);
	px_digest_u64(&d, "n", 0x0102030405060708);
	px_digest_final(&d, out);
	to_hex(out, hex);
	assert_string_equal(hex, "6e21070f131017cc42d771ae4126fdc6"
				 "ca7537ae54c0effbb74a68cd753e91d1");
}

struct field {
	const char *tag;
	const char *data;
};

/* Each row must have a digest of its own. */
static void test_fields_are_apart(void **state PX_UNUSED)
{
	static const struct field lists[][2] = {
		{{"a", "bc"}, {"d", ""}}, {{"ab", "c"}, {"d", ""}},
		{{"a", "b"}, {"c", "d"}}, {{"a", "bcd"}, {"", ""}},
		{{"a", ""}, {"bc", "d"}}, {{"c", "d"}, {"a", "b"}},
		{{"a", ""}, {"", ""}},	  {{"", ""}, {"a", ""}},
		{{"", ""}, {"", ""}},
	};
	uint8_t out[PX_ARRAY_LEN(lists)][PX_DIGEST_SIZE];

	for (size_t i = 0; i < PX_ARRAY_LEN(lists); i++) {
		struct px_digest d;

		px_digest_init(&d);
		for (size_t j = 0; j < 2; j++)
			px_digest_field(&d, lists[i][j].tag, lists[i][j].data,
					strlen(lists[i][j].data));
		px_digest_final(&d, out[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(out[i], out[j], PX_DIGEST_SIZE);
	}
}

static void test_large_field(void **state PX_UNUSED)
{
	static uint8_t data[1 << 20];
	uint8_t a[PX_DIGEST_SIZE];
	uint8_t b[PX_DIGEST_SIZE];
	struct px_digest d;

	for (int i = 0; i < 3; i++) {
		data[sizeof(data) - 1] = i == 1;
		px_digest_init(&d);
		px_digest_field(&d, "x", data, sizeof(data));
		px_digest_final(&d, i == 0 ? a : b);
		if (i == 1)
			assert_memory_not_equal(a, b, sizeof(a));
		if (i == 2)
			assert_memory_equal(a, b, sizeof(a));
	}
	px_digest_init(&d);
	px_digest_field(&d, "x", NULL, 0);
	px_digest_final(&d, a);
}

/* FIPS 180-2, appendix B: the three examples, the last of a million bytes. */
static void test_sha256(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		unsigned times;
		const char *hex;
	} rows[] = {
		{"", 1,
		 "e3b0c44298fc1c149afbf4c8996fb924"
		 "27ae41e4649b934ca495991b7852b855"},
		{"abc", 1,
		 "ba7816bf8f01cfea414140de5dae2223"
		 "b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		 "248d6a61d20638b8e5c026930c3e6039"
		 "a33ce45964ff2167f6ecedd419db06c1"},
		{"aaaaaaaaaaaaaaaaaaaa", 50000,
		 "cdc76e5c9914fb9281a1c7e284d73e67"
		 "f1809a48a497200e046d39ccc7112cd0"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		uint8_t out[PX_SHA256_SIZE];
		char hex[2 * PX_SHA256_SIZE + 1];
		struct px_sha256 s;

		px_sha256_init(&s);
		for (unsigned k = 0; k < rows[i].times; k++)
			px_sha256_update(&s, rows[i].text,
					 strlen(rows[i].text));
		px_sha256_final(&s, out);
		to_hex(out, hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

/* The checksums in caches: the same on every machine. */
static void test_checksum(void **state PX_UNUSED)
{
	static const struct {
		const char *text;
		const char *hex;
	} rows[] = {
		{"", "99aa06d3014798d86001c324468d497f"},
		{"abc", "06b05ab6733a618578af5f94892f3950"},
	};
	uint8_t out[PX_CHECKSUM_SIZE], again[PX_CHECKSUM_SIZE];
	char hex[2 * PX_CHECKSUM_SIZE + 1];
	uint8_t data[1000] = {0};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		px_checksum(rows[i].text, strlen(rows[i].text), out);
		for (size_t k = 0; k < sizeof(out); k++)
			snprintf(hex + 2 * k, 3, "%02x", out[k]);
		assert_string_equal(hex, rows[i].hex);
	}
	px_checksum(data, sizeof(data), out);
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] ^= 1;
		px_checksum(data, sizeof(data), again);
		assert_memory_not_equal(out, again, sizeof(out));
		data[i] ^= 1;
	}
}

/* However the bytes are cut into pieces. */
static void test_checksum_in_pieces(void **state PX_UNUSED)
{
	static const size_t sizes[] = {0, 1, 240, 241, 1000, 4096, 70000};
	uint8_t whole[PX_CHECKSUM_SIZE], sum[PX_CHECKSUM_SIZE];
	static uint8_t data[70000];
	struct px_checksum s;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t i = 0; i < PX_ARRAY_LEN(sizes); i++) {
		px_checksum(data, sizes[i], whole);
		for (size_t piece = 1; piece < 70001; piece = piece * 9 + 1) {
			px_checksum_init(&s);
			for (size_t at = 0; at < sizes[i]; at += piece)
				px_checksum_update(&s, data + at,
						   piece < sizes[i] - at
							   ? piece
							   : sizes[i] - at);
			px_checksum_final(&s, sum);
			assert_memory_equal(sum, whole, sizeof(sum));
		}
	}
}

static void test_hash64(void **state PX_UNUSED)
{
	/* Inode numbers are equal in every mount: these must never change. */
	assert_true(px_hash64(1, "numpy", 5) == 0x610a450832f33dd2u);
	assert_true(px_hash64(0, NULL, 0) == 0x2d06800538d394c2u);
	assert_true(px_hash64(1, "a", 1) != px_hash64(2, "a", 1));
	assert_true(px_hash64(1, "a", 1) != px_hash64(1, "b", 1));
	assert_true(px_hash64(1, "a", 1) != px_hash64(1, "a\0", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_fields_are_apart),
		cmocka_unit_test(test_large_field),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_checksum_in_pieces),
		cmocka_unit_test(test_hash64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
