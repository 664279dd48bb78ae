/* SPDX-License-Identifier: MIT */
/*
 * The directives of completion scripts. Strings are written in single quotes,
 * for bash, zsh and fish alike.
 */
#include "docgen.h"

#include <stdio.h>

/* Prints `s`, which stands in single quotes, with a backslash before each
 * character that is in `special`. A single quote is written as `quote`. */
static void print_quoted(const char *s, const char *special, const char *quote)
{
	for (; *s; s++) {
		if (*s == '\'') {
			fputs(quote, stdout);
			continue;
		}
		if (strchr(special, *s))
			putchar('\\');
		putchar(*s);
	}
}

/* Calls `print` for each argument of a verb with its number, from 1, and its
 * name. The word "--" is not counted, and the arguments end at a "<". */
static void each_argument(const struct px_verb *verb,
			  void (*print)(const struct px_verb *verb, int nth,
					const char *word, size_t n))
{
	const char *p = verb->arguments;
	int nth = 1;

	while (*p && *p != '<') {
		const size_t n = strcspn(p, " ");

		if (n != 2 || memcmp(p, "--", 2) != 0)
			print(verb, nth++, p, n);
		p += n + (p[n] == ' ');
	}
}

/* ------------------------------------------------------------------- bash */

/* What the script's table has for an argument of this kind; for WORDS, the
 * words follow. */
static const char *bash_kind(enum px_docgen_kind kind)
{
	static const char *const names[] = {
		[PX_DOCGEN_TEXT] = "@text",
		[PX_DOCGEN_WORDS] = "",
		[PX_DOCGEN_DIR] = "@dir",
		[PX_DOCGEN_FILE] = "@file",
		[PX_DOCGEN_PYTHON] = "@python",
		[PX_DOCGEN_COMMAND] = "@command",
	};

	return names[kind];
}

static void print_words(const struct px_opt_row *row)
{
	const struct px_opt_choice *c;

	for (c = row->choices; c && c->name; c++)
		printf("%s%s", c == row->choices ? "" : " ", c->name);
}

static void bash_value(const struct px_verb *verb, const struct px_opt_row *row,
		       bool letter)
{
	if (letter)
		printf("\t['%s -%c']='", verb->name, row->letter);
	else
		printf("\t['%s --%s']='", verb->name, row->name);
	fputs(bash_kind(px_docgen_value(row)), stdout);
	print_words(row);
	puts("'");
}

static void bash_argument(const struct px_verb *verb, int nth, const char *word,
			  size_t n)
{
	const enum px_docgen_kind kind = px_docgen_kind(word, n);
	size_t i;

	printf("\t['%s %d']='%s", verb->name, nth, bash_kind(kind));
	for (i = 0; kind == PX_DOCGEN_WORDS && i < n; i++)
		putchar(word[i] == '|' ? ' ' : word[i]);
	puts("'");
}

void px_docgen_bash(PX_UNUSED const char *unused)
{
	const struct px_opt_row *row;
	const struct px_verb *verb;

	puts("declare -gA _pycfs_options=(");
	for (verb = px_verbs; verb < px_verbs + PX_N_VERBS; verb++) {
		printf("\t[%s]='", verb->name);
		PX_DOCGEN_EACH(row, verb)
		{
			if (row->letter)
				printf("-%c ", row->letter);
			printf("--%s ", row->name);
		}
		puts("'");
	}
	puts(")\ndeclare -gA _pycfs_values=(");
	for (verb = px_verbs; verb < px_verbs + PX_N_VERBS; verb++) {
		PX_DOCGEN_EACH(row, verb)
		{
			if (row->argument)
				bash_value(verb, row, false);
			if (row->argument && row->letter)
				bash_value(verb, row, true);
		}
		each_argument(verb, bash_argument);
	}
	puts(")");
}

/* -------------------------------------------------------------------- zsh */

#define ZSH_QUOTE "'\\''"

static const char *zsh_action(enum px_docgen_kind kind)
{
	static const char *const names[] = {
		[PX_DOCGEN_TEXT] = " ",
		[PX_DOCGEN_WORDS] = "",
		[PX_DOCGEN_DIR] = "_files -/",
		[PX_DOCGEN_FILE] = "_files",
		[PX_DOCGEN_PYTHON] = "_pycfs_python",
		[PX_DOCGEN_COMMAND] = "_normal",
	};

	return names[kind];
}

/* Prints one item of zsh's list ((name\:"what it means" ...)). */
static void zsh_choice(const char *name, const char *help)
{
	fputs(name, stdout);
	if (help) {
		fputs("\\:\"", stdout);
		print_quoted(help, "\\\":$`", ZSH_QUOTE);
		putchar('"');
	}
	putchar(' ');
}

static void zsh_option(const struct px_opt_row *row)
{
	const struct px_opt_choice *c;

	if (row->letter && row->argument)
		printf("\t\t'*'{-%c+,--%s=}'[", row->letter, row->name);
	else if (row->letter)
		printf("\t\t'(-%c --%s)'{-%c,--%s}'[", row->letter, row->name,
		       row->letter, row->name);
	else
		printf("\t\t'%s--%s%s[", row->argument ? "*" : "", row->name,
		       row->argument ? "=" : "");
	print_quoted(row->help, "[]\\", ZSH_QUOTE);
	putchar(']');
	if (row->argument) {
		putchar(':');
		print_quoted(row->argument, ":\\", ZSH_QUOTE);
		printf(":%s", zsh_action(px_docgen_value(row)));
	}
	if (row->choices) {
		fputs("((", stdout);
		for (c = row->choices; c->name; c++)
			zsh_choice(c->name, c->help);
		fputs("))", stdout);
	}
	puts("' \\");
}

static void zsh_argument(PX_UNUSED const struct px_verb *verb, int nth,
			 const char *word, size_t n)
{
	const enum px_docgen_kind kind = px_docgen_kind(word, n);
	size_t i;

	if (kind == PX_DOCGEN_COMMAND)
		printf("\t\t'*::command:%s' \\\n", zsh_action(kind));
	else
		printf("\t\t'%d:%.*s:%s", nth, (int)n, word, zsh_action(kind));
	if (kind == PX_DOCGEN_COMMAND)
		return;
	if (kind == PX_DOCGEN_WORDS) {
		putchar('(');
		for (i = 0; i < n; i++)
			putchar(word[i] == '|' ? ' ' : word[i]);
		putchar(')');
	}
	puts("' \\");
}

void px_docgen_zsh_verbs(PX_UNUSED const char *unused)
{
	size_t i;

	fputs("\t\t'1:verb:((", stdout);
	for (i = 0; i < PX_N_VERBS; i++)
		zsh_choice(px_verbs[i].name, px_verbs[i].summary);
	puts("))' \\");
}

void px_docgen_zsh(PX_UNUSED const char *unused)
{
	const struct px_opt_row *row;
	const struct px_verb *verb;

	for (verb = px_verbs; verb < px_verbs + PX_N_VERBS; verb++) {
		printf("\t%s)\n\t\t_arguments -s -S \\\n", verb->name);
		PX_DOCGEN_EACH(row, verb)
		zsh_option(row);
		each_argument(verb, zsh_argument);
		puts("\t\t&& ret=0\n\t\t;;");
	}
}

/* ------------------------------------------------------------------- fish */

#define FISH_QUOTE "\\'"

static void fish_begin(const struct px_verb *verb)
{
	printf("complete -c pycfs -n '__fish_seen_subcommand_from %s'",
	       verb->name);
}

/* The template has `complete -c pycfs -f`, so that fish offers files only where
 * -F is given. */
static void fish_values(enum px_docgen_kind kind)
{
	switch (kind) {
	case PX_DOCGEN_DIR:
		fputs(" -a '(__fish_complete_directories)'", stdout);
		return;
	case PX_DOCGEN_PYTHON:
		fputs(" -F -a '(__pycfs_pythons)'", stdout);
		return;
	case PX_DOCGEN_FILE:
		fputs(" -F", stdout);
		return;
	case PX_DOCGEN_COMMAND:
		fputs(" -F -a '(__fish_complete_command)'", stdout);
		return;
	case PX_DOCGEN_TEXT:
	case PX_DOCGEN_WORDS:
		return;
	}
}

static void fish_option(const struct px_verb *verb,
			const struct px_opt_row *row)
{
	const enum px_docgen_kind kind = px_docgen_value(row);
	const struct px_opt_choice *c;

	fish_begin(verb);
	printf(" -l %s", row->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	if (row->argument)
		fputs(kind == PX_DOCGEN_FILE || kind == PX_DOCGEN_PYTHON
			      ? " -r"
			      : " -x",
		      stdout);
	fish_values(kind);
	if (row->choices) {
		fputs(" -a '", stdout);
		for (c = row->choices; c->name; c++) {
			fputs(c->name, stdout);
			if (c->help) {
				fputs("\\t\"", stdout);
				print_quoted(c->help, "\\\"$", FISH_QUOTE);
				putchar('"');
			}
			putchar(' ');
		}
		putchar('\'');
	}
	fputs(" -d '", stdout);
	print_quoted(row->help, "\\", FISH_QUOTE);
	puts("'");
}

static void fish_argument(const struct px_verb *verb, int nth, const char *word,
			  size_t n)
{
	static enum px_docgen_kind before;
	const enum px_docgen_kind kind = px_docgen_kind(word, n);
	size_t i;

	/* fish does not count arguments: one line for each kind is enough. */
	if (nth > 1 && kind == before)
		return;
	before = kind;
	fish_begin(verb);
	fish_values(kind);
	if (kind == PX_DOCGEN_WORDS) {
		fputs(" -a '", stdout);
		for (i = 0; i < n; i++)
			putchar(word[i] == '|' ? ' ' : word[i]);
		putchar('\'');
	}
	putchar('\n');
}

void px_docgen_fish(PX_UNUSED const char *unused)
{
	const struct px_opt_row *row;
	const struct px_verb *verb;

	for (verb = px_verbs; verb < px_verbs + PX_N_VERBS; verb++) {
		printf("complete -c pycfs -n __fish_use_subcommand -a %s -d '",
		       verb->name);
		print_quoted(verb->summary, "\\", FISH_QUOTE);
		puts("'");
	}
	for (verb = px_verbs; verb < px_verbs + PX_N_VERBS; verb++) {
		PX_DOCGEN_EACH(row, verb)
		fish_option(verb, row);
		each_argument(verb, fish_argument);
	}
}
