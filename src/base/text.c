/* SPDX-License-Identifier: MIT */
#include "pycfs/text.h"

size_t px_utf8_sequence(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n, i;

	if (*p < 0x80)
		return 1;
	if (*p >= 0xC2 && *p <= 0xDF)
		n = 2;
	else if ((*p & 0xF0) == 0xE0)
		n = 3;
	else if (*p >= 0xF0 && *p <= 0xF4)
		n = 4;
	else
		return 0;
	if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) ||
	    (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F))
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return n;
}

uint32_t px_utf8_code(const char *text, size_t n)
{
	/* For a sequence of n bytes: the bits of its first byte that belong to
	 * the code point. */
	static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
	uint32_t code = (unsigned char)*text & first[n];
	size_t i;

	for (i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3F);
	return code;
}

bool px_is_control(const char *text, size_t *ret_n)
{
	/* In this order: C0; DEL and C1; ALM; LRM and RLM; line and paragraph
	 * separators, LRE, RLE, PDF, LRO, RLO; LRI, RLI, FSI, PDI (Unicode 15,
	 * chapter 23.1, and UAX #9, table 2). */
	static const uint32_t ranges[][2] = {
		{0, 0x1F},	  {0x7F, 0x9F},	    {0x61C, 0x61C},
		{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
	};
	const size_t n = px_utf8_sequence(text);
	uint32_t code;
	size_t i;

	*ret_n = n ? n : 1;
	if (n == 0)
		return true;
	code = px_utf8_code(text, n);
	for (i = 0; i < PX_ARRAY_LEN(ranges); i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return false;
}

char *px_clean(const char *text)
{
	char *copy = malloc(strlen(text) + 1), *to = copy;
	size_t n;

	if (!copy)
		return NULL;
	for (; *text; text += n)
		if (px_is_control(text, &n))
			*to++ = '?';
		else
			to = mempcpy(to, text, n);
	*to = '\0';
	return copy;
}

int px_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t v = 0;
	bool too_large = false;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		too_large |=
			__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
	if (p == text)
		return -EINVAL;
	if (*p) {
		const char *suffix = strchr(suffixes, *p);
		unsigned shift;

		if (!suffix || p[1])
			return -EINVAL;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		too_large |= v > UINT64_MAX >> shift;
		v <<= shift;
	}
	if (too_large)
		return -ERANGE;
	*ret_bytes = v;
	return 0;
}
