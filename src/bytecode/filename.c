/* SPDX-License-Identifier: MIT */
#include "pycfs/filename.h"

#include "graph.h"

_Static_assert(PX_FILENAME_MARK == KIND_FILENAME &&
		       PX_FILENAME_SHARED == FLAG_REF,
	       "the writer leaves the node's own type as the mark");

/* Bytes of a byte that is no UTF-8: a surrogate, U+DC80 to U+DCFF. */
#define ESCAPED 3

struct measure {
	size_t n; /* bytes of the text, as marshal writes them */
	bool ascii;
};

static struct measure measure(const char *name)
{
	struct measure m = {0, true};

	while (*name) {
		const size_t n = px_utf8_sequence(name);

		m.n += n > 0 ? n : ESCAPED;
		m.ascii = m.ascii && n == 1;
		name += n > 0 ? n : 1;
	}
	return m;
}

static void escape(uint8_t byte, uint8_t ret[ESCAPED])
{
	ret[0] = 0xed;
	ret[1] = (uint8_t)(0xb0 | byte >> 6);
	ret[2] = (uint8_t)(0x80 | (byte & 0x3f));
}

/* As put_str of marshal_write.c writes a str that is not interned. */
static bool is_short(const struct measure *m)
{
	return m->ascii && m->n < 256;
}

bool px_filename_is_mark(uint8_t byte)
{
	return (byte & (uint8_t)~PX_FILENAME_SHARED) == PX_FILENAME_MARK;
}

size_t px_filename_size(const char *name)
{
	const struct measure m = measure(name);

	return (is_short(&m) ? 2 : 5) + m.n;
}

void px_filename_write(const char *name, uint8_t mark, uint8_t *ret)
{
	const struct measure m = measure(name);
	const uint8_t flag = mark & PX_FILENAME_SHARED;

	if (is_short(&m)) {
		*ret++ = TYPE_SHORT_ASCII | flag;
		*ret++ = (uint8_t)m.n;
	} else {
		*ret++ = (uint8_t)(m.ascii ? TYPE_ASCII : TYPE_UNICODE) | flag;
		px_put_le32(ret, (uint32_t)m.n);
		ret += 4;
	}
	while (*name) {
		const size_t n = px_utf8_sequence(name);

		if (n > 0) {
			memcpy(ret, name, n);
			ret += n;
			name += n;
		} else {
			escape((uint8_t)*name++, ret);
			ret += ESCAPED;
		}
	}
}
