/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_SCRIPT_TEXT_H
#define PX_VIEW_SCRIPT_TEXT_H
/*
 * What is written into a console script, and what a RECORD says of it.
 *
 * Threads: any. Works on memory and never blocks.
 */

#include "pycfs/util.h"

struct px_script_text {
	const char *python; /* what stands behind "#!" */
	const char *module; /* identifiers with dots between them, */
	const char *object; /* and these too */
	/* Where the modules are, seen from the directory of the script. */
	const char *site;
	/* A name there that is the module's, or of the package it is in. */
	const char *top;
};

/* Appends the text of a script. -ENOMEM, -EFBIG. */
int px_script_write(const struct px_script_text *t, struct px_buf *out);

/* The hash and the size that a RECORD has of `text`, each with a comma before
 * it. The caller frees it; NULL: out of memory. */
char *px_script_record(const struct px_buf *text);

/* The relative path from directory `from` to `to`, both relative to the same
 * directory, such as "../lib"; "." if they are one. The caller frees it; NULL:
 * out of memory. */
char *px_script_relative(const char *from, const char *to);

#endif
