/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_CONDITION_H
#define PX_VIEW_CONDITION_H
/*
 * The condition of a rule: "NAME OP VERSION", more of "OP VERSION" behind
 * commas, as in "ddtrace >= 3, < 4.7.0rc3". Names are compared as PyPI compares
 * them, and versions as PEP 440 (packaging.python.org, "Version specifiers",
 * 2025) orders them; local versions, as the 1 of 2.0+1, are not told apart.
 *
 * Threads: any. No I/O.
 */

#include "pycfs/util.h"

/* Checks the `n` bytes at `text`. Returns NULL, or what is wrong with them, a
 * static string. */
const char *px_condition_check(const char *text, size_t n);

/* Whether a condition that was checked is for the distribution `name`, and
 * whether it holds for its version. A version that PEP 440 does not know meets
 * every condition. */
bool px_condition_names(const char *condition, const char *name);
bool px_condition_holds(const char *condition, const char *version);

#endif
