/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_LICENCE_H
#define PX_REPORT_LICENCE_H
/*
 * What the metadata of a distribution says of it (PyPA specification "Core
 * metadata specifications"): headers, up to the first empty line.
 *
 * Threads: any. Works on memory and never blocks.
 */

#include "pycfs/sbom.h"

/* Sets the licences of *p, and its name and version where the metadata, the `n`
 * bytes of `text`, has ones that can be those of a distribution. What they were
 * is freed then. 0 or -ENOMEM. */
int px_licence_read(const char *text, size_t n, struct px_sbom_part *p);

#endif
