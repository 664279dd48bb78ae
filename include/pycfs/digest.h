/* SPDX-License-Identifier: MIT */
#ifndef PX_DIGEST_H
#define PX_DIGEST_H
/*
 * Hash functions for three purposes:
 *   - Digests are keys for content-addressed storage: BLAKE2b-256 over a list
 *     of tagged fields. Each field is hashed as its tag, its length and its
 *     bytes, so that two different lists of fields never produce the same
 *     hash input ("a","bc" differs from "ab","c").
 *   - SHA-256 is for digests that other programs are to compare.
 *   - Checksums (XXH3-128) detect accidental damage. They are about twenty
 *     times as fast as a digest, but do not protect against anybody who
 *     changes data on purpose.
 *
 * Threads: any; a struct px_digest, px_sha256 or px_checksum in use belongs to
 * one thread.
 * No function here blocks.
 * Owns: <sodium.h>, <xxhash.h>.
 */

#include "pycfs/util.h"

#define PX_DIGEST_SIZE 32 /* crypto_generichash_BYTES, libsodium 1.0.18 */

/* The state of a digest being computed. It is opaque; digest.c checks at
 * compile time that it can hold libsodium's state. */
struct px_digest {
	_Alignas(64) uint8_t state[384];
};

void px_digest_init(struct px_digest *d);
/* Adds one field of `n` bytes. `tag` is a short string literal that names the
 * field. */
void px_digest_field(struct px_digest *d, const char *tag, const void *data,
		     size_t n);
/* Adds one field with the eight bytes of `v`, in little-endian order. */
void px_digest_u64(struct px_digest *d, const char *tag, uint64_t v);
void px_digest_final(struct px_digest *d, uint8_t ret[PX_DIGEST_SIZE]);

/* Plain SHA-256 (FIPS 180-4) without tags, for digests that leave pycfs. */
#define PX_SHA256_SIZE 32

struct px_sha256 {
	_Alignas(8) uint8_t state[128];
};

void px_sha256_init(struct px_sha256 *s);
void px_sha256_update(struct px_sha256 *s, const void *data, size_t n);
void px_sha256_final(struct px_sha256 *s, uint8_t ret[PX_SHA256_SIZE]);

/* HMAC-SHA256 (RFC 2104) of `n` bytes with a key of `n_key` bytes. */
void px_hmac_sha256(const void *key, size_t n_key, const void *data, size_t n,
		    uint8_t ret[PX_SHA256_SIZE]);

#define PX_CHECKSUM_SIZE 16

/* The text of such a digest in a RECORD: base64 with "-" and "_", and nothing
 * at its end to fill it up. */
#define PX_SHA256_RECORD_SIZE 44
void px_sha256_for_record(const uint8_t sha256[PX_SHA256_SIZE],
			  char ret[PX_SHA256_RECORD_SIZE]);

/* The XXH3-128 checksum of `n` bytes, in its canonical (big-endian) form. */
void px_checksum(const void *data, size_t n, uint8_t ret[PX_CHECKSUM_SIZE]);

/* The same checksum of bytes that come in pieces. The state is opaque; digest.c
 * checks at compile time that it can hold xxHash's. */
struct px_checksum {
	_Alignas(64) uint8_t state[576];
};

void px_checksum_init(struct px_checksum *s);
void px_checksum_update(struct px_checksum *s, const void *data, size_t n);
void px_checksum_final(const struct px_checksum *s,
		       uint8_t ret[PX_CHECKSUM_SIZE]);

/* A fast hash of `n` bytes without a secret key, for hash tables and inode
 * numbers. `seed` separates different uses. The result is the same in every
 * process and on every machine. Not for security. */
uint64_t px_hash64(uint64_t seed, const void *data, size_t n);

#endif
