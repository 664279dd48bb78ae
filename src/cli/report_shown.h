/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_REPORT_SHOWN_H
#define PX_CLI_REPORT_SHOWN_H
/*
 * The ways in which `pycfs report` shows a report, for the files report_*.c.
 *
 * Threads: the main thread. Nothing here blocks, except on reading and writing
 * files.
 */

#include "pycfs/engine.h"
#include "pycfs/report.h"
#include "pycfs/term.h"

#include <stdio.h>

/* A report, and what is needed to show it. All pointers are borrowed. */
struct px_shown {
	const struct px_opt *o;
	const struct px_report *r;
	const char *source;		/* absolute path of SOURCE */
	const char *python;		/* version, such as "3.12.1" */
	const struct px_choice *choice; /* that Python, and why that one */
	struct px_strays *strays;
};

/* Prints the report as text on stdout: the table, as wide as the terminal
 * (px_terminal_width), and everything below it. Returns 0 or -ENOMEM. */
int px_report_print(const struct px_shown *s);

/* Writes the whole report to the stream `to`, as JSON (pycfs-report(1),
 * "JSON"). Errors are left in the stream, for ferror(3). */
void px_report_print_json(const struct px_shown *s, FILE *to);

/* Prints how many risks there are, and the worst of them, at most 20. */
void px_report_print_risks(const struct px_shown *s);
/* Prints a rules file that prevents the risks of the grade of --fail-on and
 * worse; without that option, those of the grade "breaks". The rules for those
 * that may break are comments then. Returns 0 or -ENOMEM. */
int px_report_suggest(const struct px_shown *s);
/* Whether there is a risk of the grade of --fail-on, or worse. Logs an error if
 * so. */
bool px_report_too_risky(const struct px_shown *s);
/* Logs each rule of the user's that matches nothing, as a warning or, with
 * --fail-on unused-rule, an error; then it returns true if there is one. */
bool px_report_has_unused(const struct px_shown *s);

/* Writes the page of --html. Unless it returns 0, the file that was there
 * before is unchanged. Returns 0, or -errno with a sentence in `why`. */
int px_report_write_html(const struct px_shown *s, struct px_why *why);

/* Prints what has changed since the earlier report, which is read from the file
 * o->diff. Returns 0, 1 if the layer has grown by more than --max-growth, or
 * -errno with a sentence in `why`. */
int px_report_diff(const struct px_shown *s, struct px_why *why);

#endif
