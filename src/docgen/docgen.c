/* SPDX-License-Identifier: MIT */
#include "docgen_i.h"

#include <stdio.h>
#include <stdarg.h>

#define LINE_MAX_BYTES 4096

static PX_PRINTF(1, 2) _Noreturn void die(const char *fmt, ...)
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
	{"SOURCE", PX_DOCGEN_DIR},
	{"MOUNTPOINT", PX_DOCGEN_DIR},
	{"DIR", PX_DOCGEN_DIR},
	{"SOURCE|MOUNTPOINT", PX_DOCGEN_DIR},
	{"DEST", PX_DOCGEN_FILE},
	{"FILE", PX_DOCGEN_FILE},
	{"OLD", PX_DOCGEN_FILE},
	{"PY", PX_DOCGEN_PYTHON},
	{"COMMAND...", PX_DOCGEN_COMMAND},
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
	die("no verb '%s'", name);
}

static void expand(const char *path, int depth);

static void direct(const char *name, const char *argument)
{
	static const struct {
		const char *name;
		void (*print)(const char *argument);
	} directives[] = {
		{"title", px_docgen_title},
		{"name", px_docgen_name},
		{"synopsis", px_docgen_synopsis},
		{"details", px_docgen_details},
		{"options", px_docgen_options},
		{"verbs", px_docgen_verbs},
		{"bash", px_docgen_bash},
		{"zsh", px_docgen_zsh},
		{"zsh-verbs", px_docgen_zsh_verbs},
		{"fish", px_docgen_fish},
	};
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(directives); i++)
		if (strcmp(directives[i].name, name) == 0) {
			directives[i].print(argument);
			return;
		}
	die("no directive '@%s'", name);
}

/* @include names a file beside the one that it is in. */
static void include(const char *from, const char *name, int depth)
{
	const char *slash = strrchr(from, '/');
	char path[LINE_MAX_BYTES * 2];

	snprintf(path, sizeof(path), "%.*s%s",
		 slash ? (int)(slash + 1 - from) : 0, from, name);
	expand(path, depth + 1);
}

static void expand(const char *path, int depth)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES], *argument;

	if (!f || depth > 3)
		die("cannot open %s: %s", path,
		    f ? "included by itself?" : strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (*line != '@') {
			fputs(line, stdout);
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		argument = line + strcspn(line, " ");
		if (*argument)
			*argument++ = '\0';
		if (strcmp(line, "@include") == 0)
			include(path, argument, depth);
		else
			direct(line + 1, argument);
	}
	if (ferror(f))
		die("cannot read %s: %s", path, strerror(errno));
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: docgen TEMPLATE > RESULT");
	expand(argv[1], 0);
	if (fflush(stdout) != 0)
		die("cannot write: %s", strerror(errno));
	return 0;
}
