/* SPDX-License-Identifier: MIT */
#include "pycfs/serve.h"

#include "pycfs/fuse.h"
#include "pycfs/log.h"

#include <sched.h>
#include <stdio.h>

/* In the order they are made; unmade in reverse. */
struct server {
	const struct px_opt *o;
	struct px_stats stats;
	char *compiler;
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_python *python;
	struct px_pool *pool;
	struct px_content *content;
	struct px_fuse *fuse;
};

int px_serve_cache_dir(const struct px_opt *o, char **ret)
{
	const char *said = o->cache ? o->cache : getenv("PYCFS_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (said && *said)
		n = asprintf(ret, "%s", said);
	else if (geteuid() == 0)
		n = asprintf(ret, "/var/cache/pycfs");
	else if (xdg && *xdg == '/')
		n = asprintf(ret, "%s/pycfs", xdg);
	else if (home && *home == '/')
		n = asprintf(ret, "%s/.cache/pycfs", home);
	else
		return -ENOENT;
	return n < 0 ? -ENOMEM : 0;
}

static unsigned count_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static int open_cache(struct server *s, struct px_why *why)
{
	PX_AUTOFREE char *dir = NULL;
	struct px_cache_options options = {
		.max_bytes = s->o->cache_size,
		.stats = &s->stats,
	};
	int r;

	if (!s->o->no_cache) {
		r = px_serve_cache_dir(s->o, &dir);
		if (r < 0)
			return px_because(why, r,
					  "no place for a cache: set "
					  "HOME, or say --cache DIR or "
					  "--no-cache");
		options.dir = dir;
	}
	r = px_cache_open(&options, &s->cache, why);
	if (r == 0 && px_cache_was_rebuilt(s->cache))
		px_log(PX_LOG_WARNING,
		       "the cache in %s was damaged or of "
		       "another format: begun anew",
		       dir);
	return r;
}

static int start_pool(struct server *s, struct px_why *why)
{
	const struct px_opt *o = s->o;
	struct px_pool_options options = {
		.n_workers = o->jobs ? o->jobs : count_cpus(),
		.timeout_ms = o->timeout_ms,
		.debug_ranges = o->debug_ranges,
		.stats = &s->stats,
	};
	int r;

	r = px_python_compiler(&s->compiler, why);
	if (r < 0)
		return r;
	r = px_python_find(o->python, s->compiler, &s->python, why);
	if (r < 0)
		return r;
	options.compiler = s->compiler;
	options.python = s->python;
	return px_pool_start(&options, &s->pool, why);
}

static int mount(struct server *s, const char *mountpoint, struct px_why *why)
{
	const struct px_opt *o = s->o;
	const struct px_content_options content = {
		.tree = s->tree,
		.cache = s->cache,
		.pool = s->pool,
		.python = s->python,
		.stats = &s->stats,
		.rules = o->rules,
		.optimize = o->optimize,
		.on_error = o->on_error,
		.uid = o->uid,
		.gid = o->gid,
		.mtime = o->mtime,
		.debug_ranges = o->debug_ranges,
		.canonical = !o->plain_marshal,
		.ahead = !o->no_ahead,
		.ahead_tree = o->immutable,
		.mode = o->mode,
		.prefix = o->prefix,
	};
	struct px_fuse_options fuse = {
		.tree = s->tree,
		.stats = &s->stats,
		.mountpoint = mountpoint,
		.mount_options = o->fuse_options,
		.on_error = o->on_error,
		.has_rules = o->rules != NULL,
		.immutable = o->immutable,
		.debug = o->fuse_debug,
	};
	int r;

	r = px_content_new(&content, &s->content);
	if (r < 0)
		return px_because(why, r, "cannot start: %s", strerror(-r));
	fuse.content = s->content;
	return px_fuse_mount(&fuse, &s->fuse, why);
}

static int start(struct server *s, const char *source, const char *mountpoint,
		 struct px_why *why)
{
	int r;

	r = px_tree_open(source, &s->tree, why);
	if (r == 0)
		r = open_cache(s, why);
	if (r == 0)
		r = start_pool(s, why);
	if (r == 0)
		r = mount(s, mountpoint, why);
	return r;
}

static void stop(struct server *s)
{
	if (s->content)
		px_content_quiet(s->content);
	px_pool_stop(s->pool); /* answers every request that still waits */
	px_fuse_unmount(s->fuse);
	px_content_free(s->content);
	px_pool_free(s->pool);
	px_cache_close(s->cache);
	px_python_free(s->python);
	px_tree_close(s->tree);
	free(s->compiler);
}

static void tell_ready(const struct server *s, const char *mountpoint,
		       px_serve_ready ready, void *arg)
{
	char version[32], text[1024];

	px_python_short(s->python, version, sizeof(version));
	snprintf(text, sizeof(text), "%s on %s, compiled by Python %s (%s)",
		 px_tree_root(s->tree), mountpoint, version,
		 s->python->executable ? s->python->executable
				       : s->python->libpython);
	ready(arg, text);
}

static void tell_counters(const struct server *s)
{
	const uint64_t compiled = px_stats_get(&s->stats, PX_COUNT_compiled);
	const uint64_t known = px_stats_get(&s->stats, PX_COUNT_stat_hits) +
			       px_stats_get(&s->stats, PX_COUNT_blob_hits);
	const uint64_t rejected = px_stats_get(&s->stats, PX_COUNT_rejected);

	px_log(PX_LOG_INFO,
	       "%llu modules compiled (%llu refused), %llu "
	       "requests answered from the cache",
	       (unsigned long long)compiled, (unsigned long long)rejected,
	       (unsigned long long)known);
}

int px_serve(const struct px_opt *o, const char *source, const char *mountpoint,
	     px_serve_ready ready, void *arg, struct px_why *why)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return px_because(why, -ENOMEM, "out of memory");
	s->o = o;
	r = start(s, source, mountpoint, why);
	if (r == 0) {
		tell_ready(s, mountpoint, ready, arg);
		r = px_fuse_loop(s->fuse);
		if (r < 0)
			px_because(why, r, "serving %s ended: %s", mountpoint,
				   strerror(-r));
		tell_counters(s);
	}
	stop(s);
	free(s);
	return r;
}
