/* SPDX-License-Identifier: MIT */
#ifndef PX_TERM_H
#define PX_TERM_H
/*
 * Output for a person at a terminal, and the exit statuses of pycfs.
 *
 * Threads: any thread may call px_human and px_fail, and only the main thread
 * the others, which use stdout.
 */

#include "pycfs/util.h"

/* Exit statuses besides 0, which means success. */
#define PX_EXIT_FAILED 1
#define PX_EXIT_USAGE  2 /* the command line is wrong */
#define PX_EXIT_PARTLY 3 /* traceback: some frames of ours have no line */
#define PX_EXIT_FOUND  3 /* a gate, such as --check, found something */
#define PX_EXIT_CANNOT 4 /* check: the layer cannot be checked here */
/* Only a child that pycfs has forked exits with this: a process in another PID
 * namespace that has the same PID uses the cache (px_cache_open). The parent
 * then forks again, to get another PID. */
#define PX_EXIT_PID_TAKEN 77

/* Logs the sentence in `why` as an error. Returns `status`, so that a caller
 * can write `return px_fail(PX_EXIT_FAILED, &why)`. */
int px_fail(int status, const struct px_why *why);

/* Writes a number of bytes into `buf` in decimal units, such as "12 MB" or
 * "1.3 GB": 6 characters at most. Returns buf. */
const char *px_human(uint64_t bytes, char buf[16]);

/* Prints `text`, which may come from anywhere, on stdout. Characters that could
 * control the terminal (px_is_control) become question marks. */
void px_print_clean(const char *text);

/* The width, in columns, of the terminal that stdout is; if stdout is no
 * terminal, the number in the environment variable COLUMNS; else 80. */
int px_terminal_width(void);

#endif
