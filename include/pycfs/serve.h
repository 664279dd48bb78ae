/* SPDX-License-Identifier: MIT */
#ifndef PX_SERVE_H
#define PX_SERVE_H
/*
 * The daemon proper: puts the layers together, serves, takes them apart.
 */

#include "pycfs/opt.h"

/* Called once mounted; `text` says what and with which Python. */
typedef void (*px_serve_ready)(void *arg, const char *text);

/* Runs until unmounted or signalled. 0, or -errno with a sentence in `why`;
 * -EADDRINUSE as px_cache_open: fork and try again. */
int px_serve(const struct px_opt *o, const char *source, const char *mountpoint,
	     px_serve_ready ready, void *arg, struct px_why *why);

#endif
