/* SPDX-License-Identifier: MIT */
#include "pycfs/digest.h"

#include <pthread.h>
#include <sodium.h>
/* With this macro the header contains the whole library, so that nothing has to
 * be linked. */
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(crypto_generichash_state) <=
			       sizeof(((struct px_digest *)0)->state) &&
		       _Alignof(crypto_generichash_state) <=
			       _Alignof(struct px_digest),
	       "struct px_digest cannot hold libsodium's state");
_Static_assert(PX_DIGEST_SIZE == crypto_generichash_BYTES,
	       "PX_DIGEST_SIZE is libsodium's recommended size");

_Static_assert(sizeof(crypto_hash_sha256_state) <=
			       sizeof(((struct px_sha256 *)0)->state) &&
		       _Alignof(crypto_hash_sha256_state) <=
			       _Alignof(struct px_sha256) &&
		       PX_SHA256_SIZE == crypto_hash_sha256_BYTES,
	       "struct px_sha256 cannot hold libsodium's state");

_Static_assert(sizeof(XXH3_state_t) <= sizeof(((struct px_checksum *)0)->state),
	       "struct px_checksum cannot hold xxHash's state");
_Static_assert(_Alignof(XXH3_state_t) <= _Alignof(struct px_checksum),
	       "struct px_checksum is not aligned for xxHash's state");

/* The result of sodium_init does not matter: without it everything here still
 * works, only with the portable BLAKE2b instead of the AVX2 one. */
static void init_sodium(void)
{
	if (sodium_init() < 0)
		return;
}

static crypto_generichash_state *state_of(struct px_digest *d)
{
	return (crypto_generichash_state *)(void *)d->state;
}

/* The libsodium calls below fail only if the output size is invalid, so their
 * results are not checked. */

void px_digest_init(struct px_digest *d)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_sodium);
	crypto_generichash_init(state_of(d), NULL, 0, PX_DIGEST_SIZE);
}

void px_digest_field(struct px_digest *d, const char *tag, const void *data,
		     size_t n)
{
	uint8_t length[8];

	px_put_le64(length, n);
	/* The tag's NUL byte is hashed too, as its end. */
	crypto_generichash_update(state_of(d), (const uint8_t *)tag,
				  strlen(tag) + 1);
	crypto_generichash_update(state_of(d), length, sizeof(length));
	if (n > 0)
		crypto_generichash_update(state_of(d), data, n);
}

void px_digest_u64(struct px_digest *d, const char *tag, uint64_t v)
{
	uint8_t bytes[8];

	px_put_le64(bytes, v);
	px_digest_field(d, tag, bytes, sizeof(bytes));
}

void px_digest_final(struct px_digest *d, uint8_t ret[PX_DIGEST_SIZE])
{
	crypto_generichash_final(state_of(d), ret, PX_DIGEST_SIZE);
}

static crypto_hash_sha256_state *sha256_of(struct px_sha256 *s)
{
	return (crypto_hash_sha256_state *)(void *)s->state;
}

void px_sha256_init(struct px_sha256 *s)
{
	crypto_hash_sha256_init(sha256_of(s));
}

void px_sha256_update(struct px_sha256 *s, const void *data, size_t n)
{
	crypto_hash_sha256_update(sha256_of(s), data, n);
}

void px_sha256_final(struct px_sha256 *s, uint8_t ret[PX_SHA256_SIZE])
{
	crypto_hash_sha256_final(sha256_of(s), ret);
}

static void write_checksum(XXH128_hash_t h, uint8_t ret[PX_CHECKSUM_SIZE])
{
	XXH128_canonical_t c;

	_Static_assert(sizeof(c) == PX_CHECKSUM_SIZE, "not of 128 bits");
	XXH128_canonicalFromHash(&c, h);
	memcpy(ret, &c, sizeof(c));
}

void px_hmac_sha256(const void *key, size_t n_key, const void *data, size_t n,
		    uint8_t ret[PX_SHA256_SIZE])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, n_key);
	crypto_auth_hmacsha256_update(&state, data, n);
	crypto_auth_hmacsha256_final(&state, ret);
}

void px_sha256_for_record(const uint8_t sha256[PX_SHA256_SIZE],
			  char ret[PX_SHA256_RECORD_SIZE])
{
	sodium_bin2base64(ret, PX_SHA256_RECORD_SIZE, sha256, PX_SHA256_SIZE,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void px_checksum(const void *data, size_t n, uint8_t ret[PX_CHECKSUM_SIZE])
{
	write_checksum(XXH3_128bits(data, n), ret);
}

/* The xxHash calls below fail only if they are given no state, so their results
 * are not checked. */
void px_checksum_init(struct px_checksum *s)
{
	(void)XXH3_128bits_reset((XXH3_state_t *)(void *)s->state);
}

void px_checksum_update(struct px_checksum *s, const void *data, size_t n)
{
	(void)XXH3_128bits_update((XXH3_state_t *)(void *)s->state, data, n);
}

void px_checksum_final(const struct px_checksum *s,
		       uint8_t ret[PX_CHECKSUM_SIZE])
{
	write_checksum(XXH3_128bits_digest(
			       (const XXH3_state_t *)(const void *)s->state),
		       ret);
}

uint64_t px_hash64(uint64_t seed, const void *data, size_t n)
{
	return XXH3_64bits_withSeed(data, n, seed);
}
