/* SPDX-License-Identifier: MIT */
/*
 * SipHash (Aumasson and Bernstein, 2012) with a key of 128 bits of which the
 * upper half is 0, as _Py_KeyedHash of CPython's Python/pyhash.c has it: the
 * lower half is the magic number (_imp.source_hash, Python/import.c, which
 * Lib/importlib/_bootstrap_external.py calls with _RAW_MAGIC_NUMBER). It is
 * SipHash-2-4 up to 3.10, and SipHash-1-3 since 3.11 (read in 3.8 to 3.13).
 */
#include "pycfs/source_hash.h"

/* The first magic number of 3.11, of its first alpha release
 * (Lib/importlib/_bootstrap_external.py, 3.11). */
#define FIRST_OF_3_11 3450

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void rounds(struct sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static void absorb(struct sip *s, uint64_t word, int n)
{
	s->v3 ^= word;
	rounds(s, n);
	s->v0 ^= word;
}

void px_source_hash(uint32_t magic, const void *source, size_t n,
		    uint8_t ret[PX_SOURCE_HASH_SIZE])
{
	const bool old = (magic & 0xffff) < FIRST_OF_3_11;
	const int word_rounds = old ? 2 : 1, end_rounds = old ? 4 : 3;
	const uint8_t *at = source;
	uint8_t last[8] = {0};
	struct sip s = {
		.v0 = magic ^ 0x736f6d6570736575ull,
		.v1 = 0x646f72616e646f6dull,
		.v2 = magic ^ 0x6c7967656e657261ull,
		.v3 = 0x7465646279746573ull,
	};
	size_t left;

	for (left = n; left >= 8; left -= 8, at += 8)
		absorb(&s, px_get_le64(at), word_rounds);
	if (left > 0)
		memcpy(last, at, left);
	last[7] = (uint8_t)n;
	absorb(&s, px_get_le64(last), word_rounds);
	s.v2 ^= 0xff;
	rounds(&s, end_rounds);
	px_put_le64(ret, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
