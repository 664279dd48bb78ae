/* SPDX-License-Identifier: MIT */
#include "marshal_unit.h"

#include "pycfs/filename.h"

#include <sodium.h>

#define NEW  MAGIC(3571)
#define DEEP MAX_DEPTH

/* Which Pythons a row is about. */
enum {
	OLD_CODE = 7,	/* 3.8 - 3.10 */
	NEW_CODE = 248, /* 3.11 - 3.15 */
	ALL = 255,
	NO_SLICES = 63,	   /* 3.8 - 3.13 */
	SLICES = 192,	   /* 3.14 and 3.15 */
	NO_DICTS = 127,	   /* 3.8 - 3.14 */
	FROZENDICTS = 128, /* 3.15 */
	SOME_NAMES = 24,   /* 3.11 and 3.12 */
	ALL_NAMES = ALL - SOME_NAMES,
};

static int canonical(uint32_t magic, const struct px_buf *in,
		     struct px_buf *out, struct px_fault *fault)
{
	/* A block of its size, so that reading on is seen. */
	uint8_t *exact = malloc(in->size ? in->size : 1);
	int r;

	if (in->size > 0)
		memcpy(exact, in->data, in->size);
	*out = (struct px_buf){.max = 1u << 30};
	r = px_marshal_canonical(magic, exact, in->size, out, fault);
	free(exact);
	if (r < 0)
		assert_int_equal(out->size, 0);
	return r;
}

static void assert_buf_equal(const struct px_buf *a, const struct px_buf *b)
{
	if (a->size == b->size && memcmp(a->data, b->data, a->size) == 0)
		return;
	unit_hexdump("got:     ", a);
	unit_hexdump("expected:", b);
	fail();
}

/* Without its name and with it again it is as it was: `whole` is the canonical
 * form of `in`. False: it has two names. */
static bool check_nameless(uint32_t magic, const struct px_buf *in,
			   const struct px_buf *whole)
{
	struct px_buf out = {.max = 1u << 30}, got = {.max = 1u << 30};
	char name[400] = "";
	struct px_fault fault;
	size_t at, n, text;
	int r;

	px_buf_add(&out, "before", 6);
	r = px_marshal_nameless(magic, in->data, in->size, &out, &at, &fault);
	if (r < 0) {
		assert_int_equal(r, -EBADMSG);
		assert_string_equal(fault.what, "two co_filenames");
		assert_int_equal(out.size, 6);
		px_buf_fini(&out);
		return false;
	}
	px_buf_consume(&out, 6);
	at -= 6;
	assert_true(at > 0 && at < out.size);
	assert_true(px_filename_is_mark(out.data[at]));
	text = strchr("zZ", whole->data[at] & 0x7f) ? 2 : 5;
	n = text == 2 ? whole->data[at + 1] : px_get_le32(whole->data + at + 1);
	assert_true(n < sizeof(name) && at + text + n <= whole->size);
	memcpy(name, whole->data + at + text, n);
	assert_int_equal(px_filename_size(name), text + n);
	px_buf_add(&got, out.data, at);
	px_buf_reserve(&got, text + n);
	px_filename_write(name, out.data[at], got.data + at);
	got.size += text + n;
	px_buf_add(&got, out.data + at + 1, out.size - at - 1);
	assert_buf_equal(&got, whole);
	px_buf_fini(&out);
	px_buf_fini(&got);
	return true;
}

static void check_form(uint32_t magic, const char *in, const char *out)
{
	struct px_buf data = unit_marshal(magic, in);
	struct px_buf expected = unit_marshal(magic, out);
	struct px_fault fault;
	struct px_buf got, again;
	int r = canonical(magic, &data, &got, &fault);

	if (r != 0)
		fail_msg("%d: %s at %zu", r, fault.what, fault.offset);
	assert_buf_equal(&got, &expected);
	assert_int_equal(canonical(magic, &got, &again, NULL), 0);
	assert_buf_equal(&again, &got);
	check_nameless(magic, &data, &got);
	px_buf_fini(&data);
	px_buf_fini(&expected);
	px_buf_fini(&got);
	px_buf_fini(&again);
}

struct row {
	unsigned pythons;
	const char *in;
	const char *out;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("%s\n", rows[i].in);
		for (size_t k = 0; k < PX_ARRAY_LEN(unit_magics); k++)
			if (rows[i].pythons & 1u << k)
				check_form(unit_magics[k], rows[i].in,
					   rows[i].out);
	}
}

/* ------------------------------------------------------------- the form */

static void test_merging(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{ALL, "m(i1 g1 T)", "m(i1 g1 T)"},
		{ALL, "m(i0 F g0 g-0 y0,0)", "m(i0 F g0 g-0 y0,0)"},
		{ALL, "m(i1 i1)", "m(@i1 r0)"},
		{ALL, "m(g0 g-0 g0 g-0)", "m(@g0 @g-0 r0 r1)"},
		{ALL, "m(y0,0 y0,-0 y-0,0 y0,0)", "m(@y0,0 y0,-0 y-0,0 r0)"},
		{ALL, "m(ginf g-inf ginf)", "m(@ginf g-inf r0)"},
		{ALL, "m(gnan gnan)", "m(gnan gnan)"},
		{ALL, "m(@gnan r0)", "m(@gnan r0)"},
		{ALL, "m(ynan,0 ynan,0 y0,nan y0,nan)",
		 "m(ynan,0 ynan,0 y0,nan y0,nan)"},
		{ALL, "m((gnan) (gnan))", "m((gnan) (gnan))"},
		{ALL, "m(N N T T F F . . S S)", "m(N N T T F F . . S S)"},
		{ALL, "m(x'6c0200000000000100' x'6c0200000000000100')",
		 "m(x'ec0200000000000100' r0)"},
		{ALL, "m(x'6c0200000001000100')", "m(x'6c0200000001000100')"},
		/* -x is not x. */
		{ALL, "m(x'6c010000000100' x'6cffffffff0100')",
		 "m(x'6c010000000100' x'6cffffffff0100')"},
		/* The kind of a str is no part of its value; bytes are. */
		{ALL, "m(z'a b' a'a b' u'a b' t'a b' A'a b' Z'a b')",
		 "m(@z'a b' r0 r0 r0 r0 r0)"},
		{ALL, "m(b'a b' z'a b' b'a b')", "m(@b'a b' z'a b' r0)"},
		{ALL, "m(b'' z'' ())", "m(b'' Z'' ())"},
		{ALL, "m((i1 i2) (i1 i2))", "m(@(i1 i2) r0)"},
		{ALL, "m((i1 (i2)) (i1 (i2)))", "m(@(i1 (i2)) r0)"},
		{ALL, "m((i1) (g1) (T) ((i1)))", "m(@(i1) (g1) (T) (r0))"},
		{ALL, "m((i1) <i1>)", "m((@i1) <r0>)"},
		{ALL, "m([i1] (i1))", "m(@(i1) r0)"},
		{ALL, "m(() ())", "m(@() r0)"},
		{ALL, "m(<> <> ())", "m(@<> r0 ())"},
		/* Tuples of names are tuples like others. */
		{OLD_CODE, "{b'C' (z'n') (z'n') () () () z'f' z'n' b'L'}",
		 "{b'C' @(@Z'n') r0 @() r2 r2 z'f' r1 b'L'}"},
		{NEW_CODE,
		 "{b'C' (z'n') (z'n') () b'C' z'f' z'm' z'n' b'' b''}",
		 "{@b'C' @(@Z'n') r1 () r0 z'f' Z'm' r2 @b'' r3}"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_references(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		/* Flags that nothing refers to go. */
		{ALL, "@m@(@i1 @z'x y' @(@g2))", "m(i1 z'x y' (g2))"},
		/* Numbered in order of writing, outermost first. */
		{ALL, "@m(@i1 @(@i2 @i3) r4 r2)", "m(i1 @(i2 @i3) r1 r0)"},
		{ALL, "m(i1 i2 i2 i1)", "m(@i1 @i2 r1 r0)"},
		/* What is inside of something shared is used once. */
		{ALL, "m((i7 i8) (i7 i8) i7)", "m(@(@i7 i8) r0 r1)"},
		/* A reference is the value, whatever it was flagged as. */
		{ALL, "m(@u'x y' r0 z'x y')", "m(@z'x y' r0 r0)"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_string_kinds(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{ALL, "m(z'ab_9Z')", "m(Z'ab_9Z')"},
		{ALL, "m(Z'a.b')", "m(z'a.b')"},
		{ALL, "m(A'a-b')", "m(z'a-b')"},
		{ALL, "m(t'\xc3\xa9')", "m(u'\xc3\xa9')"},
		{ALL, "m(u'a\xc3\xa9' z'a')", "m(u'a\xc3\xa9' Z'a')"},
		{ALL, "m(z'')", "m(Z'')"},
		/* Inside of tuples and sets too, and in no order. */
		{ALL, "m((z'ab' (z'cd' z'e f')) <z'gh'>)",
		 "m((Z'ab' (Z'cd' z'e f')) <Z'gh'>)"},
		/* co_filename is never interned nor merged. */
		{OLD_CODE,
		 "{b'C' (z'file') (z'n') (z'v') (z'f') (z'c') Z'file' "
		 "z'name' b'L'}",
		 "{b'C' (Z'file') (Z'n') (Z'v') (Z'f') (Z'c') z'file' "
		 "Z'name' b'L'}"},
		{OLD_CODE,
		 "{b'C' () (@z'file') (z'v') (z'f') (z'c') r0 z'file' b'L'}",
		 "{b'C' () (@Z'file') (Z'v') (Z'f') (Z'c') z'file' r0 b'L'}"},
		{NEW_CODE,
		 "{b'C' (@Z'file') (z'n') (z'l') b'K' r0 z'name' z'q' b'L' "
		 "b'E'}",
		 "{b'C' (Z'file') (Z'n') (Z'l') b'K' z'file' Z'name' Z'q' "
		 "b'L' b'E'}"},
		/* Names, whatever they look like; equal constants with them. */
		{OLD_CODE,
		 "{b'C' (u'\xc3\xa9') (u'\xc3\xa9' z'a b') (z'v') (z'f') "
		 "(z'c') z'file' z'n' b'L'}",
		 "{b'C' (@t'\xc3\xa9') (r0 Z'a b') (Z'v') (Z'f') (Z'c') "
		 "z'file' Z'n' b'L'}"},
		/* co_name and co_qualname */
		{OLD_CODE,
		 "{b'C' () (z'n') (z'v') (z'f') (z'c') z'file' z'<module>' "
		 "b'L'}",
		 "{b'C' () (Z'n') (Z'v') (Z'f') (Z'c') z'file' Z'<module>' "
		 "b'L'}"},
		{NEW_CODE & ALL_NAMES,
		 "{b'C' () (z'n') (z'l') b'K' z'file' z'<f>' z'A.f' b'L' b'E'}",
		 "{b'C' () (Z'n') (Z'l') b'K' z'file' Z'<f>' Z'A.f' b'L' "
		 "b'E'}"},
		{SOME_NAMES,
		 "{b'C' () (z'n') (z'l') b'K' z'file' Z'<f>' Z'A.f' b'L' b'E'}",
		 "{b'C' () (Z'n') (Z'l') b'K' z'file' z'<f>' z'A.f' b'L' "
		 "b'E'}"},
		{SOME_NAMES,
		 "{b'C' () (z'n') (z'l') b'K' z'file' z'f' z'A_f' b'L' b'E'}",
		 "{b'C' () (Z'n') (Z'l') b'K' z'file' Z'f' Z'A_f' b'L' b'E'}"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_frozensets(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{ALL, "m(<z'b' z'c' z'a'>)", "m(<Z'a' Z'b' Z'c'>)"},
		{ALL, "m(<z'b' z'aa' z'' z'a'>)", "m(<Z'' Z'a' Z'b' Z'aa'>)"},
		/* By type first: tuple, bool, None, int, bytes, str. */
		{ALL, "m(<z'b' b'a' i1 N (i7) F>)",
		 "m(<(i7) F N i1 b'a' Z'b'>)"},
		{ALL, "m(<(z'y' z'x') (z'x' z'z')>)",
		 "m(<(@Z'x' Z'z') (Z'y' r0)>)"},
		/* Numbers only: the order is CPython's. */
		{ALL, "m(<i3 i1 i2>)", "m(<i3 i1 i2>)"},
		{ALL, "m(<i3 T g0.5 y0,1 x'6c010000000700'>)",
		 "m(<i3 T g0.5 y0,1 x'6c010000000700'>)"},
		{ALL, "m(<i3 g0.5 y0,1 T>)", "m(<i3 g0.5 y0,1 T>)"},
		{ALL, "m(<gnan i1 gnan>)", "m(<gnan i1 gnan>)"},
		{ALL, "m(<i3 i1> <i1 i3>)", "m(<@i3 @i1> <r1 r0>)"},
		{ALL, "m(<i3 i1 N>)", "m(<N i1 i3>)"},
		/* Equal ones are one, nested ones too. */
		{ALL, "m(<z'b' z'a'> <z'a' z'b'>)", "m(@<Z'a' Z'b'> r0)"},
		{ALL, "m(<<z'b' z'a'> N> <N <z'a' z'b'>>)",
		 "m(@<<Z'a' Z'b'> N> r0)"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

#define TWIN                                                          \
	"{b'C' () (z'n') (z'v') (z'f') (z'c') z'file' z'twin' b'L'} " \
	"{b'C' () (z'n') (z'v') (z'f') (z'c') z'file' z'twin' b'L'}"

static void test_slices(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{SLICES, "m(/i1 N N/)", "m(/i1 N N/)"},
		/* Equal ones are one, wherever they are. */
		{SLICES, "m(/i1 N N/ (/i1 N N/) /N i1 N/)",
		 "m(@/@i1 N N/ (r0) /N r1 N/)"},
		{SLICES, "m(@/@z'a b' r1 i1/ r0 z'a b')",
		 "m(@/@z'a b' r1 i1/ r0 r1)"},
		/* The number is taken before what is inside. */
		{SLICES, "m(@/@i1000 N r1/ r0)", "m(@/@i1000 N r1/ r0)"},
		/* What is inside is not interned by being there. */
		{SLICES, "m(/Z'a' N N/)", "m(/z'a' N N/)"},
		{SLICES, "m(/z'a' N N/ z'a')", "m(/@Z'a' N N/ r0)"},
		{SLICES, "m(/(i1 i2) <z'b c' z'a'> N/)",
		 "m(/(i1 i2) <z'a' z'b c'> N/)"},
		/* Not a tuple of the same three. */
		{SLICES, "m((i1 N N) /i1 N N/)", "m((@i1 N N) /r0 N N/)"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_frozendicts(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{FROZENDICTS, "m(%%)", "m(%%)"},
		{FROZENDICTS, "m(%z'k' i1 z'j' N%)", "m(%z'k' i1 z'j' N%)"},
		{FROZENDICTS, "m(%z'k' i1% %z'k' i1% %%)",
		 "m(@%z'k' i1% r0 %%)"},
		/* In another order it is another one. */
		{FROZENDICTS, "m(%N i1 T i2% %T i2 N i1%)",
		 "m(%N @i1 T @i2% %T r1 N r0%)"},
		{FROZENDICTS, "m(@%z'k' @z'v w'% r0 r1)",
		 "m(@%z'k' @z'v w'% r0 r1)"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_code_is_not_merged(void **state PX_UNUSED)
{
	static const struct row rows[] = {
		{OLD_CODE,
		 "{b'C' (" TWIN ") (z'n') (z'v') (z'f') (z'c') z'file' "
		 "z'name' b'L'}",
		 "{@b'C' ("
		 "{r0 @() @(Z'n') @(Z'v') @(Z'f') @(Z'c') @z'file' @Z'twin' "
		 "@b'L'} {r0 r1 r2 r3 r4 r5 r6 r7 r8}"
		 ") r2 r3 r4 r5 r6 Z'name' r8}"},
		/* One that is referred to stays one. */
		{OLD_CODE,
		 "{b'1' (@{b'2' () (z'n') (z'v') (z'f') (z'c') z'a' z't' b'M'}"
		 " r0) (z'd') (z'e') (z'g') (z'h') z'b' z'm' b'L'}",
		 "{b'1' (@{b'2' () (Z'n') (Z'v') (Z'f') (Z'c') z'a' Z't' b'M'}"
		 " r0) (Z'd') (Z'e') (Z'g') (Z'h') z'b' Z'm' b'L'}"},
	};

	check_rows(rows, PX_ARRAY_LEN(rows));
}

static void test_one_name_or_none(void **state PX_UNUSED)
{
	static const struct {
		const char *in;
		bool one;
	} cases[] = {
		{"{b'C' (" TWIN ") (z'n') (z'v') (z'f') (z'c') z'file' "
		 "z'name' b'L'}",
		 true},
		/* A constant is none. */
		{"m(z'file' z'a')", true},
		{"{b'C' (" TWIN ") (z'n') (z'v') (z'f') (z'c') z'other' "
		 "z'name' b'L'}",
		 false},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		struct px_buf in = unit_marshal(MAGIC(3425), cases[i].in);
		struct px_buf out;

		assert_int_equal(canonical(MAGIC(3425), &in, &out, NULL), 0);
		assert_true(check_nameless(MAGIC(3425), &in, &out) ==
			    cases[i].one);
		px_buf_fini(&in);
		px_buf_fini(&out);
	}
}

/* Appends `count` times `text` between two ends. */
static char *repeat(const char *head, const char *text, size_t count,
		    const char *tail)
{
	const size_t n = strlen(text);
	char *all = malloc(strlen(head) + n * count + strlen(tail) + 1);
	char *p = stpcpy(all, head);

	for (size_t i = 0; i < count; i++)
		p = stpcpy(p, text);
	stpcpy(p, tail);
	return all;
}

static void test_short_and_long_forms(void **state PX_UNUSED)
{
	static const struct {
		const char *in[2];
		const char *out[2];
		const char *unit;
		size_t n;
	} cases[] = {
		{{"m(a'", "')"}, {"m(Z'", "')"}, "x", 255},
		{{"m(a'", "')"}, {"m(A'", "')"}, "x", 256},
		{{"m(u'.", "')"}, {"m(z'.", "')"}, "x", 254},
		{{"m(u'.", "')"}, {"m(a'.", "')"}, "x", 255},
		{{"m([", "])"}, {"m((", "))"}, "N", 255},
		{{"m([", "])"}, {"m([", "])"}, "N", 256},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(cases); i++) {
		char *in = repeat(cases[i].in[0], cases[i].unit, cases[i].n,
				  cases[i].in[1]);
		char *out = repeat(cases[i].out[0], cases[i].unit, cases[i].n,
				   cases[i].out[1]);

		print_message("%.10s %zu\n", in, cases[i].n);
		check_form(NEW, in, out);
		free(in);
		free(out);
	}
}

/* -------------------------------------------------------------- refusals */

static void refuse(uint32_t magic, const struct px_buf *in)
{
	struct px_fault fault = {SIZE_MAX, NULL};
	struct px_buf out;
	int r = canonical(magic, in, &out, &fault);

	if (r != -EBADMSG)
		unit_hexdump("accepted:", in);
	assert_int_equal(r, -EBADMSG);
	assert_non_null(fault.what);
	assert_true(fault.offset <= in->size);
	px_buf_fini(&out);
}

static void test_refused(void **state PX_UNUSED)
{
	static const struct {
		unsigned pythons;
		const char *in;
	} rows[] = {
		{ALL, "i1"},
		{ALL, "(i1)"},
		{ALL, "N"},
		/* types that CPython knows but no code has */
		{ALL, "m(x'30')"},		   /* null */
		{ALL, "m(x'5b00000000')"},	   /* list */
		{ALL, "m(x'7b30')"},		   /* dict */
		{ALL, "m(x'3c00000000')"},	   /* set */
		{ALL, "m(x'490000000000000000')"}, /* int64 */
		{ALL, "m(x'660130')"},		   /* float in text */
		{ALL, "m(x'7801300130')"},	   /* complex in text */
		{ALL, "m(x'3f')"},		   /* unknown */
		{NO_SLICES, "m(/N N N/)"},
		{SLICES, "m(/N N/)"}, /* the next object is no part of it */
		{NO_DICTS, "m(%%)"},
		{FROZENDICTS, "m(x'7d')"},
		{FROZENDICTS, "m(%N%)"},
		{FROZENDICTS, "m(@%r0 N%)"},
		{SLICES, "m(@/r0 N N/)"},
		{ALL, "m(x'5200000000')"}, /* stringref of Python 2 */
		{ALL, "m(x'00')"},
		{ALL, "m(x'7f')"},
		{ALL, "m(x'ff')"},
		/* references */
		{ALL, "m(r0)"},
		{ALL, "m(@i1 r1)"},
		{ALL, "m(@i1 r-1)"},
		{ALL, "m(@(r0))"},
		{ALL, "m(@<r0>)"},
		{ALL, "@m(r0)"},
		/* fields of the wrong type */
		{ALL, "m i1"},
		{ALL, "m N"},
		{ALL, "m<i1>"},
		{OLD_CODE, "{z'C' () () () () () z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () N () () () z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () (b'n') () () () z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () () (N) () () z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () () () <> () z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () () () () (i1) z'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () () () () () b'f' z'n' b'L'}"},
		{OLD_CODE, "{b'C' () () () () () z'f' N b'L'}"},
		{OLD_CODE, "{b'C' () () () () () z'f' z'n' N}"},
		{NEW_CODE, "{z'C' () () () b'' z'f' z'n' z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () N () b'' z'f' z'n' z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () (N) b'' z'f' z'n' z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () N z'f' z'n' z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () b'' N z'n' z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () b'' z'f' () z'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () b'' z'f' z'n' b'q' b'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () b'' z'f' z'n' z'q' z'L' b'E'}"},
		{NEW_CODE, "{b'C' () () () b'' z'f' z'n' z'q' b'L' z'E'}"},
		/* no order that follows from the values */
		{ALL, "m(<gnan N>)"},
		{ALL, "m(<(gnan) (gnan)>)"},
		/* counts larger than what is there */
		{ALL, "m(x'28ffffffff4e')"},
		{ALL, "m(x'28ffffff7f4e')"},
		{ALL, "m(x'3effffffff4e')"},
		{ALL, "m(x'3e000000404e')"},
		{ALL, "m(x'73ffffffff4e')"},
		{ALL, "m(x'75ffffff7f4e')"},
		{ALL, "m(x'61000000804e')"},
		{ALL, "m(x'6c000000804e')"},
		{ALL, "m(x'6cffffff7f4e')"},
		{ALL, "m(x'6c010000804e')"},
		{ALL, "m(x'29ff4e')"},
		{ALL, "m(x'7aff4e')"},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].in);
		for (size_t k = 0; k < PX_ARRAY_LEN(unit_magics); k++) {
			struct px_buf in;

			if (!(rows[i].pythons & 1u << k))
				continue;
			in = unit_marshal(unit_magics[k], rows[i].in);
			refuse(unit_magics[k], &in);
			px_buf_fini(&in);
		}
	}
}

/* What CPython's reader takes for something else than we could: it numbers no
 * singleton and no reference (r_object), and reads "ASCII" as Latin-1. */
static void test_ambiguous(void **state PX_UNUSED)
{
	static const char *const rows[] = {
		"m(@N @i5 r0)", "m(@T @i5 r0)",	  "m(@F @i5 r0)",
		"m(@. @i5 r0)", "m(@S @i5 r0)",	  "m(@i1 @r0 @i5 r1)",
		"m(z'\xe9')",	"m(Z'\xc3\xa9')", "m(a'\xc3\xa9')",
		"m(A'x\x80')",
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		struct px_buf in = unit_marshal(NEW, rows[i]);

		print_message("%s\n", rows[i]);
		refuse(NEW, &in);
		px_buf_fini(&in);
	}
}

/* Code objects have no order that follows from their values. */
static void test_code_in_a_set(void **state PX_UNUSED)
{
	static const char *const rows[] = {
		"m(<m()>)",	     "m(<(m()) N>)",	 "m(<(N (i1 m())) N>)",
		"m(<<(m()) i1> N>)", "m(@(m()) <r0 N>)",
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(rows); i++) {
		struct px_buf in = unit_marshal(NEW, rows[i]);

		print_message("%s\n", rows[i]);
		refuse(NEW, &in);
		px_buf_fini(&in);
	}
}

/* The layout of one Python is not taken for another's. */
static void test_layouts_differ(void **state PX_UNUSED)
{
	struct px_buf old = unit_marshal(MAGIC(3439), "m(i1)");
	struct px_buf new = unit_marshal(MAGIC(3495), "m(i1)");

	refuse(MAGIC(3495), &old);
	refuse(MAGIC(3439), &new);
	px_buf_fini(&old);
	px_buf_fini(&new);
}

static void test_nothing_may_follow(void **state PX_UNUSED)
{
	struct px_buf in = unit_marshal(NEW, "m(i1)");

	assert_int_equal(px_buf_add(&in, "N", 1), 0);
	refuse(NEW, &in);
	px_buf_fini(&in);
}

static void test_unknown_magic(void **state PX_UNUSED)
{
	static const uint32_t magics[] = {
		0,	     UINT32_MAX,  MAGIC(0),
		3571,	     MAGIC(3400), MAGIC(3412),
		MAGIC(3414), MAGIC(3494), MAGIC(3496),
		MAGIC(3572), MAGIC(3624), MAGIC(3628),
		MAGIC(3665), MAGIC(3667), 0x0a0d0000u + 3571 + 1,
	};
	struct px_buf in = unit_marshal(NEW, "m(i1)");
	struct px_buf out = {.max = 1000};

	for (size_t i = 0; i < PX_ARRAY_LEN(magics); i++) {
		assert_false(px_marshal_knows(magics[i]));
		assert_int_equal(px_marshal_canonical(magics[i], in.data,
						      in.size, &out, NULL),
				 -EPROTONOSUPPORT);
	}
	for (size_t i = 0; i < PX_ARRAY_LEN(unit_magics); i++)
		assert_true(px_marshal_knows(unit_magics[i]));
	assert_int_equal(out.size, 0);
	px_buf_fini(&in);
}

static void check_depth(const char *open, const char *close, size_t n,
			int expected)
{
	char *head = repeat("m(", open, n, "i1");
	char *all = repeat(head, close, n, ")");
	struct px_buf in = unit_marshal(NEW, all);
	struct px_fault fault;
	struct px_buf out, again;

	print_message("%s %zu\n", open, n);
	assert_int_equal(canonical(NEW, &in, &out, &fault), expected);
	if (expected == 0) {
		assert_int_equal(canonical(NEW, &out, &again, NULL), 0);
		assert_buf_equal(&out, &again);
		px_buf_fini(&again);
	} else {
		assert_non_null(strstr(fault.what, "deep"));
	}
	px_buf_fini(&in);
	px_buf_fini(&out);
	free(head);
	free(all);
}

static void test_depth(void **state PX_UNUSED)
{
	/* The code object, its constants and the innermost one count. */
	check_depth("(", ")", DEEP - 3, 0);
	check_depth("(", ")", DEEP - 2, -EBADMSG);
	check_depth("<", ">", DEEP - 2, -EBADMSG);
	check_depth("[", "]", 2 * DEEP, -EBADMSG);
}

/* Depth built of references: ((((i1)))) one level at a time, and then a set
 * that sorts the deepest one to the front. */
static void test_depth_of_references(void **state PX_UNUSED)
{
	static const unsigned depths[] = {100, DEEP - 4, DEEP + 10, 20000};

	for (size_t i = 0; i < PX_ARRAY_LEN(depths); i++) {
		struct px_buf in = unit_marshal(NEW, "m<@(N)>");
		/* The count of "<", the set: after the code's bytes. */
		const size_t set = 1 + 5 * 4 + 6 + 1;
		const size_t tail = set + 4 + 3;
		struct px_buf all = {.max = 1u << 30}, out, again;
		int r;

		/* constants are a tuple: (<..>) */
		assert_int_equal(px_buf_add(&all, in.data, set - 1), 0);
		assert_int_equal(px_buf_add(&all, ")\1>", 3), 0);
		px_buf_add_le32(&all, depths[i]);
		px_buf_add(&all, "\xa9\1N", 3);
		for (unsigned n = 0; n + 1 < depths[i]; n++) {
			px_buf_add(&all, "\xa9\1r", 3);
			px_buf_add_le32(&all, n);
		}
		px_buf_add(&all, in.data + tail, in.size - tail);
		r = canonical(NEW, &all, &out, NULL);
		print_message("%u: %d\n", depths[i], r);
		if (r == 0) {
			assert_int_equal(canonical(NEW, &out, &again, NULL), 0);
			assert_buf_equal(&out, &again);
			px_buf_fini(&again);
		}
		/* With the code object and the tuple around it. */
		assert_int_equal(r, depths[i] > DEEP - 3 ? -EBADMSG : 0);
		px_buf_fini(&in);
		px_buf_fini(&all);
		px_buf_fini(&out);
	}
}

static void test_output_bound(void **state PX_UNUSED)
{
	struct px_buf in = unit_marshal(NEW, "m(i1 (z'a b' g2) <z'b' z'c'>)");
	struct px_buf full, out = {0};

	assert_int_equal(canonical(NEW, &in, &full, NULL), 0);
	for (size_t max = 6; max < full.size + 8; max++) {
		int r;

		out.max = max;
		assert_int_equal(px_buf_add(&out, "before", 6), 0);
		r = px_marshal_canonical(NEW, in.data, in.size, &out, NULL);
		assert_int_equal(r, max < full.size + 6 ? -EFBIG : 0);
		assert_int_equal(out.size, r < 0 ? 6 : full.size + 6);
		assert_memory_equal(out.data, "before", 6);
		if (r == 0)
			assert_memory_equal(out.data + 6, full.data, full.size);
		px_buf_fini(&out);
		out = (struct px_buf){0};
	}
	px_buf_fini(&in);
	px_buf_fini(&full);
}

/* ---------------------------------------------------------------- golden */

struct golden {
	char name[40];
	char sha256[65];
	uint32_t magic;
	struct px_buf data;
};

static struct golden *golden;
static size_t n_golden;

static int load_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		struct golden *g;
		const char *p;
		char magic[16];
		int at = 0;

		golden = realloc(golden, (n_golden + 1) * sizeof(*golden));
		g = &golden[n_golden++];
		*g = (struct golden){.data.max = 1u << 20};
		if (sscanf(line, "%39s %15s %64s %n", g->name, magic, g->sha256,
			   &at) != 3 ||
		    strlen(g->sha256) != 64)
			return -EBADMSG;
		g->magic = (uint32_t)strtoul(magic, NULL, 10);
		for (p = line + at; p[0] > ' '; p += 2) {
			const uint8_t b = (uint8_t)(unit_digit(p[0]) << 4 |
						    unit_digit(p[1]));

			px_buf_add(&g->data, &b, 1);
		}
	}
	free(line);
	fclose(f);
	return 0;
}

static int load_golden(void **state PX_UNUSED)
{
	const char *dir = getenv("PYCFS_GOLDEN");
	char path[4096];

	for (unsigned minor = 8; minor <= 15; minor++) {
		snprintf(path, sizeof(path), "%s/3.%u.txt",
			 dir ? dir : "tests/golden", minor);
		if (load_file(path) < 0) {
			print_error("PYCFS_GOLDEN: cannot read %s\n", path);
			return -1;
		}
	}
	return 0;
}

static int free_golden(void **state PX_UNUSED)
{
	for (size_t i = 0; i < n_golden; i++)
		px_buf_fini(&golden[i].data);
	free(golden);
	return 0;
}

static void test_golden(void **state PX_UNUSED)
{
	unsigned n_changed = 0;

	for (size_t i = 0; i < n_golden; i++) {
		const struct golden *g = &golden[i];
		uint8_t sum[crypto_hash_sha256_BYTES];
		char text[2 * sizeof(sum) + 1];
		struct px_buf out, again;

		print_message("%s %u\n", g->name, g->magic & 0xffff);
		assert_int_equal(canonical(g->magic, &g->data, &out, NULL), 0);
		crypto_hash_sha256(sum, out.data, out.size);
		sodium_bin2hex(text, sizeof(text), sum, sizeof(sum));
		assert_string_equal(text, g->sha256);
		assert_int_equal(canonical(g->magic, &out, &again, NULL), 0);
		assert_buf_equal(&again, &out);
		n_changed += out.size != g->data.size ||
			     memcmp(out.data, g->data.data, out.size) != 0;
		px_buf_fini(&out);
		px_buf_fini(&again);
	}
	assert_true(n_golden >= 24);
	/* They are worth something only if there is something to do. */
	assert_true(n_changed >= 12);
}

static void test_every_prefix_is_refused(void **state PX_UNUSED)
{
	for (size_t i = 0; i < n_golden; i++) {
		struct px_buf cut = golden[i].data;

		print_message("%s %u\n", golden[i].name, golden[i].magic);
		/* All of the short ones; of others the most telling ends. */
		for (cut.size = 0; cut.size < golden[i].data.size; cut.size++)
			if (cut.size < 1000 || cut.size % 17 == 0)
				refuse(golden[i].magic, &cut);
	}
}

/* Anything may come of it but a crash, and what is accepted has a form. */
static void test_every_flipped_bit(void **state PX_UNUSED)
{
	size_t accepted = 0, refused = 0;

	for (size_t i = 0; i < n_golden; i++) {
		const struct px_buf *in = &golden[i].data;
		/* Each bit of the small ones, a sample of the others. */
		const size_t step = in->size > 600 ? 13 : 1;

		for (size_t bit = 0; bit < 8 * in->size; bit += step) {
			struct px_buf out, again;

			in->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (canonical(golden[i].magic, in, &out, NULL) == 0) {
				assert_int_equal(canonical(golden[i].magic,
							   &out, &again, NULL),
						 0);
				assert_buf_equal(&again, &out);
				px_buf_fini(&again);
				accepted++;
			} else {
				refused++;
			}
			px_buf_fini(&out);
			in->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	print_message("%zu accepted, %zu refused\n", accepted, refused);
	assert_true(accepted > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_string_kinds),
		cmocka_unit_test(test_frozensets),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_frozendicts),
		cmocka_unit_test(test_code_is_not_merged),
		cmocka_unit_test(test_one_name_or_none),
		cmocka_unit_test(test_short_and_long_forms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_code_in_a_set),
		cmocka_unit_test(test_layouts_differ),
		cmocka_unit_test(test_nothing_may_follow),
		cmocka_unit_test(test_unknown_magic),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_of_references),
		cmocka_unit_test(test_output_bound),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_every_prefix_is_refused),
		cmocka_unit_test(test_every_flipped_bit),
	};

	return cmocka_run_group_tests(tests, load_golden, free_golden);
}
