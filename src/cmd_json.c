/* SPDX-License-Identifier: MIT */
#include "pycfs/cmd.h"

#include <stdio.h>

/* Bytes of the UTF-8 sequence at `p` (RFC 3629); 0: it is none. */
static unsigned sequence(const unsigned char *p)
{
	unsigned n, i;

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

void px_cmd_json_string(FILE *to, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	putc('"', to);
	while (*p) {
		const unsigned n = sequence(p);

		if (*p == '"' || *p == '\\')
			fprintf(to, "\\%c", *p);
		else if (*p < 0x20 || *p == '<' || n == 0)
			fprintf(to, "\\u%04x", n == 0 ? 0xDC00u + *p : *p);
		else
			fprintf(to, "%.*s", (int)n, (const char *)p);
		p += n ? n : 1;
	}
	putc('"', to);
}
