/* SPDX-License-Identifier: MIT */
#ifndef PX_ENGINE_H
#define PX_ENGINE_H
/*
 * What every verb that shows a source needs: tree, cache, Python, compile
 * pool and content, put together as the options say and taken apart in the
 * right order.
 *
 * Threads: one starts and stops it; what is in it says who may use it.
 */

#include "pycfs/content.h"
#include "pycfs/opt.h"

/* In the order they are made. All zero before px_engine_start. */
struct px_engine {
	struct px_stats stats;
	char *compiler; /* path of pycfs-compiler */
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_python *python;
	struct px_pool *pool;
	struct px_content *content;
};

/* What a face decides, not the user. */
struct px_engine_needs {
	bool ahead; /* as px_content_options has them */
	bool ahead_tree;
	bool immutable;
	bool silent;
	/* px_engine_start does not wait until a module can be compiled; call
	 * px_engine_ready before what was made is given out. */
	bool later;
};

/* 0, or -errno with a sentence in `why`; -EADDRINUSE as px_cache_open: fork
 * and try again. A cache that cannot be used, though nobody else could write
 * it, is replaced by a temporary one, with a warning. Call px_engine_stop in
 * any case. Starts threads. */
int px_engine_start(struct px_engine *e, const struct px_opt *o,
		    const char *source, const struct px_engine_needs *needs,
		    struct px_why *why);
/* Waits until a module can be compiled. 0, or -errno with a sentence;
 * -ECANCELED after px_engine_quiet. Once. */
int px_engine_ready(struct px_engine *e, struct px_why *why);
/* Begins nothing more; everybody who waits for a module gets -ECANCELED. */
void px_engine_quiet(struct px_engine *e);
/* Commits the cache (5 s at most) and frees all of it, once quiet. */
void px_engine_stop(struct px_engine *e);

/* Where the cache is. 0: where --cache or $PYCFS_CACHE says; 1: where it
 * usually is, which is /var/cache/pycfs for root, else $XDG_CACHE_HOME/pycfs or
 * ~/.cache/pycfs. -ENOENT: nowhere; -ENOMEM. *ret is the caller's. */
int px_engine_cache_dir(const struct px_opt *o, char **ret);
/* Compile processes that --jobs, or the CPUs we may use, ask for. */
unsigned px_engine_jobs(const struct px_opt *o);

#endif
