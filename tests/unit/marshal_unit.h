/* SPDX-License-Identifier: MIT */
#ifndef PX_MARSHAL_UNIT_H
#define PX_MARSHAL_UNIT_H
/*
 * A short notation for marshal data, for tables of test cases:
 *
 *   N T F S .         None, True, False, StopIteration, Ellipsis
 *   i5 g-0 y1,-0      int, float, complex, as strtol and strtod read them
 *   z'..' Z'..'       str by type byte, one byte of length
 *   a'..' A'..' u'..' t'..'   str by type byte, four bytes of length
 *   b'..'             bytes
 *   (..) [..] <..>    small tuple, tuple, frozenset
 *   /X Y Z/           slice
 *   %..%              frozendict: keys and values in turn
 *   {..}              code object: its objects in order; unit_marshal() invents
 *                     its numbers
 *   m X               code object of a module with the constants X, whose other
 *                     members unit_marshal() invents
 *   r5                reference to object number 5
 *   @X                X with FLAG_REF
 *   x'6c01'           these bytes, in hexadecimal
 */

#include "unit.h"
#include "bytecode/code.h"

#include <stdio.h>

#define MAGIC(n) (UINT32_C(0x0a0d0000) | (n))

static const uint32_t unit_magics[] = {
	MAGIC(3413), MAGIC(3425), MAGIC(3439), MAGIC(3495),
	MAGIC(3531), MAGIC(3571), MAGIC(3627), MAGIC(3666),
};

/* The objects that follow the constants in the code object of "m", in the
 * notation above and in canonical form. No two of them are equal. */
#define REST_3_8  "(Z'N_')(Z'V_')(Z'F_')(Z'C_')z'file'Z'name'b'L'"
#define REST_3_11 "(Z'N_')(Z'L_')b'K'z'file'Z'name'Z'qual'b'L'b'E'"

struct unit_source {
	const struct layout *layout;
	const char *p;
	struct px_buf *out;
};

static void unit_object(struct unit_source *s, unsigned flag);

static inline void unit_bytes(struct unit_source *s, const void *data, size_t n)
{
	assert_int_equal(px_buf_add(s->out, data, n), 0);
}

static inline void unit_byte(struct unit_source *s, unsigned byte)
{
	const uint8_t b = (uint8_t)byte;

	unit_bytes(s, &b, 1);
}

static inline void unit_blank(struct unit_source *s)
{
	while (*s->p == ' ')
		s->p++;
}

/* Reads a text in single quotes. Returns its beginning, and its length in
 * bytes. */
static inline const char *unit_quoted(struct unit_source *s, size_t *ret_n)
{
	const char *text;

	assert_int_equal(*s->p, '\'');
	text = ++s->p;
	*ret_n = strcspn(text, "'");
	s->p += *ret_n + 1;
	return text;
}

static inline void unit_sized(struct unit_source *s, unsigned type,
			      bool short_one)
{
	size_t n;
	const char *text = unit_quoted(s, &n);

	unit_byte(s, type);
	if (short_one)
		unit_byte(s, (unsigned)n);
	else
		assert_int_equal(px_buf_add_le32(s->out, (uint32_t)n), 0);
	unit_bytes(s, text, n);
}

static inline void unit_double(struct unit_source *s)
{
	char *end;
	double d = strtod(s->p, &end);

	s->p = end;
	unit_bytes(s, &d, sizeof(d));
}

static inline uint32_t unit_number(struct unit_source *s)
{
	char *end;
	long n = strtol(s->p, &end, 10);

	s->p = end;
	return (uint32_t)n;
}

static inline void unit_items(struct unit_source *s, unsigned type, char end,
			      bool small)
{
	size_t length_at;
	uint32_t n = 0;

	unit_byte(s, type);
	length_at = s->out->size;
	unit_bytes(s, "\0\0\0\0", small ? 1 : 4);
	for (unit_blank(s); *s->p != end; unit_blank(s), n++)
		unit_object(s, 0);
	s->p++;
	if (small)
		s->out->data[length_at] = (uint8_t)n;
	else
		px_put_le32(s->out->data + length_at, n);
}

static inline void unit_code(struct unit_source *s, unsigned type)
{
	const char *f;

	unit_byte(s, type);
	for (f = s->layout->fields; *f; f++) {
		if (*f == 'l')
			unit_bytes(s, "\1\2\3\4", 4);
		else
			unit_object(s, 0);
	}
	unit_blank(s);
	assert_int_equal(*s->p++, '}');
}

/* Writes a type byte and all objects up to the character `end`, without a count
 * of them. */
static inline void unit_until(struct unit_source *s, unsigned type, char end)
{
	unit_byte(s, type);
	for (unit_blank(s); *s->p != end; unit_blank(s))
		unit_object(s, 0);
	s->p++;
}

static inline unsigned unit_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

static inline void unit_hex(struct unit_source *s)
{
	size_t n;
	const char *text = unit_quoted(s, &n);

	for (; n > 0; n -= 2, text += 2)
		unit_byte(s, unit_digit(text[0]) << 4 | unit_digit(text[1]));
}

static inline void unit_module(struct unit_source *s, unsigned type)
{
	struct unit_source code = {s->layout, "b'C'", s->out};
	const bool old = s->layout->fields[5] == 'l';
	const char *rest = old ? REST_3_8 : REST_3_11;
	const char *f = s->layout->fields;

	unit_byte(s, type);
	for (; *f == 'l'; f++)
		unit_bytes(s, "\1\2\3\4", 4);
	unit_object(&code, 0);
	unit_object(s, 0);
	code.p = rest;
	for (f += 2; *f; f++) {
		if (*f == 'l')
			unit_bytes(s, "\1\2\3\4", 4);
		else
			unit_object(&code, 0);
	}
}

static inline void unit_object(struct unit_source *s, unsigned flag)
{
	char c;

	unit_blank(s);
	c = *s->p++;
	switch (c) {
	case '@':
		unit_object(s, FLAG_REF);
		return;
	case 'N':
	case 'T':
	case 'F':
	case 'S':
	case '.':
		unit_byte(s, (unsigned)c | flag);
		return;
	case 'i':
	case 'r':
		unit_byte(s, (unsigned)c | flag);
		assert_int_equal(px_buf_add_le32(s->out, unit_number(s)), 0);
		return;
	case 'g':
		unit_byte(s, 'g' | flag);
		unit_double(s);
		return;
	case 'y':
		unit_byte(s, 'y' | flag);
		unit_double(s);
		assert_int_equal(*s->p++, ',');
		unit_double(s);
		return;
	case 'z':
	case 'Z':
		unit_sized(s, (unsigned)c | flag, true);
		return;
	case 'a':
	case 'A':
	case 'u':
	case 't':
		unit_sized(s, (unsigned)c | flag, false);
		return;
	case 'b':
		unit_sized(s, 's' | flag, false);
		return;
	case '(':
		unit_items(s, ')' | flag, ')', true);
		return;
	case '[':
		unit_items(s, '(' | flag, ']', false);
		return;
	case '<':
		unit_items(s, '>' | flag, '>', false);
		return;
	case '/':
		unit_until(s, ':' | flag, '/');
		return;
	case '%':
		unit_until(s, '}' | flag, '%');
		unit_byte(s, '0');
		return;
	case '{':
		unit_code(s, 'c' | flag);
		return;
	case 'm':
		unit_module(s, 'c' | flag);
		return;
	case 'x':
		unit_hex(s);
		return;
	default:
		fail_msg("notation: '%c' before '%s'", c, s->p);
	}
}

/* Returns the marshal data that `text` describes, in the format of the Python
 * with the magic number `magic`. The caller frees it with px_buf_fini. */
static inline struct px_buf unit_marshal(uint32_t magic, const char *text)
{
	struct px_buf out = {.max = 1u << 30};
	struct unit_source s = {px_marshal_layout(magic), text, &out};

	unit_object(&s, 0);
	unit_blank(&s);
	assert_int_equal(*s.p, '\0');
	return out;
}

static inline void unit_hexdump(const char *what, const struct px_buf *b)
{
	print_message("%s", what);
	for (size_t i = 0; i < b->size; i++)
		print_message(" %02x", b->data[i]);
	print_message("\n");
}

#endif
