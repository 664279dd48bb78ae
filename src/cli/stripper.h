/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_STRIPPER_H
#define PX_CLI_STRIPPER_H
/*
 * Whether the options ask for anything to be stripped, and what does it.
 *
 * Threads: the main thread.
 */

#include "pycfs/opt.h"

/* Puts into o->stripper what strips, if the options or rules want it. 0, or an
 * error of px_strip_new with a sentence in `why`. Blocks while tools say their
 * versions. */
int px_stripper_find(struct px_opt *o, struct px_why *why);

#endif
