/* SPDX-License-Identifier: MIT */
#include "trace.h"

/* Lib/traceback.py (StackSummary.format_frame_summary, 3.8 to 3.13) and
 * Python/traceback.c (dump_frame, which faulthandler calls) begin so. */
#define BEGIN "  File \""
#define LINE  "\", line "
/* Spaces in front of a source line. */
#define INDENT 4

static bool begins(const char *at, const char *end, const char *with)
{
	const size_t n = strlen(with);

	return (size_t)(end - at) >= n && memcmp(at, with, n) == 0;
}

/* What comes behind the path: the number, and the name or nothing. */
static bool parse_number(const char *at, const char *end, uint32_t *ret)
{
	uint64_t v = 0;
	const char *from = at;

	for (; at < end && *at >= '0' && *at <= '9' && v <= UINT32_MAX; at++)
		v = v * 10 + (uint64_t)(*at - '0');
	if (at == from || v == 0 || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return at == end || begins(at, end, ", in ") || begins(at, end, " in ");
}

bool px_frame_line(const char *line, size_t n, struct px_frame_line *ret)
{
	const char *end = line + n, *at = line, *path, *quote;

	if (n > 0 && end[-1] == '\r')
		end--;
	for (;; at++) {
		at = memmem(at, (size_t)(end - at), BEGIN, strlen(BEGIN));
		if (!at)
			return false;
		path = at + strlen(BEGIN);
		quote = memmem(path, (size_t)(end - path), LINE, strlen(LINE));
		if (!quote)
			return false;
		if (quote > path &&
		    parse_number(quote + strlen(LINE), end, &ret->number))
			break;
	}
	ret->before = (size_t)(at - line);
	ret->path = path;
	ret->path_size = (size_t)(quote - path);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool px_frame_is_source(const char *before, size_t before_size,
			const char *line, size_t n)
{
	size_t i;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n <= before_size + INDENT)
		return false;
	for (i = 0; i < before_size; i++)
		if (line[i] != before[i] &&
		    !(is_digit(line[i]) && is_digit(before[i])))
			return false;
	for (; i < before_size + INDENT; i++)
		if (line[i] != ' ')
			return false;
	while (i < n && line[i] == ' ')
		i++;
	return i < n;
}
