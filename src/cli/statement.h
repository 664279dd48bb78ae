/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_STATEMENT_H
#define PX_CLI_STATEMENT_H
/*
 * The manifest of a layer: an in-toto statement (in-toto attestation framework,
 * spec/v1/statement.md) with the files of the layer as its subjects, and SLSA
 * provenance (slsa.dev/provenance/v1) as its predicate. pycfs-verify(1) says
 * what is in it. The same sources, options and versions give the same bytes.
 *
 * Threads: the main thread. Blocks only while the file system does.
 */

#include "pycfs/account.h"
#include "pycfs/opt.h"
#include "pycfs/python.h"

/* All pointers are borrowed. */
struct px_statement_about {
	const struct px_opt *o;
	const struct px_python *python;
	struct px_account *account; /* is sorted */
	const char *archive;	    /* its name; NULL: a directory */
	const uint8_t *sha256;	    /* of `archive` */
};

/* A manifest that is being written. Until px_statement_commit it has a
 * temporary name (temp.h). */
struct px_statement_file;

/* Returns 0 and *ret, or an error of px_temp_make with a sentence in `why`. */
int px_statement_open(const char *path, struct px_statement_file **ret,
		      struct px_why *why);
/* Returns 0; -EILSEQ if a path is not UTF-8; -errno; with a sentence in
 * `why`. */
int px_statement_write(struct px_statement_file *f,
		       const struct px_statement_about *about,
		       struct px_why *why);
int px_statement_commit(struct px_statement_file *f, struct px_why *why);
void px_statement_close(struct px_statement_file *f); /* NULL is fine */

/* What a manifest says; nothing of it is trusted. Must be all zero before
 * px_statement_read. The strings are owned. */
struct px_statement {
	struct px_account account;
	char *archive; /* NULL: the layer was a directory */
	uint8_t sha256[PX_SHA256_SIZE];
	char *pycfs;  /* version */
	char *python; /* version, such as "3.12.1" */
	char *canary; /* px_python.canary */
	char *strip;  /* px_strip_tools; NULL: nothing was stripped */
	uint32_t magic;
	/* Names and values of options, in turn, and the text of a rules file.
	 */
	char **options;
	size_t n_options;
	char *rules;
};

/* Reads a manifest that px_statement_write has written. Returns 0; -EBADMSG if
 * it is none; -errno; with a sentence in `why`. */
int px_statement_read(const char *path, struct px_statement *ret,
		      struct px_why *why);
/* Makes `o` what the export had, in all that decides what is in a layer. Its
 * strings point into `s`. Returns 0; -EINVAL if there is an option or a rule
 * that this pycfs does not know, or if links are to be followed and `o` does
 * not say where; -ENOMEM; with a sentence in `why`. */
int px_statement_apply(const struct px_statement *s, struct px_opt *o,
		       struct px_why *why);
void px_statement_fini(struct px_statement *s);

/* The option of this name, if it is one that decides what is in a layer; else
 * NULL. */
const struct px_opt_row *px_statement_row(const char *option);
/* The value that an option has in `o`, as on the command line, in a new string;
 * NULL if it has none. Only for options that px_statement_options names. */
char *px_statement_value(const struct px_opt *o, const char *option);
/* The options that decide what is in a layer; the last one is NULL. */
extern const char *const px_statement_options[];

/* What the two URIs of a manifest are. */
#define PX_STATEMENT_TYPE      "https://in-toto.io/Statement/v1"
#define PX_STATEMENT_PREDICATE "https://slsa.dev/provenance/v1"
#define PX_STATEMENT_BUILD     "pkg:generic/pycfs#export/v1"

#endif
