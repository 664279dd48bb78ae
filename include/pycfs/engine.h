/* SPDX-License-Identifier: MIT */
#ifndef PX_ENGINE_H
#define PX_ENGINE_H
/*
 * The modules that every verb needs which compiles a SOURCE: tree, cache,
 * Python, compile pool and content. They are started as the options demand, and
 * stopped in the right order.
 *
 * Threads: one thread calls all functions below. Which threads may use a member
 * of struct px_engine, the header of its module says.
 */

#include "pycfs/choose.h"
#include "pycfs/content.h"
#include "pycfs/opt.h"
#include "pycfs/scripts.h"

/* Must be all zero before px_engine_start. A member that was not reached is
 * NULL, as is choice.python. */
struct px_engine {
	struct px_stats stats;
	char *compiler; /* path of the program pycfs-compiler */
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_remote *remote; /* NULL: none */
	struct px_choice choice;  /* the Python, and why that one */
	char *cache_tag; /* of the names in __pycache__ that it will look for */
	struct px_scripts *scripts; /* NULL: not asked for */
	struct px_pool *pool;
	struct px_content *content;
	/* Whether the Python fits is found out by a thread, until
	 * px_engine_ready or px_engine_quiet. */
	const struct px_opt *o;
	pthread_t checker;
	bool is_checking;
	_Atomic int check;
	struct px_why check_why;
};

/* What the verb decides, and not the user. */
struct px_engine_needs {
	/* These five become the members of px_content_options with the same
	 * names, which are explained there. */
	bool ahead;
	bool ahead_tree;
	bool immutable;
	bool silent;
	bool gathers;
	/* px_engine_start shall not wait for what px_engine_ready waits for.
	 * The caller calls px_engine_ready itself, before it publishes anything
	 * that was compiled. */
	bool later;
};

/*
 * Starts everything for the directory `source`. `o` must live as long as the
 * engine; `source` and `needs` are not used after the call.
 *
 * Returns 0, or -errno with a sentence in `why`: -EADDRINUSE if the cache needs
 * a process with another PID (px_cache_open), so that the caller has to fork
 * and try again; else an error of opening the directory, the cache, or of
 * starting the Python. In any case call px_engine_quiet and px_engine_stop
 * afterwards.
 *
 * A cache that is not writable, full or locked is replaced by a temporary one,
 * and a warning is logged. So is a default directory that cannot be used for
 * any other reason, but not one that the user has named. A cache that other
 * users could write is always an error.
 *
 * Starts threads. Blocks until the cache is open (5 s at most for its locks)
 * and the interpreter has answered (10 s at most), and, unless needs->later,
 * until the first worker is ready.
 */
int px_engine_start(struct px_engine *e, const struct px_opt *o,
		    const char *source, const struct px_engine_needs *needs,
		    struct px_why *why);
/* Waits until the first worker is ready to compile, and until it is known
 * whether the Python fits the native modules of SOURCE. Returns 0, or -errno
 * with a sentence in `why` if no worker can be started, or it does not fit
 * (px_choose_check); -ECANCELED after px_engine_quiet. Logs a warning if the
 * workers have no seccomp filter. */
int px_engine_ready(struct px_engine *e, struct px_why *why);
/* Waits until it is known whether the Python fits the native modules of SOURCE,
 * and for nothing else. Returns 0, or -errno with a sentence in `why`. */
int px_engine_fits(struct px_engine *e, struct px_why *why);
/* Whether it is known already that px_engine_ready will say that the Python
 * does not fit. */
bool px_engine_is_unfit(const struct px_engine *e);
/* Gives the remote store what it lacked, as long as that may take, if the
 * options say so. Before px_engine_quiet. */
void px_engine_share(struct px_engine *e);
/* What the remote store has done, for the line at the end, into `ret`; "" if
 * there is none. Begins with "; ". */
void px_engine_tell_remote(const struct px_engine *e, char *ret, size_t n);
/* Stops all compiling: every request that still waits for a module, and every
 * later one, fails with -ECANCELED. Blocks until the workers and their threads
 * have ended. It may be called twice. */
void px_engine_quiet(struct px_engine *e);
/* Commits the cache, which takes at most 5 s, and frees everything. Call
 * px_engine_quiet first. */
void px_engine_stop(struct px_engine *e);

/*
 * Finds out the directory of the cache. The caller frees *ret, an absolute or
 * relative path that need not exist. Returns
 *   0        it is named by --cache or, if that is not given, by $PYCFS_CACHE
 *   1        it is the default: /var/cache/pycfs for root, else
 *            $XDG_CACHE_HOME/pycfs or ~/.cache/pycfs
 *   -ENOENT  there is no default: neither XDG_CACHE_HOME nor HOME has an
 *            absolute path
 *   -ENOMEM
 */
int px_engine_cache_dir(const struct px_opt *o, char **ret);

/* Warns if px_cache_open began the cache in `dir` anew, and says why. */
void px_engine_tell_rebuilt(const struct px_cache *cache, const char *dir);
/* The number of compile processes: that of --jobs, else one for each CPU that
 * this process may use, at most PX_MAX_JOBS. */
unsigned px_engine_jobs(const struct px_opt *o);

#endif
