/* SPDX-License-Identifier: MIT */
#ifndef PX_DIGEST_H
#define PX_DIGEST_H
/*
 * Keys for content-addressed storage: BLAKE2b-256 over tagged fields. A field
 * is hashed as its tag, its length and its bytes, so that no two different
 * lists of fields hash the same input ("a","bc" is never "ab","c").
 *
 * A checksum finds damage, and nothing that is meant: XXH3-128, twenty times as
 * fast.
 *
 * Threads: any; a builder belongs to one thread.
 * Owns: <sodium.h>, <xxhash.h>.
 */

#include "pycfs/util.h"

#define PX_DIGEST_SIZE 32 /* crypto_generichash_BYTES, libsodium 1.0.18 */

/* Large enough and aligned for libsodium's state (checked at compile time in
 * digest.c); opaque to everyone else. */
struct px_digest {
	_Alignas(64) uint8_t state[384];
};

void px_digest_init(struct px_digest *d);
/* Adds one field. `tag` is a short literal that names it. */
void px_digest_field(struct px_digest *d, const char *tag, const void *data,
		     size_t n);
void px_digest_u64(struct px_digest *d, const char *tag, uint64_t v);
void px_digest_final(struct px_digest *d, uint8_t ret[PX_DIGEST_SIZE]);

/* SHA-256 as others know it (FIPS 180-4), for digests that leave pycfs. */
#define PX_SHA256_SIZE 32

struct px_sha256 {
	_Alignas(8) uint8_t state[128];
};

void px_sha256_init(struct px_sha256 *s);
void px_sha256_update(struct px_sha256 *s, const void *data, size_t n);
void px_sha256_final(struct px_sha256 *s, uint8_t ret[PX_SHA256_SIZE]);

#define PX_CHECKSUM_SIZE 16

void px_checksum(const void *data, size_t n, uint8_t ret[PX_CHECKSUM_SIZE]);

/* A short keyless hash for hash tables and inode numbers; stable across
 * processes and machines, not for security. */
uint64_t px_hash64(uint64_t seed, const void *data, size_t n);

#endif
