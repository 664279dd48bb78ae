/* SPDX-License-Identifier: MIT */
#include "pycfs/pyc.h"

void px_pyc_encode(const struct px_pyc_header *h,
		   uint8_t ret[PX_PYC_HEADER_SIZE])
{
	px_put_le32(ret, h->magic);
	px_put_le32(ret + 4, h->mode);
	if (h->mode == PX_PYC_TIMESTAMP) {
		px_put_le32(ret + 8, h->mtime);
		px_put_le32(ret + 12, h->source_size);
	} else {
		memcpy(ret + 8, h->source_hash, sizeof(h->source_hash));
	}
}

int px_pyc_decode(const uint8_t *data, size_t n, struct px_pyc_header *ret)
{
	struct px_pyc_header h = {0};
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
