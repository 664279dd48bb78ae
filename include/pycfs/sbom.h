/* SPDX-License-Identifier: MIT */
#ifndef PX_SBOM_H
#define PX_SBOM_H
/*
 * The distributions of which something besides metadata ships, with what their
 * metadata in SOURCE says of them, whether rules hide it or not: name, version,
 * licences. That text comes from anybody: what is kept of it is bounded, and
 * has no control characters and nothing but valid UTF-8.
 *
 * Threads: any. Blocks while the file system does.
 */

#include "pycfs/report.h"

enum px_licence_kind {
	PX_LICENCE_ID,	       /* an identifier of SPDX */
	PX_LICENCE_NAME,       /* what its author calls it */
	PX_LICENCE_EXPRESSION, /* of SPDX; then there is no other */
};

struct px_sbom_licence {
	enum px_licence_kind kind;
	char *text;
};

struct px_sbom_part {
	char *name;    /* as its author writes it */
	char *version; /* "": not known */
	char *purl;    /* "pkg:pypi/NAME@VERSION", with the normalised name */
	struct px_sbom_licence *licences;
	size_t n_licences;
};

struct px_sbom {
	struct px_sbom_part *parts; /* in byte order of purl, each once */
	size_t n;
};

/* Of the layer that the report is on. 0 or -ENOMEM. Call px_sbom_fini in any
 * case. */
int px_sbom_of_report(const struct px_report *r, struct px_tree *t,
		      struct px_sbom *ret);
/* Of a layer that is made of these files of SOURCE: their paths, in any order,
 * each with a NUL at its end. 0 or -errno. Call px_sbom_fini in any case. */
int px_sbom_of_paths(const struct px_buf *paths, struct px_tree *t,
		     struct px_sbom *ret);
void px_sbom_fini(struct px_sbom *s);

#endif
