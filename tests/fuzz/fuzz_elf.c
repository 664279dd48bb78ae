/* SPDX-License-Identifier: MIT */
/* Input: two ELF files of equal size, one behind the other. */
#include "fuzz.h"
#include "strip/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t half = size / 2;
	uint8_t *p = fuzz_copy(data, half);
	uint8_t *q = fuzz_copy(data + half, half);
	struct px_elf a, b;
	const bool x = px_elf_open(p, half, &a), y = px_elf_open(q, half, &b);

	if (x)
		(void)px_elf_objection(&a);
	/* Of one that is whole, a loader finds the same in itself. */
	if (x && !px_elf_objection(&a) && px_elf_loads_alike(&a, &a))
		MUST(a.phnum > 0);
	if (x && y)
		MUST(px_elf_loads_alike(&a, &b) == px_elf_loads_alike(&b, &a));
	free(p);
	free(q);
	return 0;
}
