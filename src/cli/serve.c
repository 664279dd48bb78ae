/* SPDX-License-Identifier: MIT */
#include "pycfs/serve.h"

#include "pycfs/engine.h"
#include "pycfs/fuse.h"
#include "pycfs/log.h"

#include <stdio.h>

struct server {
	const struct px_opt *o;
	struct px_engine engine;
	struct px_fuse *fuse;
	char python[32]; /* the version */
	int64_t began;	 /* px_now_ms */
};

/* What the options come to, for px_fuse_state. */
static struct px_fuse_form form_of(const struct px_opt *o)
{
	const size_t n = px_rules_count(o->rules);
	struct px_fuse_form form = {
		.optimize = o->optimize,
		.run_optimize = o->run_optimize,
		.mode = o->mode,
		.on_error = o->on_error,
		.safe = o->safe != 0,
		.debug_ranges = o->debug_ranges,
		.plain_marshal = o->plain_marshal != 0,
		.immutable = o->immutable,
	};

	for (size_t i = 0; i < n; i++)
		form.n_built_in += px_rules_is_built_in(o->rules, i);
	form.n_rules = (uint32_t)n - form.n_built_in;
	return form;
}

static int mount(struct server *s, const char *mountpoint, struct px_why *why)
{
	const struct px_choice *choice = &s->engine.choice;
	const struct px_opt *o = s->o;
	const struct px_fuse_options fuse = {
		.content = s->engine.content,
		.tree = s->engine.tree,
		.stats = &s->engine.stats,
		.python = px_python_short(choice->python, s->python,
					  sizeof(s->python)),
		.python_executable = px_python_path(choice->python),
		.python_because = choice->because,
		.form = form_of(o),
		.source = px_tree_root(s->engine.tree),
		.prefix = o->prefix,
		.mountpoint = mountpoint,
		.mount_options = o->fuse_options,
		.on_error = o->on_error,
		.has_rules = o->rules != NULL,
		.immutable = o->immutable,
		.debug = o->fuse_debug,
	};

	return px_fuse_mount(&fuse, &s->fuse, why);
}

static void tell_epoch(const struct px_opt *o)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	if (epoch && *epoch && o->mtime < 0)
		px_log(PX_LOG_INFO,
		       "SOURCE_DATE_EPOCH is not taken by a mount: files have "
		       "the times that they have in SOURCE (--mtime content "
		       "gives each one a time of its own, --mtime %s this one "
		       "to all)",
		       epoch);
}

static int start(struct server *s, const char *source, const char *mountpoint,
		 struct px_why *why)
{
	const struct px_engine_needs needs = {
		.ahead = !s->o->no_ahead,
		.ahead_tree = s->o->immutable,
		.immutable = s->o->immutable,
	};
	int r;

	r = px_engine_start(&s->engine, s->o, source, &needs, why);
	return r < 0 ? r : mount(s, mountpoint, why);
}

static void stop(struct server *s)
{
	px_engine_quiet(&s->engine);
	px_fuse_unmount(s->fuse);
	px_engine_stop(&s->engine);
}

static void tell_ready(const struct server *s, const char *mountpoint,
		       px_serve_ready ready, void *arg)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s on %s, compiled by Python %s (%s)",
		 px_tree_root(s->engine.tree), mountpoint, s->python,
		 px_python_path(s->engine.choice.python));
	ready(arg, text);
}

static void tell_counters(const struct server *s)
{
	const char *env = s->o->environment;
	const uint64_t compiled =
		px_stats_get(&s->engine.stats, PX_COUNT_compiled);
	const uint64_t cached =
		px_stats_get(&s->engine.stats, PX_COUNT_stat_hits) +
		px_stats_get(&s->engine.stats, PX_COUNT_blob_hits);
	const uint64_t rejected =
		px_stats_get(&s->engine.stats, PX_COUNT_rejected);

	char remote[256];

	px_engine_tell_remote(&s->engine, remote, sizeof(remote));
	px_log(s->o->verb == PX_VERB_RUN ? PX_LOG_NOTICE : PX_LOG_INFO,
	       "%llu module%s compiled (%llu refused), %llu "
	       "request%s answered from the cache, in %.1f s with Python "
	       "%s%s%s%s",
	       (unsigned long long)compiled, PX_S(compiled),
	       (unsigned long long)rejected, (unsigned long long)cached,
	       PX_S(cached), (double)(px_now_ms() - s->began) / 1000, s->python,
	       remote, *env ? "; from the environment: " : "", env);
}

int px_serve(const struct px_opt *o, const char *source, const char *mountpoint,
	     px_serve_ready ready, void *arg, struct px_why *why)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return px_because(why, -ENOMEM, "out of memory");
	s->o = o;
	s->began = px_now_ms();
	r = start(s, source, mountpoint, why);
	if (r == 0) {
		tell_ready(s, mountpoint, ready, arg);
		tell_epoch(o);
		r = px_fuse_loop(s->fuse);
		if (r < 0)
			px_because(why, r, "serving %s ended: %s", mountpoint,
				   strerror(-r));
		px_engine_share(&s->engine);
		tell_counters(s);
	}
	stop(s);
	free(s);
	return r;
}
