/* SPDX-License-Identifier: MIT */
/* Input: a .pyc; also the name of a mode. */
#include "fuzz.h"
#include "pycfs/pyc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t back[PX_PYC_HEADER_SIZE];
	struct px_pyc_header h;
	uint8_t *p = fuzz_copy(data, size);
	char *text = calloc(1, size + 1);
	enum px_pyc_mode mode;

	MUST(text);
	if (px_pyc_decode(p, size, &h) == 0) {
		MUST(size >= PX_PYC_HEADER_SIZE);
		px_pyc_encode(&h, back);
		MUST(memcmp(p, back, sizeof(back)) == 0);
	}
	if (size > 0)
		memcpy(text, data, size);
	if (px_pyc_parse_mode(text, &mode) == 0)
		MUST(strcmp(px_pyc_mode_name(mode), text) == 0);
	free(text);
	free(p);
	return 0;
}
