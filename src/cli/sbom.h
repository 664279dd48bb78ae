/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_SBOM_H
#define PX_CLI_SBOM_H
/*
 * --sbom: a list of what ships, as CycloneDX 1.5 in JSON. It has neither a time
 * nor a serial number, so that equal layers have equal ones.
 *
 * Threads: the main thread.
 */

#include "pycfs/sbom.h"
#include "pycfs/temp.h"

/* Writes it to a temporary file beside `path` (written.h). */
int px_sbom_make_file(struct px_temp *t, const char *path,
		      const struct px_sbom *s, struct px_why *why);

#endif
