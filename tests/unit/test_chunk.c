/* SPDX-License-Identifier: MIT */
#include "chunk_unit.h"

#include <zstd.h>

static int setup(void **state)
{
	struct unit_chunk *u = calloc(1, sizeof(*u));

	unit_chunk_init(u);
	*state = u;
	return 0;
}

static int teardown(void **state)
{
	unit_chunk_fini(*state);
	free(*state);
	return 0;
}

static int decode(struct unit_chunk *u, const struct px_buf *b)
{
	struct px_blob *got[N_BLOBS] = {NULL};
	/* Ends where its block ends, so that reading on is seen. */
	uint8_t *copy = malloc(b->size ? b->size : 1);
	int r;

	memcpy(copy, b->data, b->size);
	r = px_chunk_decode(&u->secret.signer, u->keys, N_BLOBS, copy, b->size,
			    got);
	if (r == 0)
		unit_same_blobs(u, got);
	for (size_t i = 0; i < N_BLOBS; i++)
		px_blob_unref(got[i]);
	free(copy);
	return r;
}

static void encode(struct unit_chunk *u, struct px_buf *ret)
{
	assert_int_equal(
		px_chunk_encode(&u->secret, u->keys, u->blobs, N_BLOBS, ret),
		0);
}

static void test_round_trip(void **state)
{
	struct px_buf b;

	encode(*state, &b);
	assert_int_equal(decode(*state, &b), 0);
	px_buf_fini(&b);
}

/* Every byte counts. */
static void test_every_bit(void **state)
{
	struct px_buf b;

	encode(*state, &b);
	for (size_t i = 0; i < b.size * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(decode(*state, &b), -EKEYREJECTED);
		b.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(decode(*state, &b), 0);
	px_buf_fini(&b);
}

static void test_every_length(void **state)
{
	struct px_buf b;
	size_t whole;

	encode(*state, &b);
	whole = b.size;
	for (b.size = 0; b.size < whole; b.size++)
		assert_int_equal(decode(*state, &b), -EKEYREJECTED);
	assert_int_equal(px_buf_add(&b, "", 1), 0);
	assert_int_equal(decode(*state, &b), -EKEYREJECTED);
	px_buf_fini(&b);
}

/* The object of another chunk of the same signer, or of another signer. */
static void test_exchanged(void **state)
{
	struct unit_chunk *u = *state;
	struct px_secret other;
	struct px_buf b;

	encode(u, &b);
	u->keys[4][31] ^= 1;
	assert_int_equal(decode(u, &b), -EKEYREJECTED);
	u->keys[4][31] ^= 1;
	unit_secret("ci", &other);
	u->secret.signer = other.signer;
	assert_int_equal(decode(u, &b), -EKEYREJECTED);
	px_buf_fini(&b);
}

static void test_too_few_keys(void **state)
{
	struct unit_chunk *u = *state;
	struct px_blob *got[N_BLOBS];
	struct px_buf b;

	encode(u, &b);
	assert_int_equal(px_chunk_decode(&u->secret.signer, u->keys,
					 N_BLOBS - 1, b.data, b.size, got),
			 -EKEYREJECTED);
	px_buf_fini(&b);
}

/* Signs `frame` as the chunk, saying that it has `raw_size` bytes. This is what
 * src/remote/chunk.c does, written down a second time. */
static void sign(struct unit_chunk *u, const void *frame, size_t n,
		 uint64_t raw_size, struct px_buf *ret)
{
	uint8_t text[13 + 32 + 4 + 8 + 32];
	static const char domain[13] = "pycfs chunk 1"; /* no NUL */
	struct px_digest d;

	memcpy(text, domain, sizeof(domain));
	px_chunk_name(u->keys, N_BLOBS, text + 13);
	px_put_le32(text + 45, N_BLOBS);
	px_put_le64(text + 49, raw_size);
	px_digest_init(&d);
	px_digest_field(&d, "frame", frame, n);
	px_digest_final(&d, text + 57);
	*ret = (struct px_buf){.max = PX_CHUNK_OBJECT_MAX};
	assert_int_equal(px_buf_add(ret, "PXC1", 4), 0);
	assert_int_equal(px_buf_add(ret, u->secret.signer.id, 8), 0);
	assert_int_equal(px_buf_add_le32(ret, N_BLOBS), 0);
	assert_int_equal(px_buf_add_le64(ret, raw_size), 0);
	assert_int_equal(px_buf_reserve(ret, 64 + n), 0);
	px_sign(&u->secret, text, sizeof(text), ret->data + ret->size);
	ret->size += 64;
	assert_int_equal(px_buf_add(ret, frame, n), 0);
}

static void check_signed(struct unit_chunk *u, const void *frame, size_t n,
			 uint64_t raw_size, int expected)
{
	struct px_buf b;

	sign(u, frame, n, raw_size, &b);
	assert_int_equal(decode(u, &b), expected);
	px_buf_fini(&b);
}

static size_t compress(const void *raw, size_t n, uint8_t *ret, size_t max)
{
	const size_t size = ZSTD_compress(ret, max, raw, n, 1);

	assert_false(ZSTD_isError(size));
	return size;
}

/* A signer that is at fault: what it signed is no chunk. */
static void test_signed_nonsense(void **state)
{
	struct unit_chunk *u = *state;
	uint8_t frame[4096], raw[40] = {0}, *zeros;
	const size_t many = PX_CHUNK_RAW_MAX + 1;
	size_t n;

	/* All of them NULL is 20 zeros. */
	n = compress(raw, 20, frame, sizeof(frame));
	for (size_t i = 0; i < N_BLOBS; i++)
		px_blob_unref(PX_STEAL(u->blobs[i]));
	check_signed(u, frame, n, 20, 0);
	check_signed(u, frame, n, 21, -EBADMSG);
	check_signed(u, frame, n, UINT64_MAX, -EBADMSG);
	check_signed(u, frame, n - 1, 20, -EBADMSG);
	check_signed(u, "no frame", 8, 20, -EBADMSG);
	check_signed(u, "", 0, 20, -EBADMSG);
	check_signed(u, "", 0, 0, -EBADMSG);
	/* Two frames. */
	memcpy(frame + n, frame, n);
	check_signed(u, frame, 2 * n, 20, -EBADMSG);
	check_signed(u, frame, 2 * n, 40, -EBADMSG);
	/* Too few and too many sizes, and sizes that go too far. */
	n = compress(raw, 19, frame, sizeof(frame));
	check_signed(u, frame, n, 19, -EBADMSG);
	n = compress(raw, 24, frame, sizeof(frame));
	check_signed(u, frame, n, 24, -EBADMSG);
	px_put_le32(raw, UINT32_MAX);
	n = compress(raw, 20, frame, sizeof(frame));
	check_signed(u, frame, n, 20, -EBADMSG);
	px_put_le32(raw, 16); /* a blob that is none */
	n = compress(raw, 36, frame, sizeof(frame));
	check_signed(u, frame, n, 36, -EBADMSG);
	/* A bomb. */
	zeros = calloc(1, many);
	n = compress(zeros, many, frame, sizeof(frame));
	check_signed(u, frame, n, many, -EBADMSG);
	check_signed(u, frame, n, 20, -EBADMSG);
	free(zeros);
}

/* Neither a failure nor a note is shared. */
static void test_kinds(void **state)
{
	struct unit_chunk *u = *state;
	struct px_buf b;

	u->blobs[4]->kind = PX_BLOB_NOTE;
	encode(u, &b);
	assert_int_equal(decode(u, &b), -EBADMSG);
	px_buf_fini(&b);
}

static void test_too_large(void **state)
{
	struct unit_chunk *u = *state;
	struct px_buf b;

	px_blob_unref(u->blobs[0]);
	u->blobs[0] = px_blob_alloc(PX_CHUNK_RAW_MAX);
	u->blobs[0]->kind = PX_BLOB_CODE;
	memset(u->blobs[0]->data, 0, u->blobs[0]->size);
	assert_int_equal(
		px_chunk_encode(&u->secret, u->keys, u->blobs, N_BLOBS, &b),
		-EFBIG);
	assert_null(b.data);
}

/* Names are public and for ever. */
static void test_names_stay(void **state)
{
	struct unit_chunk *u = *state;
	/* As Python's hashlib.blake2b(digest_size=32) has it. */
	static const char want[] = "ca3d85f7f45d804ee53e82fe080d9748"
				   "bf41be40157150aae526d6c18b478333";
	uint8_t name[PX_DIGEST_SIZE];
	char hex[65];

	px_chunk_name(u->keys, N_BLOBS, name);
	for (size_t i = 0; i < sizeof(name); i++)
		sprintf(hex + 2 * i, "%02x", name[i]);
	assert_string_equal(hex, want);
	assert_false(px_chunk_ends(u->keys[0]));
	u->keys[0][0] = 32;
	u->keys[0][1] = u->keys[0][2] = u->keys[0][3] = 0;
	assert_true(px_chunk_ends(u->keys[0]));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),	 TEST(test_every_bit),
		TEST(test_every_length), TEST(test_exchanged),
		TEST(test_too_few_keys), TEST(test_signed_nonsense),
		TEST(test_kinds),	 TEST(test_too_large),
		TEST(test_names_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
