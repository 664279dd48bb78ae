/* SPDX-License-Identifier: MIT */
/*
 * One layer written, and one try of what is in it: what a check does once, and
 * the search for rules that help does often.
 */
#include "check.h"
#include "faults.h"

#include "pycfs/export.h"
#include "pycfs/log.h"

#include <limits.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>

#define PROGRESS_MS 100
/* Of one process that imports, in seconds. */
#define USUAL_DEADLINE 60
/* Address space of a process, in bytes: a part of the machine's memory, within
 * these bounds. The libraries of numpy map some GB that they do not use. */
#define LEAST_MEMORY (4ull << 30)
#define MOST_MEMORY  (16ull << 30)

/* ------------------------------------------------------------- progress */

bool px_check_tick(struct px_checking *c, const char *what, size_t done,
		   size_t total)
{
	const int64_t now = px_now_ms();
	struct signalfd_siginfo si;

	if (now - c->shown < PROGRESS_MS)
		return !c->stopped;
	c->shown = now;
	if (c->shows && total > 0)
		fprintf(stderr, "\r%s: %zu of %zu\033[K", what, done, total);
	else if (c->shows)
		fprintf(stderr, "\r%s: %zu\033[K", what, done);
	if (read(c->signal_fd, &si, sizeof(si)) > 0)
		c->stopped = true;
	return !c->stopped;
}

void px_check_end_progress(const struct px_checking *c)
{
	if (c->shows)
		fputs("\r\033[K", stderr);
}

static bool tick_export(void *arg, const struct px_export_progress *p)
{
	struct px_checking *c = arg;

	return px_check_tick(c, "writing the layer: files", (size_t)p->files,
			     0) &&
	       !px_engine_is_unfit(c->engine);
}

static void give_up(void *arg)
{
	struct px_checking *c = arg;

	px_engine_quiet(c->engine);
}

static bool tick_check(void *arg, const struct px_check_progress *p)
{
	return px_check_tick(arg, "trying", p->done, p->total);
}

/* ----------------------------------------------------------------- layer */

static int export_to(struct px_checking *c, const struct px_opt *o,
		     const char *dest, struct px_why *why)
{
	struct px_export_summary sum = {.total = {0}};
	struct px_sink_result unused;
	struct px_sink *sink = NULL;
	struct px_why unable;
	int r, ready;

	r = px_sink_open(&(struct px_sink_options){.dest = dest, .fd = -1},
			 &sink, why);
	if (r < 0)
		return r;
	r = px_export(
		&(struct px_export_options){
			.content = c->engine->content,
			.tree = c->engine->tree,
			.sink = sink,
			.dest = "the layer",
			.jobs = px_engine_jobs(o),
			.prefix_dir = "",
			.tick = tick_export,
			.give_up = give_up,
			.tick_arg = c,
		},
		&sum, why);
	ready = px_engine_ready(c->engine, &unable);
	if (ready < 0 && ready != -ECANCELED) {
		*why = unable;
		r = ready;
	}
	px_check_end_progress(c);
	px_faults_tell(sum.faults);
	if (r == 0)
		r = px_sink_finish(sink, &unused);
	if (r == 0)
		r = px_sink_commit(sink, why);
	px_export_summary_fini(&sum);
	px_sink_free(sink);
	return r;
}

int px_check_write_layer(struct px_checking *c, const struct px_opt *o,
			 const char *dest, struct px_why *why)
{
	const struct px_engine_needs needs = {
		.ahead = o->on_error != PX_ON_ERROR_FAIL,
		.ahead_tree = o->on_error != PX_ON_ERROR_FAIL,
		.immutable = true,
		.later = true,
		.silent = o->on_error == PX_ON_ERROR_FAIL,
		.gathers = true,
	};
	struct px_engine e = {.tree = NULL};
	int r;

	c->engine = &e;
	r = px_engine_start(&e, o, c->source, &needs, why);
	if (r == 0)
		r = export_to(c, o, dest, why);
	px_engine_quiet(&e);
	if (r == 0 && !c->compiler) {
		c->compiler = PX_STEAL(e.compiler);
		c->choice = e.choice;
		e.choice = (struct px_choice){.python = NULL};
	}
	px_engine_stop(&e);
	c->engine = NULL;
	return r;
}

/* ------------------------------------------------------------------- try */

static uint64_t memory_of(unsigned jobs)
{
	struct sysinfo si;
	uint64_t n = MOST_MEMORY;

	if (sysinfo(&si) == 0)
		n = (uint64_t)si.totalram * si.mem_unit / (jobs + 1);
	if (n > MOST_MEMORY)
		n = MOST_MEMORY;
	return n < LEAST_MEMORY ? LEAST_MEMORY : n;
}

/* Runs the user's program. It may take as long as it likes, unless a time was
 * said. */
static int run_command(struct px_checking *c,
		       const struct px_check_options *options,
		       struct px_check_result *ret, struct px_why *why)
{
	struct px_check_options o = *options;

	if (c->o->deadline == 0)
		o.seconds = UINT_MAX;
	return px_check_command(&o, c->o->args + 1, ret, why);
}

int px_check_try(struct px_checking *c, const char *layer, unsigned level,
		 const struct px_check_result *only,
		 struct px_check_result *ret, struct px_why *why)
{
	PX_AUTOFREE char *source = realpath(c->source, NULL);
	const unsigned jobs = px_engine_jobs(c->o);
	const struct px_check_options options = {
		.compiler = c->compiler,
		.python = c->choice.python->executable,
		.tree = {source, layer},
		.scratch = c->scratch,
		.all = c->o->all_modules,
		.level = {0, level > c->o->run_optimize ? level
							: c->o->run_optimize},
		.only = only,
		.jobs = jobs,
		.seconds = c->o->deadline ? c->o->deadline : USUAL_DEADLINE,
		.memory = memory_of(jobs),
		.tick = tick_check,
		.tick_arg = c,
	};
	int r;

	*ret = (struct px_check_result){.n_findings = 0};
	if (!source)
		return px_because(why, -errno, "%s: %s", c->source,
				  strerror(errno));
	if (!options.python)
		return px_because(why, -ENOENT,
				  "there is no python3 to import with: "
				  "install it, or say --python PATH");
	r = px_check_run(&options, ret, why);
	if (r == 0 && !only && c->o->n_args > 1)
		r = run_command(c, &options, ret, why);
	px_check_end_progress(c);
	return r;
}
