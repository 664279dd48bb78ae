/* SPDX-License-Identifier: MIT */
#ifndef PX_CMD_REPORT_I_H
#define PX_CMD_REPORT_I_H
/*
 * What src/cmd_report*.c share: how a report is shown.
 */

#include "pycfs/engine.h"
#include "pycfs/report.h"
#include "pycfs/term.h"

#include <stdio.h>

struct px_shown {
	const struct px_opt *o;
	const struct px_report *r;
	const char *source; /* absolute */
	const char *python; /* version */
};

/* The table, on stdout, as wide as the terminal; 80 columns where there is
 * none. -ENOMEM. */
int px_report_print(const struct px_shown *s);

/* All of it as JSON (README, "The report"). */
void px_report_print_json(const struct px_shown *s, FILE *to);

/* Risks, the worst first; only as many as a screen holds, and sums. */
void px_report_print_risks(const struct px_shown *s);
/* The rules that make the tree safe, as a rules file. -ENOMEM. */
int px_report_suggest(const struct px_shown *s);
/* Whether a risk is as bad as --fail-on forbids. */
bool px_report_too_risky(const struct px_shown *s);

/* Writes the page of --html, complete or not at all. */
int px_report_write_html(const struct px_shown *s, struct px_why *why);

/* Prints what changed since the report in file o->diff. 0, 1: it grew by more
 * than allowed, or -errno with a sentence in `why`. */
int px_report_diff(const struct px_shown *s, struct px_why *why);

#endif
