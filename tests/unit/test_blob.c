/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/blob.h"
#include "pycfs/filename.h"

static const uint8_t key[PX_DIGEST_SIZE] = "the key of it";
static const uint8_t other_key[PX_DIGEST_SIZE] = "the key of IT";

/* The stored form, in a block of exactly its size. */
static uint8_t *store(const struct px_blob *b, size_t *ret_n)
{
	uint8_t *stored = malloc(PX_BLOB_STORED_HEADER + b->size);

	px_blob_header(b, key, stored);
	memcpy(stored + PX_BLOB_STORED_HEADER, b->data, b->size);
	*ret_n = PX_BLOB_STORED_HEADER + b->size;
	return stored;
}

static struct px_blob *sample(void)
{
	struct px_blob *b = px_blob_new(PX_BLOB_REJECTED, 7, 9, "no\0good", 7);

	assert_non_null(b);
	return b;
}

static void test_round_trip(void **state PX_UNUSED)
{
	static const struct {
		enum px_blob_kind kind;
		uint32_t line;
		uint32_t column;
		const char *data;
		size_t n;
	} cases[] = {
		{PX_BLOB_CODE, 0, 0, "\0\1\2", 3},
		{PX_BLOB_CODE, 0, 0, NULL, 0},
		{PX_BLOB_REJECTED, 12, 34, "invalid syntax", 14},
		{PX_BLOB_REJECTED, UINT32_MAX, UINT32_MAX, "", 0},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_blob *b =
			px_blob_new(cases[i].kind, cases[i].line,
				    cases[i].column, cases[i].data, cases[i].n);
		struct px_blob *back;
		uint8_t *stored;
		size_t n;

		assert_non_null(b);
		stored = store(b, &n);
		assert_int_equal(px_blob_decode(key, stored, n, &back), 0);
		assert_int_equal(back->kind, cases[i].kind);
		assert_int_equal(back->line, cases[i].line);
		assert_int_equal(back->column, cases[i].column);
		assert_int_equal(back->size, cases[i].n);
		if (cases[i].n > 0)
			assert_memory_equal(back->data, cases[i].data,
					    cases[i].n);
		free(stored);
		px_blob_unref(b);
		px_blob_unref(back);
	}
}

static void test_every_flipped_bit_is_seen(void **state PX_UNUSED)
{
	struct px_blob *b = sample();
	struct px_blob *back;
	size_t n;
	uint8_t *stored = store(b, &n);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(px_blob_decode(key, stored, n, &back),
				 -EBADMSG);
		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(px_blob_decode(key, stored, n, &back), 0);
	px_blob_unref(back);
	free(stored);
	px_blob_unref(b);
}

static void test_every_other_length_is_seen(void **state PX_UNUSED)
{
	struct px_blob *b = sample();
	struct px_blob *back;
	size_t n;
	uint8_t *stored = store(b, &n);

	for (size_t m = 0; m < n; m++) {
		uint8_t *exact = malloc(m ? m : 1);

		memcpy(exact, stored, m);
		assert_int_equal(px_blob_decode(key, exact, m, &back),
				 -EBADMSG);
		free(exact);
	}
	stored = realloc(stored, n + 1);
	stored[n] = 0;
	assert_int_equal(px_blob_decode(key, stored, n + 1, &back), -EBADMSG);
	free(stored);
	px_blob_unref(b);
}

static void test_key_is_part_of_it(void **state PX_UNUSED)
{
	struct px_blob *b = sample();
	struct px_blob *back;
	size_t n;
	uint8_t *stored = store(b, &n);

	assert_int_equal(px_blob_decode(other_key, stored, n, &back), -EBADMSG);
	free(stored);
	px_blob_unref(b);
}

static void test_failures_are_not_stored(void **state PX_UNUSED)
{
	struct px_blob *b = px_blob_new(PX_BLOB_FAILED, 0, 0, "late", 4);
	struct px_blob *back;
	size_t n;
	uint8_t *stored = store(b, &n);

	assert_int_equal(px_blob_decode(key, stored, n, &back), -EBADMSG);
	free(stored);
	px_blob_unref(b);
}

/* Stored numbers must never change. */
static void test_header_bytes(void **state PX_UNUSED)
{
	static const uint8_t expected[20] = {'P', 'X', 'B', '3', 2, 0, 0,
					     0,	  7,   0,   0,	 0, 9, 0,
					     0,	  0,   5,   0,	 0, 0};
	static const uint8_t checksum[4] = {0x24, 0x9f, 0xf5, 0x37};
	struct px_blob *b = sample();
	uint8_t header[PX_BLOB_STORED_HEADER];

	b->name_at = 5;
	px_blob_header(b, key, header);
	assert_memory_equal(header, expected, sizeof(expected));
	assert_memory_equal(header + 20, checksum, sizeof(checksum));
	px_blob_unref(b);
}

/* ---------------------------------------------------------------- names */

#define NAME_AT 17

static struct px_blob *nameless(uint8_t mark)
{
	struct px_blob *b = px_blob_new(PX_BLOB_CODE, 0, 0,
					"the header: 16 B(_behind it", 27);

	assert_non_null(b);
	b->data[NAME_AT] = mark;
	b->name_at = NAME_AT;
	return b;
}

/* What px_blob_decode makes of the stored form with this name_at. */
static int decode_with(struct px_blob *b, uint32_t name_at,
		       struct px_blob **ret)
{
	uint8_t *stored;
	size_t n;
	int r;

	b->name_at = name_at;
	stored = store(b, &n);
	r = px_blob_decode(key, stored, n, ret);
	free(stored);
	return r;
}

/* Whoever has the only reference gets the blob itself, if there is room. */
static void check_in_place(struct px_blob *first, struct px_blob *second,
			   const struct px_blob *wanted, const char *name)
{
	struct px_blob *b;
	char large[300];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	b = px_blob_with_name(px_blob_ref(first), large);
	assert_ptr_not_equal(b, first);
	assert_int_equal(b->size, first->size - 1 + 5 + 299);
	px_blob_unref(b);
	px_blob_unref(first);
	b = px_blob_with_name(second, name);
	assert_ptr_equal(b, second);
	assert_int_equal(b->name_at, 0);
	assert_int_equal(b->size, wanted->size);
	assert_memory_equal(b->data, wanted->data, b->size);
	px_blob_unref(b);
}

static void test_name_is_put_in(void **state PX_UNUSED)
{
	static const uint8_t marks[] = {PX_FILENAME_MARK,
					PX_FILENAME_MARK | PX_FILENAME_SHARED};
	char name[300] = "pkg/m.py";

	for (size_t i = 0; i < PX_ARRAY_LEN(marks); i++) {
		struct px_blob *b = nameless(marks[i]), *back, *whole;
		size_t n;

		assert_int_equal(decode_with(b, NAME_AT, &back), 0);
		assert_int_equal(back->name_at, NAME_AT);
		/* Somebody else has it, too: it is copied. */
		whole = px_blob_with_name(px_blob_ref(back), name);
		n = strlen("the header: 16 B(z") + 1 + strlen(name);
		assert_int_equal(whole->kind, PX_BLOB_CODE);
		assert_int_equal(whole->name_at, 0);
		assert_int_equal(whole->size, n + strlen("behind it"));
		assert_int_equal(whole->size,
				 px_blob_size_with_name(b->size, true, name));
		assert_memory_equal(whole->data, "the header: 16 B(", NAME_AT);
		assert_int_equal(whole->data[NAME_AT],
				 'z' | (marks[i] & PX_FILENAME_SHARED));
		assert_int_equal(whole->data[NAME_AT + 1], strlen(name));
		assert_memory_equal(whole->data + NAME_AT + 2, name,
				    strlen(name));
		assert_memory_equal(whole->data + n, "behind it", 9);
		/* What is in the cache is as it was. */
		assert_int_equal(back->size, b->size);
		assert_memory_equal(back->data, b->data, b->size);
		/* One that is whole has its name. */
		assert_ptr_equal(px_blob_with_name(whole, "other"), whole);
		assert_int_equal(whole->refs, 1);
		assert_int_equal(px_blob_size_with_name(7, false, name), 7);
		check_in_place(px_blob_ref(back), back, whole, name);
		px_blob_unref(whole);
		px_blob_unref(b);
	}
}

/* A name_at with a checksum that is right, and no mark there. */
static void test_name_at_is_checked(void **state PX_UNUSED)
{
	static const uint32_t bad[] = {
		1,  15, 16,	  NAME_AT - 1,	  NAME_AT + 1, 26,
		27, 28, 1u << 31, UINT32_MAX - 1, UINT32_MAX,
	};
	struct px_blob *b = nameless(PX_FILENAME_MARK), *back;

	/* In the header of the .pyc there is none, whatever is in it. */
	memset(b->data, PX_FILENAME_MARK, 16);
	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		print_message("%u\n", bad[i]);
		assert_int_equal(decode_with(b, bad[i], &back), -EBADMSG);
	}
	b->data[NAME_AT] = 'z';
	assert_int_equal(decode_with(b, NAME_AT, &back), -EBADMSG);
	/* Only code has a name. */
	b->data[NAME_AT] = PX_FILENAME_MARK;
	b->kind = PX_BLOB_REJECTED;
	assert_int_equal(decode_with(b, NAME_AT, &back), -EBADMSG);
	b->kind = PX_BLOB_CODE;
	assert_int_equal(decode_with(b, NAME_AT, &back), 0);
	px_blob_unref(back);
	px_blob_unref(b);
}

static void test_references(void **state PX_UNUSED)
{
	struct px_blob *b = sample();

	assert_ptr_equal(px_blob_ref(b), b);
	assert_int_equal(b->refs, 2);
	px_blob_unref(b);
	assert_int_equal(b->refs, 1);
	assert_memory_equal(b->data, "no\0good", 7);
	px_blob_unref(b);
	px_blob_unref(NULL);
	assert_null(px_blob_new(PX_BLOB_CODE, 0, 0, "", SIZE_MAX));
	assert_null(px_blob_new(PX_BLOB_CODE, 0, 0, "", SIZE_MAX / 2));
}

/* Only the size is looked at: a real one of 3 GiB has no place here. */
static void test_shown(void **state PX_UNUSED)
{
	static const struct {
		size_t size;
		int shown;
	} rows[] = {
		{0, 0},
		{5, 5},
		{1u << 20, 1 << 20},
		{(size_t)1 << 31, 1 << 20},
		{((size_t)1 << 32) - 1, 1 << 20},
		{((size_t)1 << 32) + 5, 1 << 20},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		struct px_blob b = {.size = rows[i].size};

		assert_int_equal(px_blob_shown(&b), rows[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_flipped_bit_is_seen),
		cmocka_unit_test(test_every_other_length_is_seen),
		cmocka_unit_test(test_key_is_part_of_it),
		cmocka_unit_test(test_failures_are_not_stored),
		cmocka_unit_test(test_header_bytes),
		cmocka_unit_test(test_name_is_put_in),
		cmocka_unit_test(test_name_at_is_checked),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
