/* SPDX-License-Identifier: MIT */
#include "pycfs/json.h"

void px_json_string(FILE *to, const char *s)
{
	size_t n;

	putc('"', to);
	for (; *s; s += n) {
		const bool is_utf8 = px_utf8_sequence(s) > 0;

		if (px_is_control(s, &n) || *s == '<')
			fprintf(to, "\\u%04x",
				is_utf8 ? px_utf8_code(s, n)
					: 0xDC00u + (unsigned char)*s);
		else if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else
			fprintf(to, "%.*s", (int)n, s);
	}
	putc('"', to);
}
