/* SPDX-License-Identifier: MIT */
#include "pycfs/cmd.h"

#include <stdio.h>

void px_cmd_json_string(FILE *to, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	putc('"', to);
	while (*p) {
		const size_t n = px_utf8_sequence((const char *)p);

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
