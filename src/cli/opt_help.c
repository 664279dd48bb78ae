/* SPDX-License-Identifier: MIT */
#include "opt_table.h"

#include <stdio.h>

/* Prints `text`, whose first line begins in column `indent`, and breaks it into
 * lines that begin in the same column and end before column 80. */
static void print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text) {
		const int n = (int)strcspn(text, " ");

		if (column > indent && column + 1 + n > 79) {
			printf("\n%*s", indent, "");
			column = indent;
		}
		if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

void px_opt_help(const struct px_verb *verb)
{
	char text[512], choices[400];
	size_t i;
	int n;

	snprintf(text, sizeof(text), "usage: pycfs %s [options] %s", verb->name,
		 verb->arguments);
	print_wrapped(text, 0);
	putchar('\n');
	print_wrapped(verb->details, 0);
	printf("\noptions:\n");
	for (i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];

		if (!(row->verbs & (unsigned)verb->bit))
			continue;
		n = row->letter ? printf("  -%c, --%s", row->letter, row->name)
				: printf("      --%s", row->name);
		if (row->argument)
			n += printf(" %s", row->argument);
		if (n < 29)
			printf("%*s", 30 - n, "");
		else
			printf("\n%*s", 30, "");
		snprintf(text, sizeof(text), "%s%s%s", row->help,
			 row->choices ? ": " : "",
			 row->choices ? px_opt_choices(row, true, choices,
						       sizeof(choices))
				      : "");
		print_wrapped(text, 30);
	}
}
