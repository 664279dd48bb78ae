/* SPDX-License-Identifier: MIT */
#include "elf.h"

#include <elf.h>
#include <stddef.h>

/* A member of a header, in either of its classes. */
#define FIELD(e, at, type, member)                                     \
	((e)->is_64 ? number(e, (at) + offsetof(Elf64_##type, member), \
			     sizeof(((Elf64_##type *)NULL)->member))   \
		    : number(e, (at) + offsetof(Elf32_##type, member), \
			     sizeof(((Elf32_##type *)NULL)->member)))
#define SIZE_OF(e, type) \
	((e)->is_64 ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

/* The `n` bytes from `at` on, which lie in the file, as a number. */
static uint64_t number(const struct px_elf *e, uint64_t at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | e->data[at + (e->is_big ? i : n - 1 - i)];
	return v;
}

/* Whether `n` entries of `size` bytes from `at` on lie in the file. */
static bool has_room(const struct px_elf *e, uint64_t at, uint64_t n,
		     uint64_t size)
{
	return at <= e->size && n <= (e->size - at) / size;
}

bool px_elf_open(const void *data, size_t n, struct px_elf *ret)
{
	const uint8_t *ident = data;
	struct px_elf e = {.data = data, .size = n};

	if (n < sizeof(Elf64_Ehdr) || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
	    (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
	    (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB))
		return false;
	e.is_64 = ident[EI_CLASS] == ELFCLASS64;
	e.is_big = ident[EI_DATA] == ELFDATA2MSB;
	e.type = (unsigned)FIELD(&e, 0, Ehdr, e_type);
	e.machine = (unsigned)FIELD(&e, 0, Ehdr, e_machine);
	e.phoff = FIELD(&e, 0, Ehdr, e_phoff);
	e.shoff = FIELD(&e, 0, Ehdr, e_shoff);
	e.phnum = (unsigned)FIELD(&e, 0, Ehdr, e_phnum);
	e.shnum = (unsigned)FIELD(&e, 0, Ehdr, e_shnum);
	if (e.phnum == PN_XNUM ||
	    (e.phnum > 0 &&
	     FIELD(&e, 0, Ehdr, e_phentsize) != SIZE_OF(&e, Phdr)) ||
	    (e.shnum > 0 &&
	     FIELD(&e, 0, Ehdr, e_shentsize) != SIZE_OF(&e, Shdr)) ||
	    !has_room(&e, e.phoff, e.phnum, SIZE_OF(&e, Phdr)) ||
	    !has_room(&e, e.shoff, e.shnum, SIZE_OF(&e, Shdr)))
		return false;
	*ret = e;
	return true;
}

struct segment {
	uint64_t type, flags, offset, vaddr, file_size, memory_size, align;
};

static struct segment segment_at(const struct px_elf *e, unsigned i)
{
	const uint64_t at = e->phoff + (uint64_t)i * SIZE_OF(e, Phdr);

	return (struct segment){
		.type = FIELD(e, at, Phdr, p_type),
		.flags = FIELD(e, at, Phdr, p_flags),
		.offset = FIELD(e, at, Phdr, p_offset),
		.vaddr = FIELD(e, at, Phdr, p_vaddr),
		.file_size = FIELD(e, at, Phdr, p_filesz),
		.memory_size = FIELD(e, at, Phdr, p_memsz),
		.align = FIELD(e, at, Phdr, p_align),
	};
}

static void raise_to(uint64_t *n, uint64_t least)
{
	if (*n < least)
		*n = least;
}

/* Where the last byte lies that a table names, in *ret. False: one of them
 * names bytes that are not there. */
static bool find_end(const struct px_elf *e, uint64_t *ret)
{
	*ret = e->phoff + e->phnum * SIZE_OF(e, Phdr);
	raise_to(ret, e->shoff + e->shnum * SIZE_OF(e, Shdr));
	for (unsigned i = 0; i < e->phnum; i++) {
		const struct segment s = segment_at(e, i);

		if (s.file_size == 0)
			continue;
		if (!has_room(e, s.offset, s.file_size, 1))
			return false;
		raise_to(ret, s.offset + s.file_size);
	}
	for (unsigned i = 0; i < e->shnum; i++) {
		const uint64_t at = e->shoff + (uint64_t)i * SIZE_OF(e, Shdr);
		const uint64_t offset = FIELD(e, at, Shdr, sh_offset);
		const uint64_t size = FIELD(e, at, Shdr, sh_size);
		const uint64_t type = FIELD(e, at, Shdr, sh_type);

		if (type == SHT_NOBITS || type == SHT_NULL || size == 0)
			continue;
		if (!has_room(e, offset, size, 1))
			return false;
		raise_to(ret, offset + size);
	}
	return true;
}

const char *px_elf_objection(const struct px_elf *e)
{
	uint64_t end;

	if (e->phnum == 0 || e->shnum == 0)
		return "has no segments or no sections";
	if (!find_end(e, &end))
		return "is damaged: a table in it names bytes that it does not "
		       "have";
	/* A program may carry data there, which it finds by its own size. */
	if (end < e->size)
		return "has data behind its last section, which would be lost";
	return NULL;
}

/* The bytes of the segments, which lie in their files. */
static bool have_same_bytes(const struct px_elf *a, const struct segment *s,
			    const struct px_elf *b, const struct segment *t)
{
	const uint64_t n_head = SIZE_OF(a, Ehdr);
	uint64_t done = 0;

	if (s->offset != t->offset &&
	    (s->offset < n_head || t->offset < n_head))
		return false;
	/* The part of the header that says where the sections are. */
	if (s->offset < n_head) {
		done = n_head - s->offset;
		if (done > s->file_size)
			done = s->file_size;
	}
	return memcmp(a->data + s->offset + done, b->data + t->offset + done,
		      s->file_size - done) == 0;
}

static bool are_alike(const struct px_elf *a, const struct segment *s,
		      const struct px_elf *b, const struct segment *t)
{
	if (s->type != t->type || s->flags != t->flags ||
	    s->vaddr != t->vaddr || s->file_size != t->file_size ||
	    s->memory_size != t->memory_size || s->align != t->align)
		return false;
	/* As a loader wants it: mmap takes whole pages. */
	if (s->type == PT_LOAD && s->align > 1 &&
	    t->offset % t->align != t->vaddr % t->align)
		return false;
	if (s->file_size == 0)
		return true;
	return has_room(a, s->offset, s->file_size, 1) &&
	       has_room(b, t->offset, t->file_size, 1) &&
	       have_same_bytes(a, s, b, t);
}

bool px_elf_loads_alike(const struct px_elf *a, const struct px_elf *b)
{
	if (memcmp(a->data, b->data, EI_NIDENT) != 0 || a->type != b->type ||
	    a->machine != b->machine || a->phoff != b->phoff ||
	    a->phnum != b->phnum ||
	    FIELD(a, 0, Ehdr, e_entry) != FIELD(b, 0, Ehdr, e_entry) ||
	    FIELD(a, 0, Ehdr, e_flags) != FIELD(b, 0, Ehdr, e_flags))
		return false;
	for (unsigned i = 0; i < a->phnum; i++) {
		const struct segment s = segment_at(a, i);
		const struct segment t = segment_at(b, i);

		if (!are_alike(a, &s, b, &t))
			return false;
	}
	return true;
}
