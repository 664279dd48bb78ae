/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_RECORD_H
#define PX_CONTENT_RECORD_H
/*
 * RECORDs that list what the view has instead of what the source has. Where the
 * source does not change, each is generated once and cached.
 *
 * Threads: any.
 */

#include "dirs.h"
#include "module.h"
#include "strip.h"

struct px_records;

struct px_records_options {
	const struct px_content_options *o; /* all outlive it */
	struct px_said *said;
	struct px_dirs *dirs;
	const struct px_modules *modules;
	struct px_strips *strips;
};

int px_records_new(const struct px_records_options *o,
		   struct px_records **ret); /* -ENOMEM */
void px_records_free(struct px_records *rs); /* NULL is fine */

/* As px_content_get of a RECORD; the bytes are always there. */
void px_records_get(struct px_records *rs, const char *path,
		    px_content_done done, void *arg);

#endif
