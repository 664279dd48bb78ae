/* SPDX-License-Identifier: MIT */
#ifndef PX_LOG_H
#define PX_LOG_H
/*
 * The log: one line per event, written to stderr or, in a daemon that has
 * detached from its terminal, to syslog.
 *
 * This is the only module with process-wide state. stderr and syslog belong to
 * the whole process, and libfuse's log hook passes no pointer of ours.
 *
 * Threads: any. A line is written with a single call, so lines never
 * interleave. Writing may block.
 * This module does not decide what is worth logging. Modules of layers 1 to 3
 * return errors and do not log.
 */

#include "pycfs/util.h"

#include <stdarg.h>

enum px_log_level {
	PX_LOG_ERROR,
	PX_LOG_WARNING,
	PX_LOG_NOTICE, /* what was done that nobody has asked for in words */
	PX_LOG_INFO,
	PX_LOG_DEBUG,
};

enum px_log_sink {
	PX_LOG_STDERR,
	PX_LOG_SYSLOG,
};

/* From now on, writes lines of severity `level` and of every more severe level
 * to `sink`, and drops the others. It may be called while other threads log:
 * each line goes either to the old sink or to the new one. */
void px_log_init(enum px_log_sink sink, enum px_log_level level);

/* Writes "pycfs: <level>: <text>". Unsafe characters in the text
 * (px_is_control) are written as \xNN, byte by byte, so that a file name cannot
 * forge a second line. errno is preserved. */
void px_log(enum px_log_level level, const char *fmt, ...) PX_PRINTF(2, 3);
void px_vlog(enum px_log_level level, const char *fmt, va_list args)
	PX_PRINTF(2, 0);

/* Logs the text, followed by ": " and the description of `err` (a negative
 * errno), at level PX_LOG_ERROR. Returns `err`. errno is preserved. */
int px_log_errno(int err, const char *fmt, ...) PX_PRINTF(2, 3);

#endif
