/* SPDX-License-Identifier: MIT */
/* Input: a .pyc. */
#include "fuzz.h"
#include "pycfs/pyc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t back[PX_PYC_HEADER_SIZE];
	struct px_pyc_header h;
	uint8_t *p = fuzz_copy(data, size);

	if (px_pyc_decode(p, size, &h) == 0) {
		MUST(size >= PX_PYC_HEADER_SIZE);
		px_pyc_encode(&h, back);
		MUST(memcmp(p, back, sizeof(back)) == 0);
	}
	free(p);
	return 0;
}
