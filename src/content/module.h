/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_MODULE_H
#define PX_CONTENT_MODULE_H
/*
 * Modules: found in the cache by their file's fingerprint, or else by a flight
 * (flight.h). A RECORD is none.
 *
 * Threads: any.
 */

#include "flight.h"

/* What asking for modules needs; all of it outlives this. */
struct px_modules {
	const struct px_content_options *o;
	const struct px_keys *keys;
	struct px_said *said;
	struct px_flights *flights;
};

/* As px_content_get and px_content_peek. */
void px_module_get(const struct px_modules *ms, const char *path,
		   const struct px_stat *st, enum px_kind kind,
		   enum px_want want, px_content_done done, void *arg);
int px_module_peek(const struct px_modules *ms, const char *path,
		   const struct px_stat *st, enum px_kind kind,
		   enum px_want want, struct px_module *ret);

/* Starts a compile that nobody waits for yet, unless the cache has the module
 * or it is under way. */
void px_module_start_async(const struct px_modules *ms, const char *path,
			   const struct px_stat *st, enum px_kind kind);

#endif
