/* SPDX-License-Identifier: MIT */
#ifndef PX_FUZZ_H
#define PX_FUZZ_H
/*
 * A fuzz target: one parser, and what must hold whatever it is given. Run by
 * libFuzzer (-Dfuzz=true, clang) and, with any compiler, by replay.c over the
 * files of corpus/NAME.
 */

#include "pycfs/util.h"

/* Not assert(): it must hold in every kind of build. */
#define MUST(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends where its block ends, so that reading on is seen. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = calloc(1, size ? size : 1);

	MUST(copy);
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

#endif
