/* SPDX-License-Identifier: MIT */
#ifndef PX_LOG_H
#define PX_LOG_H
/*
 * One line per event, to stderr or, once detached, to syslog.
 *
 * This is the one module with process-wide state, because stderr and syslog
 * are process-wide themselves and libfuse's log hook carries no user data.
 *
 * Threads: any; a line is written with one call and never interleaves.
 * Does not: decide what is worth saying. Layers 1-3 return errors instead.
 */

#include "pycfs/util.h"

#include <stdarg.h>

enum px_log_level {
	PX_LOG_ERROR,
	PX_LOG_WARNING,
	PX_LOG_INFO,
	PX_LOG_DEBUG,
};

enum px_log_sink {
	PX_LOG_STDERR,
	PX_LOG_SYSLOG,
};

/* Sends lines up to and including `level` to `sink`, from now on: a line that
 * another thread writes meanwhile goes to the one or to the other. */
void px_log_init(enum px_log_sink sink, enum px_log_level level);

/* Writes "pycfs: <level>: <text>". The bytes of controls (px_is_control) in the
 * text are shown as \xNN, so that a file name cannot forge a second line. */
void px_log(enum px_log_level level, const char *fmt, ...) PX_PRINTF(2, 3);
void px_vlog(enum px_log_level level, const char *fmt, va_list args)
	PX_PRINTF(2, 0);

/* The same as an error with ": <strerror>" appended; `err` is a negative
 * errno. Returns `err`. */
int px_log_errno(int err, const char *fmt, ...) PX_PRINTF(2, 3);

#endif
