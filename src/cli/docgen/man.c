/* SPDX-License-Identifier: MIT */
/*
 * The directives of manual pages. They use only macros of man(7) that both
 * groff and mandoc have.
 */
#include "docgen.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

/* Prints `n` bytes of `s`, in which characters that roff would interpret, or
 * print as another character, are escaped. */
static void print_escaped(const char *s, size_t n)
{
	static const struct {
		char c;
		const char *as;
	} escapes[] = {
		{'\\', "\\e"},	{'-', "\\-"},	{'~', "\\(ti"},
		{'^', "\\(ha"}, {'`', "\\(ga"}, {'\'', "\\(aq"},
	};
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < PX_ARRAY_LEN(escapes); k++)
			if (s[i] == escapes[k].c)
				break;
		if (k < PX_ARRAY_LEN(escapes))
			fputs(escapes[k].as, stdout);
		else
			putchar(s[i]);
	}
}

/* Prints a word, in bold if it is an option. A word that begins with a dot is
 * protected, because roff takes a line that begins with one for a request. */
static void print_word(const char *word, size_t n)
{
	const bool option = n > 1 && *word == '-';
	size_t end = n;

	while (option && strchr(".,:;)", word[end - 1]))
		end--;
	if (*word == '.')
		fputs("\\&", stdout);
	if (option)
		fputs("\\fB", stdout);
	print_escaped(word, end);
	if (option)
		fputs("\\fR", stdout);
	print_escaped(word + end, n - end);
}

/* Prints `text`, its first letter as a capital if `capital` is true, in lines
 * of some 70 characters so that the page can be read as a source, too. */
static void print_text(const char *text, bool capital)
{
	size_t column = 0;
	char first;

	while (*text) {
		const size_t n = strcspn(text, " ");

		if (column > 0 && column + n > 70) {
			putchar('\n');
			column = 0;
		} else if (column > 0) {
			putchar(' ');
		}
		first = (char)toupper((unsigned char)*text);
		/* A first word such as "gc:" is a name and stays as it is. */
		if (capital && text[n - 1] != ':') {
			putchar(first);
			print_word(text + 1, n - 1);
		} else {
			print_word(text, n);
		}
		capital = false;
		column += n + 1;
		text += n + (text[n] == ' ');
	}
}

/* The page has a date only if SOURCE_DATE_EPOCH is set, so that its bytes do
 * not depend on when it is built. */
void px_docgen_title(const char *name_and_section)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	const time_t t = epoch ? (time_t)strtoll(epoch, NULL, 10) : 0;
	char date[32] = "";
	struct tm tm;

	if (epoch && gmtime_r(&t, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	printf(".\\\" Made by docgen: do not edit.\n"
	       ".TH %s \"%s\" \"pycfs " PX_VERSION "\" \"pycfs\"\n"
	       ".nr HY 0\n.nh\n.ad l\n",
	       name_and_section, date);
}

void px_docgen_name(const char *name)
{
	const struct px_verb *verb = px_docgen_verb(name);

	printf("pycfs\\-%s \\- ", verb->name);
	print_text(verb->summary, false);
	putchar('\n');
}

/* Prints the arguments of a verb: in italics those that the user replaces,
 * which have capital letters, and in bold the others. */
static void print_arguments(const char *text)
{
	while (*text) {
		const size_t n = strcspn(text, " |");
		const bool fill = isupper((unsigned char)*text);

		fputs(fill ? "\\fI" : "\\fB", stdout);
		print_escaped(text, n);
		fputs("\\fR", stdout);
		if (text[n])
			putchar(text[n]);
		text += n + (text[n] != '\0');
	}
}

void px_docgen_synopsis(const char *name)
{
	const struct px_verb *verb = px_docgen_verb(name);

	printf("\\fBpycfs %s\\fR [\\fIoptions\\fR] ", verb->name);
	print_arguments(verb->arguments);
	putchar('\n');
}

void px_docgen_details(const char *name)
{
	print_text(px_docgen_verb(name)->details, false);
	putchar('\n');
}

static void print_choices(const struct px_opt_row *row)
{
	const struct px_opt_choice *c;

	for (c = row->choices; c->name; c++) {
		const bool usual = px_opt_is_default(row, c);

		fputs(c == row->choices ? ":\n" : ",\n", stdout);
		fputs("\\fB", stdout);
		print_escaped(c->name, strlen(c->name));
		fputs("\\fR", stdout);
		if (!c->help && !usual)
			continue;
		fputs(" (", stdout);
		print_text(c->help ? c->help : "", false);
		fputs(usual && c->help ? "; default)"
		      : usual	       ? "default)"
				       : ")",
		      stdout);
	}
}

void px_docgen_options(const char *name)
{
	const struct px_verb *verb = px_docgen_verb(name);
	const struct px_opt_row *row;

	PX_DOCGEN_EACH(row, verb)
	{
		fputs(".TP\n", stdout);
		if (row->letter)
			printf("\\fB\\-%c\\fR, ", row->letter);
		fputs("\\fB\\-\\-", stdout);
		print_escaped(row->name, strlen(row->name));
		fputs("\\fR", stdout);
		if (row->argument)
			printf(" \\fI%s\\fR", row->argument);
		putchar('\n');
		print_text(row->help, true);
		if (row->choices)
			print_choices(row);
		puts(".");
	}
}

void px_docgen_verbs(PX_UNUSED const char *unused)
{
	size_t i;

	for (i = 0; i < PX_N_VERBS; i++) {
		printf(".TP\n\\fBpycfs %s\\fR ", px_verbs[i].name);
		print_arguments(px_verbs[i].arguments);
		putchar('\n');
		print_text(px_verbs[i].summary, true);
		printf(": see\n.BR pycfs\\-%s (1).\n", px_verbs[i].name);
	}
}
