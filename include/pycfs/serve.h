/* SPDX-License-Identifier: MIT */
#ifndef PX_SERVE_H
#define PX_SERVE_H
/*
 * The daemon: starts the engine, mounts, serves requests until the unmount, and
 * stops everything.
 *
 * Threads: the main thread of a process of its own, in which no other thread
 * runs. It starts threads, and handles SIGTERM, SIGINT and SIGHUP.
 */

#include "pycfs/opt.h"

/* Called once, when the view is mounted, in the thread of px_serve. `text` is
 * borrowed: one line that names SOURCE, MOUNTPOINT and the Python. */
typedef void (*px_serve_ready)(void *arg, const char *text);

/*
 * Mounts the view of the directory `source` on `mountpoint`, both absolute, and
 * calls ready(arg, text). Blocks until the view is unmounted or one of the
 * signals above arrives; nothing is left mounted then.
 *
 * Returns 0, or -errno with a sentence in `why`: -EADDRINUSE if the cache needs
 * a process with another PID (px_cache_open), so that the caller has to fork
 * and try again; else an error of px_engine_start, of mounting or of serving.
 */
int px_serve(const struct px_opt *o, const char *source, const char *mountpoint,
	     px_serve_ready ready, void *arg, struct px_why *why);

#endif
