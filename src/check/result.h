/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_RESULT_H
#define PX_CHECK_RESULT_H
/*
 * Putting together what a check has found.
 *
 * Threads: one at a time.
 */

#include "pycfs/check.h"

/* Adds a copy of a finding; its strings that are NULL become "". -ENOMEM. */
int px_result_add(struct px_check_result *r, const struct px_finding *f);

#endif
