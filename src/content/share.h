/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_SHARE_H
#define PX_CONTENT_SHARE_H
/*
 * Gives the remote what the plan (plan.h) found missing there.
 *
 * Threads: any.
 */

#include "module.h"
#include "plan.h"

/* With `compile` what is not compiled yet is compiled first; else a part of
 * which a module is missing is counted, and not given. Blocks for all that. */
void px_parts_push(const struct px_modules *ms, struct px_plan *p,
		   bool compile);

#endif
