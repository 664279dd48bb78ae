/* SPDX-License-Identifier: MIT */
#ifndef PX_SOURCE_HASH_H
#define PX_SOURCE_HASH_H
/*
 * The hash of a module's source that the header of its .pyc has in the hash
 * modes (pyc.h). It says of a text whether the .pyc was made of it.
 *
 * Threads: any. No function here blocks.
 */

#include "pycfs/util.h"

#define PX_SOURCE_HASH_SIZE 8

/* Computes what _imp.source_hash of the Python with this magic number (the le32
 * at the start of its .pyc files) returns for the `n` bytes of `source`. */
void px_source_hash(uint32_t magic, const void *source, size_t n,
		    uint8_t ret[PX_SOURCE_HASH_SIZE]);

#endif
