/* SPDX-License-Identifier: MIT */
#ifndef PX_CHUNK_H
#define PX_CHUNK_H
/*
 * A chunk: some compiled modules that machines share as one object. Which
 * modules are in it, and its name, follow from the keys of their blobs alone,
 * so that whoever has the sources knows what to ask for:
 *
 *   a unit   what one name at the top of the view has: a package, or a module
 *   a chunk  successive modules of a unit, in the order of their paths. It ends
 *            behind a module whose key says so (px_chunk_ends), behind
 *            PX_CHUNK_MODULES modules, or before its sources exceed
 *            PX_CHUNK_SOURCE bytes, unless the first one does alone
 *   its name BLAKE2b of "chunk", a format and the keys in their order
 *
 * A change of one source changes the name of one chunk. An object never
 * changes: it is there as a whole, or not at all.
 *
 *   object ::= "PXC1", signer's id, le32 count, le64 raw size, signature, frame
 *   frame  ::= one frame of zstd, of: for each key in order le32 size, and as
 *              many bytes of a stored blob (blob.h); 0 for a module that has to
 *              be compiled where it is used, since its bytes have its name
 *
 * The signature is ed25519 over "pycfs chunk 1", the name, count, raw size and
 * BLAKE2b of the frame. It is checked before any other byte is looked at. So a
 * store can withhold an object, and cannot change, exchange or shorten one.
 *
 * Names are public and for ever: whatever a stored blob or its key depends on
 * has to be in the key (content's key.h), or PX_CHUNK_FORMAT changes.
 *
 * Threads: any; no state is shared. No function here blocks.
 * Owns: <zstd.h>, as far as chunks are concerned.
 */

#include "pycfs/blob.h"
#include "pycfs/signer.h"

#define PX_CHUNK_FORMAT	 1
#define PX_CHUNK_MODULES 128
#define PX_CHUNK_SOURCE	 (1u << 20) /* bytes */
/* Bytes of source: a larger module is not shared. */
#define PX_CHUNK_MODULE_MAX (16u << 20)
/* Bytes of all blobs, before compression. */
#define PX_CHUNK_RAW_MAX     (64u << 20)
#define PX_CHUNK_HEADER_SIZE (4 + PX_SIGNER_ID_SIZE + 4 + 8 + PX_SIGNATURE_SIZE)
/* Bytes of an object: compression never adds as much as that. */
#define PX_CHUNK_OBJECT_MAX (PX_CHUNK_RAW_MAX + (1u << 20))

typedef uint8_t px_chunk_key[PX_DIGEST_SIZE];

/* Whether a chunk ends behind the module with this key: one in 32 does. */
bool px_chunk_ends(const px_chunk_key key);

/* The name of the chunk of `n` keys, 1 to PX_CHUNK_MODULES. */
void px_chunk_name(const px_chunk_key *keys, size_t n,
		   uint8_t ret[PX_DIGEST_SIZE]);

/* Makes the signed object of `n` blobs, each of which is of kind CODE or
 * REJECTED, or NULL if it is not shared. `ret` is empty, and its max is set
 * here; the caller frees it. -EFBIG: they are too large; -ENOMEM. */
int px_chunk_encode(const struct px_secret *s, const px_chunk_key *keys,
		    struct px_blob *const *blobs, size_t n, struct px_buf *ret);

/*
 * Takes the `size` bytes of `data`, which come from anybody, for the chunk of
 * `n` keys. 0 and `n` blobs, which are the caller's, some of them NULL.
 *   -EKEYREJECTED  it is not signed by `signer`, or is another chunk
 *   -EBADMSG       it is, but it has not this form: the signer is at fault
 *   -ENOMEM
 */
int px_chunk_decode(const struct px_signer *signer, const px_chunk_key *keys,
		    size_t n, const uint8_t *data, size_t size,
		    struct px_blob **ret);

#endif
