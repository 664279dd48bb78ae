/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "strip/elf.h"

#include <elf.h>
#include <fcntl.h>

/* This program itself, which is an ELF file with sections. */
static struct px_buf own(void)
{
	struct px_buf b = {.max = 1u << 30};
	const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(px_slurp(fd, &b), 0);
	close(fd);
	return b;
}

static Elf64_Phdr *first_load(const struct px_buf *b, unsigned nth)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)b->data;
	Elf64_Phdr *p = (Elf64_Phdr *)(void *)(b->data + h->e_phoff);

	for (unsigned i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && nth-- == 0)
			return &p[i];
	fail();
	return NULL;
}

static bool alike(const struct px_buf *a, const struct px_buf *b)
{
	struct px_elf x, y;

	assert_true(px_elf_open(a->data, a->size, &x));
	assert_true(px_elf_open(b->data, b->size, &y));
	return px_elf_loads_alike(&x, &y);
}

static void test_a_program(void **state PX_UNUSED)
{
	struct px_buf b = own();
	struct px_elf e;

	assert_true(px_elf_open(b.data, b.size, &e));
	assert_null(px_elf_objection(&e));
	assert_true(alike(&b, &b));
	px_buf_fini(&b);
}

/* Where the sections are does not count; everything that is loaded does. */
static void test_what_counts(void **state PX_UNUSED)
{
	struct px_buf a = own(), b = own();
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)b.data;
	Elf64_Phdr *text = first_load(&b, 1);
	uint64_t *const counts[] = {&text->p_vaddr, &text->p_memsz,
				    &text->p_align, &h->e_entry};

	h->e_shnum--;
	h->e_shstrndx--;
	assert_true(alike(&a, &b));
	for (size_t i = 0; i < PX_ARRAY_LEN(counts); i++) {
		++*counts[i];
		assert_false(alike(&a, &b));
		--*counts[i];
	}
	text->p_flags ^= PF_W;
	assert_false(alike(&a, &b));
	text->p_flags ^= PF_W;
	b.data[text->p_offset + text->p_filesz - 1] ^= 1;
	assert_false(alike(&a, &b));
	b.data[text->p_offset + text->p_filesz - 1] ^= 1;
	assert_true(alike(&a, &b));
	h->e_machine = EM_AARCH64;
	assert_false(alike(&a, &b));
	px_buf_fini(&a);
	px_buf_fini(&b);
}

static void test_what_must_not_be_stripped(void **state PX_UNUSED)
{
	struct px_buf b = own();
	struct px_elf e;

	assert_int_equal(px_buf_add(&b, "data", 4), 0);
	assert_true(px_elf_open(b.data, b.size, &e));
	assert_non_null(strstr(px_elf_objection(&e), "behind its last"));
	b.size -= 4;
	/* The table of sections stays where it is, a section does not. */
	first_load(&b, 0)->p_offset = b.size;
	assert_true(px_elf_open(b.data, b.size, &e));
	assert_non_null(strstr(px_elf_objection(&e), "damaged"));
	e.phnum = 0;
	assert_non_null(strstr(px_elf_objection(&e), "no segments"));
	px_buf_fini(&b);
}

static void test_what_is_none(void **state PX_UNUSED)
{
	struct px_buf b = own();
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)b.data;
	struct px_elf e;

	for (size_t n = 0; n < sizeof(Elf64_Ehdr); n++) {
		void *copy = malloc(n + 1);

		memcpy(copy, b.data, n);
		assert_false(px_elf_open(copy, n, &e));
		free(copy);
	}
	/* It ends before its table of sections does. */
	assert_false(px_elf_open(b.data, (size_t)h->e_shoff + 1, &e));
	h->e_phentsize++;
	assert_false(px_elf_open(b.data, b.size, &e));
	h->e_phentsize--;
	h->e_phoff = UINT64_MAX;
	assert_false(px_elf_open(b.data, b.size, &e));
	h->e_phoff = sizeof(*h);
	h->e_phnum = PN_XNUM;
	assert_false(px_elf_open(b.data, b.size, &e));
	b.data[EI_CLASS] = ELFCLASSNONE;
	assert_false(px_elf_open(b.data, b.size, &e));
	px_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_program),
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_what_must_not_be_stripped),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
