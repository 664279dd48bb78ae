/* SPDX-License-Identifier: MIT */
#include "docgen.h"

#include <stdio.h>

#define LINE_MAX_BYTES 4096

static void expand(const char *path, int depth);

/* Executes the directive @name. */
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
	px_docgen_die("no directive '@%s'", name);
}

/* Expands the file `name` in the directory of the file `from`, which has the
 * directive @include. */
static void include(const char *from, const char *name, int depth)
{
	const char *slash = strrchr(from, '/');
	char path[LINE_MAX_BYTES * 2];

	snprintf(path, sizeof(path), "%.*s%s",
		 slash ? (int)(slash + 1 - from) : 0, from, name);
	expand(path, depth + 1);
}

/* Copies a template to stdout, with its directives expanded. `depth` is the
 * number of files that include this one. */
static void expand(const char *path, int depth)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES], *argument;

	if (!f || depth > 3)
		px_docgen_die("cannot open %s: %s", path,
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
		px_docgen_die("cannot read %s: %s", path, strerror(errno));
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		px_docgen_die("usage: docgen TEMPLATE > RESULT");
	expand(argv[1], 0);
	if (fflush(stdout) != 0)
		px_docgen_die("cannot write: %s", strerror(errno));
	return 0;
}
