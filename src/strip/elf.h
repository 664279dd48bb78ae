/* SPDX-License-Identifier: MIT */
#ifndef PX_STRIP_ELF_H
#define PX_STRIP_ELF_H
/*
 * As much of ELF as it takes to see that two files are the same to a loader.
 * Both are untrusted. Formats: elf(5), man-pages 6.03; <elf.h>, glibc 2.36.
 *
 * Threads: any. Nothing here blocks or allocates.
 */

#include "pycfs/util.h"

struct px_elf {
	const uint8_t *data;
	size_t size;
	bool is_64, is_big; /* words of 64 bits; big-endian */
	unsigned machine;   /* e_machine */
	unsigned type;	    /* e_type */
	uint64_t phoff, shoff;
	unsigned phnum, shnum;
};

/* Reads the header of `n` bytes, which `ret` borrows. True if it is an ELF file
 * whose tables lie in it. */
bool px_elf_open(const void *data, size_t n, struct px_elf *ret);

/* Why such a file must not be stripped, as a sentence goes on behind "it ";
 * NULL: nothing is known against it. */
const char *px_elf_objection(const struct px_elf *e);

/* Whether a loader finds the same in both: type, machine, entry point, and
 * segments with the same addresses, sizes, flags and bytes. That where the
 * table of sections lies is in the bytes of the header does not count. */
bool px_elf_loads_alike(const struct px_elf *a, const struct px_elf *b);

#endif
