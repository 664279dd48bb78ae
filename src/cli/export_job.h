/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_EXPORT_JOB_H
#define PX_CLI_EXPORT_JOB_H
/*
 * What one export was asked to do.
 *
 * Threads: the main thread. Blocks only while the file system does.
 */

#include "pycfs/opt.h"
#include "pycfs/sink.h"

/* All pointers are borrowed. */
struct px_export_job {
	const struct px_opt *o;
	const char *source;
	const char *dest;
	enum px_sink_format format;
	bool to_stdout;
};

/* Returns 0, or -EINVAL with a sentence in `why` if options contradict each
 * other, DEST or SOURCE, or something would be written into SOURCE or DEST. */
int px_export_check_job(const struct px_export_job *job, struct px_why *why);

#endif
