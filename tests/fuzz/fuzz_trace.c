/* SPDX-License-Identifier: MIT */
/* Input: two lines of a log, with a newline between. */
#include "fuzz.h"

#include "cli/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	const size_t n = end ? (size_t)(end - data) : size;
	const size_t n_next = end ? size - n - 1 : 0;
	/* Apart, so that reading on in the first is seen. */
	char *line = (char *)fuzz_copy(data, n);
	char *next = (char *)fuzz_copy(data + (end ? n + 1 : n), n_next);
	struct px_frame_line f;

	if (px_frame_line(line, n, &f)) {
		MUST(f.before <= n && f.number > 0);
		MUST(f.path >= line + f.before);
		MUST(f.path + f.path_size <= line + n);
		px_frame_is_source(line, f.before, next, n_next);
	}
	px_frame_is_source(line, n, next, n_next);
	free(line);
	free(next);
	return 0;
}
