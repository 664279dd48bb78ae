/* SPDX-License-Identifier: MIT */
/*
 * Input: how many keys (one byte), then what a signer has put into a chunk,
 * before compression. Also taken as an object as it is, and as a signed frame.
 */
#include "fuzz.h"
#include "pycfs/chunk.h"

#include <stdio.h>
#include <zstd.h>

#define MOST 8

static struct px_secret secret;
static px_chunk_key keys[MOST];

/* The same key pair in every run, from a seed of zeros. */
static void make_key(void)
{
	char file[] = "/tmp/pycfs-fuzz-XXXXXX";
	static const char text[] =
		"pycfs-signing-key 1 ci "
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	int fd = mkstemp(file);

	MUST(fd >= 0 && px_write_full(fd, text, sizeof(text) - 1) == 0);
	close(fd);
	MUST(px_secret_read(file, &secret, NULL) == 0);
	unlink(file);
	for (size_t i = 0; i < MOST; i++)
		memset(keys[i], (int)i + 1, sizeof(keys[i]));
}

static void decode(const void *data, size_t size, size_t n)
{
	struct px_blob *got[MOST] = {NULL};
	uint8_t *p = fuzz_copy(data, size);
	int r = px_chunk_decode(&secret.signer, keys, n, p, size, got);
	struct px_buf again;

	free(p);
	MUST(r == 0 || r == -EKEYREJECTED || r == -EBADMSG || r == -ENOMEM);
	for (size_t i = 0; i < n; i++)
		MUST(r == 0 || !got[i]);
	/* What was taken can be given on. */
	if (r == 0 && px_chunk_encode(&secret, keys, got, n, &again) == 0)
		px_buf_fini(&again);
	for (size_t i = 0; i < n; i++)
		px_blob_unref(got[i]);
}

/* As src/remote/chunk.c signs it. */
static void decode_signed(const uint8_t *frame, size_t size, uint64_t raw_size,
			  size_t n)
{
	static const char domain[13] = "pycfs chunk 1"; /* no NUL, both */
	static const char magic[4] = "PXC1";
	uint8_t text[13 + 32 + 4 + 8 + 32], *p = malloc(88 + size);
	struct px_digest d;

	MUST(p);
	memcpy(text, domain, sizeof(domain));
	px_chunk_name(keys, n, text + 13);
	px_put_le32(text + 45, (uint32_t)n);
	px_put_le64(text + 49, raw_size);
	px_digest_init(&d);
	px_digest_field(&d, "frame", frame, size);
	px_digest_final(&d, text + 57);
	memcpy(p, magic, sizeof(magic));
	memcpy(p + 4, secret.signer.id, 8);
	px_put_le32(p + 12, (uint32_t)n);
	px_put_le64(p + 16, raw_size);
	px_sign(&secret, text, sizeof(text), p + 24);
	if (size > 0)
		memcpy(p + 88, frame, size);
	decode(p, 88 + size, n);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n, most, packed;
	uint8_t *frame;

	if (secret.signer.name[0] == '\0')
		make_key();
	if (size < 1)
		return 0;
	n = 1 + data[0] % MOST;
	decode(data + 1, size - 1, n);
	decode_signed(data + 1, size - 1, size, n);
	most = ZSTD_compressBound(size - 1);
	frame = malloc(most);
	MUST(frame);
	packed = ZSTD_compress(frame, most, data + 1, size - 1, 1);
	MUST(!ZSTD_isError(packed));
	decode_signed(frame, packed, size - 1, n);
	free(frame);
	return 0;
}
