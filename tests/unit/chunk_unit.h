/* SPDX-License-Identifier: MIT */
#ifndef PX_CHUNK_UNIT_H
#define PX_CHUNK_UNIT_H
/*
 * Chunks of a few blobs, and a key that signs them.
 */
#include "unit.h"

#include "pycfs/chunk.h"
#include "pycfs/filename.h"
#include "pycfs/pyc.h"

#include <fcntl.h>
#include <stdio.h>

#define N_BLOBS 5

struct unit_chunk {
	struct px_secret secret;
	px_chunk_key keys[N_BLOBS];
	struct px_blob *blobs[N_BLOBS];
};

/* A key pair, made from a name. */
static inline void unit_secret(const char *name, struct px_secret *ret)
{
	char file[] = "/tmp/pycfs-chunk-XXXXXX";
	struct px_signer unused;
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	close(fd);
	unlink(file);
	assert_int_equal(px_secret_make(name, file, &unused, NULL), 0);
	assert_int_equal(px_secret_read(file, ret, NULL), 0);
	unlink(file);
}

/* Blobs of the kinds that are shared, one of which is not there. */
static inline void unit_chunk_init(struct unit_chunk *u)
{
	uint8_t code[300];

	unit_secret("ci", &u->secret);
	for (size_t i = 0; i < N_BLOBS; i++)
		memset(u->keys[i], (int)(i + 1), sizeof(u->keys[i]));
	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)(i * 7);
	u->blobs[0] = px_blob_new(PX_BLOB_CODE, 0, 0, code, sizeof(code));
	u->blobs[1] = px_blob_new(PX_BLOB_REJECTED, 3, 4, "no", 2);
	u->blobs[2] = NULL;
	u->blobs[3] = px_blob_new(PX_BLOB_CODE, 0, 0, "", 0);
	u->blobs[4] = px_blob_new(PX_BLOB_CODE, 0, 0, code, 7);
}

static inline void unit_chunk_fini(struct unit_chunk *u)
{
	for (size_t i = 0; i < N_BLOBS; i++)
		px_blob_unref(u->blobs[i]);
}

static inline void unit_same_blobs(struct unit_chunk *u,
				   struct px_blob *const *got)
{
	for (size_t i = 0; i < N_BLOBS; i++) {
		assert_int_equal(!got[i], !u->blobs[i]);
		if (!got[i] || !u->blobs[i])
			continue;
		assert_int_equal(got[i]->kind, u->blobs[i]->kind);
		assert_int_equal(got[i]->line, u->blobs[i]->line);
		assert_int_equal(got[i]->size, u->blobs[i]->size);
		assert_memory_equal(got[i]->data, u->blobs[i]->data,
				    got[i]->size);
	}
}

#endif
