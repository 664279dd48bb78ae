/* SPDX-License-Identifier: MIT */
#ifndef PX_TERM_H
#define PX_TERM_H
/*
 * What a person at a terminal reads, and how a command ends.
 *
 * Threads: any for px_human; the main thread for what prints.
 */

#include "pycfs/util.h"

/* Exit statuses beside 0, which is "done". */
#define PX_EXIT_FAILED 1
#define PX_EXIT_USAGE  2
/* Only of a child that pycfs forks: its PID belongs to another user of the
 * cache (px_cache_open), so another child is forked. */
#define PX_EXIT_PID_TAKEN 77

/* Logs the sentence as an error. Returns `status`. */
int px_fail(int status, const struct px_why *why);

/* A number of bytes in decimal units, such as "12 MB" or "1.3 GB": 7 bytes at
 * most. Returns buf. */
const char *px_human(uint64_t bytes, char buf[16]);

/* Prints text that is not ours on stdout, with a question mark in place of
 * each character that a terminal must not be sent (px_is_control). */
void px_print_clean(const char *text);

/* Columns of the terminal on stdout; else what COLUMNS says; else 80. */
int px_terminal_width(void);

#endif
