/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_DOCGEN_H
#define PX_CLI_DOCGEN_H
/*
 * docgen is a program that runs while pycfs is built and is not installed. It
 * writes the manual and the completion scripts of the shells, from the same
 * tables of verbs and options that the command line's parser uses.
 *
 * It copies a template to stdout. A line `@directive argument` in the template
 * is replaced by what the directive prints, in the language of the template
 * (man(7), bash, zsh or fish).
 *
 * Threads: one. Any error ends the process with a message.
 */

#include "pycfs/verbs.h"

/* Prints a message on stderr and ends the process with status 1. */
_Noreturn void px_docgen_die(const char *fmt, ...) PX_PRINTF(1, 2);

/* What a shell can offer for an argument of a verb or an option. */
enum px_docgen_kind {
	PX_DOCGEN_TEXT,	   /* nothing */
	PX_DOCGEN_WORDS,   /* the words in the argument's name, a|b|c */
	PX_DOCGEN_DIR,	   /* directories */
	PX_DOCGEN_FILE,	   /* files */
	PX_DOCGEN_PYTHON,  /* programs python3* of PATH, and files */
	PX_DOCGEN_COMMAND, /* a command and its arguments */
};

/* The kind of an argument, by its name `word` of `n` bytes, such as SOURCE or
 * stat|gc|verify|compact|clear. */
enum px_docgen_kind px_docgen_kind(const char *word, size_t n);
/* The kind of the value of an option; TEXT if the option has no value. */
enum px_docgen_kind px_docgen_value(const struct px_opt_row *row);

/* The verb with this name; ends the process if there is none. */
const struct px_verb *px_docgen_verb(const char *name);

/* A loop over the options of `verb`. */
#define PX_DOCGEN_EACH(row, verb)                                           \
	for ((row) = px_opt_rows; (row) < px_opt_rows + PX_N_OPTS; (row)++) \
		if ((row)->verbs & (unsigned)(verb)->bit)

/* The directives of manual pages (docgen_man.c). */
void px_docgen_title(const char *name_and_section);
void px_docgen_name(const char *verb);
void px_docgen_synopsis(const char *verb);
void px_docgen_details(const char *verb);
void px_docgen_options(const char *verb);
void px_docgen_verbs(const char *unused);
/* The directives of completion scripts (docgen_shell.c). */
void px_docgen_bash(const char *unused);
void px_docgen_zsh(const char *unused);
void px_docgen_zsh_verbs(const char *unused);
void px_docgen_fish(const char *unused);

#endif
