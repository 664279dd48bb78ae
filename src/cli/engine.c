/* SPDX-License-Identifier: MIT */
#include "pycfs/engine.h"
#include "scripts.h"

#include "pycfs/choose.h"
#include "pycfs/cpus.h"
#include "pycfs/log.h"
#include "pycfs/marshal.h"
#include "pycfs/term.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>

int px_engine_cache_dir(const struct px_opt *o, char **ret)
{
	const char *named = o->cache;
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const bool is_default = !named || !*named;
	int n;

	if (!is_default)
		n = asprintf(ret, "%s", named);
	else if (geteuid() == 0)
		n = asprintf(ret, "/var/cache/pycfs");
	else if (xdg && *xdg == '/')
		n = asprintf(ret, "%s/pycfs", xdg);
	else if (home && *home == '/')
		n = asprintf(ret, "%s/.cache/pycfs", home);
	else
		return -ENOENT;
	return n < 0 ? -ENOMEM : is_default;
}

unsigned px_engine_jobs(const struct px_opt *o)
{
	unsigned n;

	if (o->jobs > 0)
		return o->jobs;
	n = px_cpus();
	return n < PX_MAX_JOBS ? n : PX_MAX_JOBS;
}

/*
 * Whether to go on without a persistent cache after px_cache_open failed with
 * the error `r`. Without the cache a build takes longer, but its result is
 * right. Three errors must end the process all the same: another user could
 * write the cache (-EPERM); another PID is needed (-EADDRINUSE), which the
 * parent process can provide; and the directory that the user has named cannot
 * be a cache, which is probably a mistake.
 */
static bool can_do_without(int r, bool is_default)
{
	switch (r) {
	case -EPERM:
	case -EADDRINUSE:
		return false;
	case -EACCES:
	case -EROFS:
	case -ENOSPC:
	case -EDQUOT:
	case -ETIMEDOUT:
		return true;
	default:
		return is_default;
	}
}

/* Without its seed a build only takes longer, so that most errors are warnings.
 * But a seed that other users can write is an error. */
static int add_seed(struct px_engine *e, const struct px_opt *o,
		    struct px_why *why)
{
	int r = o->cache_from ? px_cache_seed(e->cache, o->cache_from, why) : 0;

	if (r == 0 || r == -EPERM)
		return r;
	px_log(PX_LOG_WARNING, "%s: going on without it", why->text);
	return 0;
}

/* Opens the cache in the directory that the options name, or a temporary cache
 * if that fails. The caller frees *dir. */
static int open_persistent(struct px_engine *e, const struct px_opt *o,
			   struct px_cache_options *options, char **dir,
			   struct px_why *why)
{
	bool is_default = true;
	int r = px_engine_cache_dir(o, dir);

	if (r < 0) {
		px_because(why, r,
			   "no directory for a cache: set HOME, or use --cache "
			   "DIR or --no-cache");
	} else {
		is_default = r > 0;
		options->dir = *dir;
		r = px_cache_open(options, &e->cache, why);
		options->dir = NULL;
	}
	if (r == 0 || !can_do_without(r, is_default))
		return r;
	px_log(PX_LOG_WARNING,
	       "what is compiled now is not kept, and compiled again by the "
	       "next run: %s",
	       why->text);
	return px_cache_open(options, &e->cache, why);
}

void px_engine_tell_rebuilt(const struct px_cache *cache, const char *dir)
{
	const int r = px_cache_was_rebuilt(cache);

	if (r == -EPROTONOSUPPORT)
		px_log(PX_LOG_WARNING,
		       "the cache in %s was written by a newer LMDB (0.9.90 or "
		       "later), whose format this pycfs does not know: begun "
		       "anew",
		       dir);
	else if (r < 0)
		px_log(PX_LOG_WARNING,
		       "the cache in %s was damaged or of another format: "
		       "begun anew",
		       dir);
}

static int open_cache(struct px_engine *e, const struct px_opt *o,
		      struct px_why *why)
{
	PX_AUTOFREE char *dir = NULL;
	struct px_cache_options options = {
		.max_bytes = o->cache_size,
		.stats = &e->stats,
	};
	/* Nobody knows who has put into a persistent cache what is there, and
	 * it is not to be signed. */
	int r = o->no_cache || o->secret
			? px_cache_open(&options, &e->cache, why)
			: open_persistent(e, o, &options, &dir, why);

	if (r == 0)
		px_engine_tell_rebuilt(e->cache, dir);
	return r < 0 ? r : add_seed(e, o, why);
}

/* How long things may be stored at the end, in seconds. */
#define FINISH	     30
#define FINISH_MOUNT 5

static int open_remote(struct px_engine *e, const struct px_opt *o,
		       struct px_why *why)
{
	const bool mounts = o->verb == PX_VERB_MOUNT;
	const unsigned finish = o->remote_finish != UINT_MAX ? o->remote_finish
				: mounts		     ? FINISH_MOUNT
							     : FINISH;
	const struct px_remote_options options = {
		.url = o->remote,
		.trust = o->trust,
		.n_trust = o->n_trust,
		.sign = o->secret,
		.stats = &e->stats,
		.finish_ms = finish * 1000,
		.retries = mounts,
	};

	return o->remote ? px_remote_open(&options, &e->remote, why) : 0;
}

/* pycfs has a canonical form for every released Python. With another one
 * modules work, but the bytes of a module depend on what its worker did before.
 */
static int check_reproducible(const struct px_engine *e, const struct px_opt *o,
			      struct px_why *why)
{
	char version[32];

	if (!o->plain_marshal && px_marshal_knows(e->choice.python->magic))
		return 0;
	px_python_short(e->choice.python, version, sizeof(version));
	if (o->must_reproduce && o->plain_marshal)
		return px_because(why, -EINVAL,
				  "--marshal cpython is not --reproducible: "
				  "leave out one of them");
	if (o->must_reproduce)
		return px_because(
			why, -EPROTONOSUPPORT,
			"this pycfs knows no canonical form of Python "
			"%s (magic number %u): take a newer pycfs, or "
			"leave out --reproducible required",
			version, e->choice.python->magic & 0xffff);
	if (!o->plain_marshal)
		px_log(PX_LOG_WARNING,
		       "this pycfs knows no canonical form of Python %s (magic "
		       "number %u): modules work, but their bytes may differ "
		       "from build to build (--reproducible required makes "
		       "this an error)",
		       version, e->choice.python->magic & 0xffff);
	return 0;
}

static int start_pool(struct px_engine *e, const struct px_opt *o,
		      struct px_why *why)
{
	struct px_pool_options options = {
		.n_workers = px_engine_jobs(o),
		.timeout_ms = o->timeout_ms,
		.debug_ranges = o->debug_ranges,
		.compileall = o->plain_marshal,
		.require_sandbox = o->require_sandbox || o->secret,
		.isolate = o->secret != NULL,
		.start_async = true,
		.stats = &e->stats,
	};
	int r;

	r = px_python_compiler(&e->compiler, why);
	if (r < 0)
		return r;
	r = px_choose_python(o, px_tree_root(e->tree), e->compiler, &e->choice,
			     why);
	if (r == 0)
		r = check_reproducible(e, o, why);
	if (r < 0)
		return r;
	options.compiler = e->compiler;
	options.python = e->choice.python;
	return px_pool_start(&options, &e->pool, why);
}

/* Looks whether the Python fits, which reads directories, while the workers
 * start and the first modules are found in the cache. */
static void *check_choice(void *arg)
{
	struct px_engine *e = arg;

	e->check = px_choose_check(e->o, e->tree, &e->choice, &e->check_why);
	return NULL;
}

static int begin_check(struct px_engine *e, const struct px_opt *o,
		       struct px_why *why)
{
	int r;

	e->o = o;
	r = pthread_create(&e->checker, NULL, check_choice, e);
	if (r != 0)
		return px_because(why, -r, "cannot start: %s", strerror(r));
	e->is_checking = true;
	return 0;
}

static void end_check(struct px_engine *e)
{
	if (e->is_checking)
		pthread_join(e->checker, NULL);
	e->is_checking = false;
}

static int make_content(struct px_engine *e, const struct px_opt *o,
			const struct px_engine_needs *needs, struct px_why *why)
{
	const struct px_content_options options = {
		.tree = e->tree,
		.cache = e->cache,
		.pool = e->pool,
		.python = e->choice.python,
		.cache_tag = e->cache_tag,
		.stats = &e->stats,
		.rules = o->rules,
		.optimize = o->optimize,
		.on_error = o->on_error,
		.uid = o->uid,
		.gid = o->gid,
		.mtime = o->mtime,
		.mtime_by_content = o->mtime_by_content,
		.max_source = o->max_source,
		.normal_modes = o->normal_modes,
		.debug_ranges = o->debug_ranges,
		.canonical = !o->plain_marshal,
		.ahead = needs->ahead,
		.ahead_tree = needs->ahead_tree,
		.immutable = needs->immutable,
		.silent = needs->silent,
		.gathers = needs->gathers,
		.may_lose = o->may_lose,
		.mode = o->mode,
		.prefix = o->prefix,
		.remote = e->remote,
		.remote_wait_ms = o->remote_wait,
		.signs = o->secret != NULL,
		.strip = o->stripper,
		.strip_all = o->strip,
		.scripts = e->scripts,
	};
	int r = px_content_new(&options, &e->content);

	if (r < 0)
		return px_because(why, r, "cannot start: %s", strerror(-r));
	return 0;
}

/* As importlib.util.cache_from_source of the interpreter that will run it. */
static int name_cached(struct px_engine *e, const struct px_opt *o)
{
	const char *tag = e->choice.python->cache_tag;

	if (o->run_optimize == 0)
		e->cache_tag = strdup(tag);
	else if (asprintf(&e->cache_tag, "%s.opt-%u", tag, o->run_optimize) < 0)
		e->cache_tag = NULL;
	return e->cache_tag ? 0 : -ENOMEM;
}

int px_engine_start(struct px_engine *e, const struct px_opt *o,
		    const char *source, const struct px_engine_needs *needs,
		    struct px_why *why)
{
	size_t i;
	int r;

	r = px_tree_open(source, &e->tree, why);
	for (i = 0; i < o->n_follow && r == 0; i++)
		r = px_tree_follow(e->tree, o->follow[i], why);
	/* What px_choose_source found is a path without links, so that it must
	 * still be that. */
	if (r == 0 && o->found_in &&
	    strcmp(px_tree_root(e->tree), o->args[0]) != 0)
		r = px_because(why, -EXDEV,
			       "%s has become a link to %s: name the directory "
			       "to ship",
			       o->args[0], px_tree_root(e->tree));
	/* The cache comes first: if it needs a process with another PID, this
	 * process ends, and starting the workers would have been in vain. */
	if (r == 0)
		r = open_cache(e, o, why);
	if (r == 0)
		r = open_remote(e, o, why);
	if (r == 0)
		r = start_pool(e, o, why);
	if (r == 0)
		r = name_cached(e, o);
	if (r == 0)
		r = px_scripts_begin(o, e->tree, e->choice.python, e->cache_tag,
				     &e->scripts, why);
	/* From here on nothing is put into the tree. */
	if (r == 0)
		r = begin_check(e, o, why);
	if (r == 0)
		r = make_content(e, o, needs, why);
	if (r == 0 && !needs->later)
		r = px_engine_ready(e, why);
	return r;
}

bool px_engine_is_unfit(const struct px_engine *e)
{
	return atomic_load(&e->check) < 0;
}

int px_engine_fits(struct px_engine *e, struct px_why *why)
{
	end_check(e);
	if (px_engine_is_unfit(e))
		*why = e->check_why;
	return e->check;
}

int px_engine_ready(struct px_engine *e, struct px_why *why)
{
	int r = px_pool_ready(e->pool, why);

	if (r == 0 || r == -ECANCELED) {
		const int unfit = px_engine_fits(e, why);

		if (unfit < 0)
			return unfit;
	}
	if (r == 0 && !px_pool_is_sandboxed(e->pool))
		px_log(PX_LOG_WARNING,
		       "no seccomp here: compile workers are not kept from "
		       "system calls (--require-sandbox makes this an error)");
	return r;
}

void px_engine_share(struct px_engine *e)
{
	if (e->content)
		px_content_push(e->content, false);
}

void px_engine_tell_remote(const struct px_engine *e, char *ret, size_t n)
{
	const struct px_stats *s = &e->stats;
	typedef unsigned long long ull;
	char bytes[16];
	const ull asked = px_stats_get(s, PX_COUNT_remote_asked);
	const ull modules = px_stats_get(s, PX_COUNT_remote_modules);
	int used = 0;

	*ret = '\0';
	if (!e->remote)
		return;
	used = snprintf(
		ret, n,
		"; the remote store had %llu of %llu chunk%s (%llu "
		"module%s, %s)",
		(ull)px_stats_get(s, PX_COUNT_remote_hits), asked, PX_S(asked),
		modules, PX_S(modules),
		px_human(px_stats_get(s, PX_COUNT_remote_bytes), bytes));
	if (e->o->secret && used > 0 && (size_t)used < n)
		snprintf(ret + used, n - (size_t)used,
			 ", %llu were stored there and %llu not",
			 (ull)px_stats_get(s, PX_COUNT_remote_pushed),
			 (ull)px_stats_get(s, PX_COUNT_remote_unpushed));
}

void px_engine_quiet(struct px_engine *e)
{
	if (e->content)
		px_content_stop_new_work(e->content);
	if (e->remote)
		px_remote_stop(e->remote);
	px_pool_stop(e->pool);
	if (e->content)
		px_content_stop(e->content);
	end_check(e);
}

void px_engine_stop(struct px_engine *e)
{
	px_content_free(e->content);
	px_pool_free(e->pool);
	px_remote_free(e->remote);
	px_cache_close(e->cache);
	px_scripts_free(e->scripts);
	px_choice_fini(&e->choice);
	px_tree_close(e->tree);
	free(e->cache_tag);
	free(e->compiler);
}
