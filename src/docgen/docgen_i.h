/* SPDX-License-Identifier: MIT */
#ifndef PX_DOCGEN_I_H
#define PX_DOCGEN_I_H
/*
 * Writes the manual and the shells' completion while pycfs is built, from the
 * tables of verbs and options that its parser reads; it is not installed.
 *
 * A template is copied to stdout, but for its lines `@directive argument`.
 * What a directive prints is for the template's language to make sense of.
 *
 * Threads: one. Ends the process, with a message, at the first thing wrong.
 */

#include "pycfs/verbs.h"

/* Prints a message and ends the process. */
_Noreturn void px_docgen_die(const char *fmt, ...) PX_PRINTF(1, 2);

/* An argument of a verb or an option, by what it is called. */
enum px_docgen_kind {
	PX_DOCGEN_TEXT, /* nothing that a shell could offer */
	PX_DOCGEN_WORDS,
	PX_DOCGEN_DIR,
	PX_DOCGEN_FILE,
	PX_DOCGEN_PYTHON,
	PX_DOCGEN_COMMAND,
};

/* The kind of `word`, `n` bytes, such as SOURCE, or stat|gc|verify|clear. */
enum px_docgen_kind px_docgen_kind(const char *word, size_t n);
/* The kind of a row's value; a flag's is TEXT. */
enum px_docgen_kind px_docgen_value(const struct px_opt_row *row);

/* The verb that a directive names. */
const struct px_verb *px_docgen_verb(const char *name);

/* Calls back for each option of `verb`. */
#define PX_DOCGEN_EACH(row, verb)                                           \
	for ((row) = px_opt_rows; (row) < px_opt_rows + PX_N_OPTS; (row)++) \
		if ((row)->verbs & (unsigned)(verb)->bit)

/* The directives: docgen_man.c ... */
void px_docgen_title(const char *name_and_section);
void px_docgen_name(const char *verb);
void px_docgen_synopsis(const char *verb);
void px_docgen_details(const char *verb);
void px_docgen_options(const char *verb);
void px_docgen_verbs(const char *unused);
/* ... and docgen_shell.c. */
void px_docgen_bash(const char *unused);
void px_docgen_zsh(const char *unused);
void px_docgen_zsh_verbs(const char *unused);
void px_docgen_fish(const char *unused);

#endif
