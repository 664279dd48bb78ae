/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_PROGRESS_H
#define PX_CLI_PROGRESS_H
/*
 * The line that shows on a terminal how far an export or a report is. While it
 * is shown, a thread counts the files of the view, so that it can say of how
 * many.
 *
 * Threads: the main thread.
 */

#include "pycfs/content.h"
#include "pycfs/stats.h"

#include <pthread.h>
#include <stdatomic.h>

struct px_progress {
	bool shows;	 /* stderr is a terminal, and nobody wants quiet */
	int64_t started; /* px_now_ms */
	int64_t shown;	 /* when it was last due (px_now_ms) */
	const struct px_stats *stats;
	struct px_content *content;
	pthread_t thread;
	bool has_thread;
	_Atomic bool stop;
	_Atomic uint64_t total; /* files in the view; 0: not known */
};

/* `stats` is borrowed. */
void px_progress_begin(struct px_progress *p, bool quiet,
		       const struct px_stats *stats);
/* Starts the thread that counts, if the line is shown. The content outlives
 * px_progress_end. */
void px_progress_count(struct px_progress *p, struct px_content *c);
/* Whether it is time to look at signals, and to show the line again. */
bool px_progress_due(struct px_progress *p);
/* Shows the line: the files that are done, their size in bytes, and how many of
 * them are modules. A report knows of their number only. */
#define PX_PROGRESS_FILES UINT64_MAX
void px_progress_show(const struct px_progress *p, uint64_t files,
		      uint64_t bytes, uint64_t modules);
/* Ends the thread, and erases the line. Twice is fine. */
void px_progress_end(struct px_progress *p);

/* Seconds since it began. */
double px_progress_seconds(const struct px_progress *p);
/* Of so many modules that are done those that were found and not compiled. */
uint64_t px_progress_cached(const struct px_progress *p, uint64_t modules);

#endif
