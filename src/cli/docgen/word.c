/* SPDX-License-Identifier: MIT */
#include "docgen.h"

#include <stdarg.h>
#include <stdio.h>

void px_docgen_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("docgen: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static const struct {
	const char *name;
	enum px_docgen_kind kind;
} kinds[] = {
	{"SOURCE", PX_DOCGEN_DIR}, {"MOUNTPOINT", PX_DOCGEN_DIR},
	{"DIR", PX_DOCGEN_DIR},	   {"SOURCE|MOUNTPOINT", PX_DOCGEN_DIR},
	{"DEST", PX_DOCGEN_FILE},  {"FILE", PX_DOCGEN_FILE},
	{"LAYER", PX_DOCGEN_FILE}, {"OLD", PX_DOCGEN_FILE},
	{"PY", PX_DOCGEN_PYTHON},  {"COMMAND...", PX_DOCGEN_COMMAND},
};

enum px_docgen_kind px_docgen_kind(const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(kinds); i++)
		if (strlen(kinds[i].name) == n &&
		    memcmp(kinds[i].name, word, n) == 0)
			return kinds[i].kind;
	return memchr(word, '|', n) ? PX_DOCGEN_WORDS : PX_DOCGEN_TEXT;
}

enum px_docgen_kind px_docgen_value(const struct px_opt_row *row)
{
	return row->choices ? PX_DOCGEN_WORDS
	       : row->argument
		       ? px_docgen_kind(row->argument, strlen(row->argument))
		       : PX_DOCGEN_TEXT;
}

const struct px_verb *px_docgen_verb(const char *name)
{
	size_t i;

	for (i = 0; i < PX_N_VERBS; i++)
		if (strcmp(px_verbs[i].name, name) == 0)
			return &px_verbs[i];
	px_docgen_die("no verb '%s'", name);
}
