/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_WRITTEN_H
#define PX_CLI_WRITTEN_H
/*
 * A file that is printed under a temporary name, and then put into its place.
 *
 * Threads: any. Blocks while the file system does.
 */

#include "pycfs/temp.h"

#include <stdio.h>

/* Writes what `print` prints to a temporary file beside `path`. Until
 * px_temp_commit what is there is unchanged. 0, or -errno with a sentence in
 * `why`. Call px_temp_fini in any case. */
int px_written_make(struct px_temp *t, const char *path,
		    void (*print)(const void *arg, FILE *to), const void *arg,
		    struct px_why *why);

#endif
