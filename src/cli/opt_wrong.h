/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_OPT_WRONG_H
#define PX_CLI_OPT_WRONG_H
/*
 * What is said about a wrong command line: what it is, and what was probably
 * meant. All functions put a sentence into `why` and return -EINVAL.
 *
 * Threads: any.
 */

#include "pycfs/opt.h"

/* `said` is an option with its dashes, and perhaps with a value, that `verb`
 * does not take as it is: it is unknown, could be several, or has no value. */
int px_opt_unknown(const struct px_verb *verb, const char *said,
		   struct px_why *why);

/* Argument number `n`, from 0, of `verb` is missing. */
int px_opt_missing(const struct px_verb *verb, int n, struct px_why *why);

/* There is no verb `said`. */
int px_verb_unknown(const struct px_verb *verbs, size_t n, const char *said,
		    struct px_why *why);

#endif
