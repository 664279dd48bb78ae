/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_SHARE_H
#define PX_CLI_SHARE_H
/*
 * What `pycfs cache` does with a remote store and its keys. Each function
 * returns the exit status, and has printed what is to be said.
 *
 * Threads: the main thread, and no other thread may run.
 */

#include "pycfs/opt.h"

int px_share_keygen(struct px_opt *o); /* NAME FILE */
int px_share_push(struct px_opt *o);   /* SOURCE */
int px_share_pull(struct px_opt *o);   /* SOURCE */
int px_share_probe(struct px_opt *o);  /* no arguments */

/* At the end: `status`, or PX_EXIT_FAILED if stdout could not be written, which
 * has been logged then. */
int px_share_printed(int status);

#endif
