/* SPDX-License-Identifier: MIT */
#ifndef PX_PYC_UNIT_H
#define PX_PYC_UNIT_H
/* Reads the header of a .pyc, for tests of the bytecode. */

#include "pycfs/pyc.h"
#include "pycfs/util.h"

struct pyc_header {
	uint32_t magic;
	enum px_pyc_mode mode;
	/* Only in timestamp mode: the low 32 bits of the source's modification
	 * time in seconds, and of its size in bytes. */
	uint32_t mtime;
	uint32_t source_size;
	uint8_t source_hash[8];
};

/* Decodes the header of the `n` bytes `data`. Returns 0, or -EBADMSG if it is
 * no header that Python 3.7 or later writes. */
static int pyc_decode(const uint8_t *data, size_t n, struct pyc_header *ret)
{
	struct pyc_header h = {0};
	uint32_t flags;

	if (n < PX_PYC_HEADER_SIZE || data[2] != '\r' || data[3] != '\n')
		return -EBADMSG;
	flags = px_get_le32(data + 4);
	if (flags != PX_PYC_TIMESTAMP && flags != PX_PYC_UNCHECKED_HASH &&
	    flags != PX_PYC_CHECKED_HASH)
		return -EBADMSG;
	h.magic = px_get_le32(data);
	h.mode = (enum px_pyc_mode)flags;
	if (h.mode == PX_PYC_TIMESTAMP) {
		h.mtime = px_get_le32(data + 8);
		h.source_size = px_get_le32(data + 12);
	} else {
		memcpy(h.source_hash, data + 8, sizeof(h.source_hash));
	}
	*ret = h;
	return 0;
}

#endif
