/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_NEAR_H
#define PX_CLI_NEAR_H
/*
 * "Did you mean": words that differ by a slip of the finger.
 *
 * Threads: any.
 */

#include <stdbool.h>

/* Whether `word` may be `known` with a slip or two: characters that are
 * missing, too many, others, or swapped with their neighbour. *best has the
 * number of slips of the best word so far, at first UINT_MAX; if `known` is
 * better, that is set and true is returned. Words of more than 31 bytes are
 * never near. */
bool px_is_near(const char *word, const char *known, unsigned *best);

#endif
