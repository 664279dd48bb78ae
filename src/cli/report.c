/* SPDX-License-Identifier: MIT */
#include "pycfs/verbs.h"
#include "pycfs/term.h"
#include "pycfs/json.h"
#include "pycfs/child.h"
#include "progress.h"
#include "report_mount.h"
#include "report_shown.h"
#include "sbom.h"
#include "strays.h"

#include "pycfs/log.h"
#include "pycfs/mark.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

struct job {
	const struct px_opt *o;
	const char *source;
};

struct running {
	const struct job *job;
	struct px_engine engine;
	/* Compiles what Python itself would write to __pycache__, for the
	 * comparison. It has workers of its own, because they have other
	 * options. */
	struct px_pool *baseline;
	struct px_pool *analyser; /* finds risks */
	struct px_report report;
	int spool; /* a file without a name; -1: there is none */
	_Atomic int64_t spool_end;
	/* Counters of the analyser, apart from the engine's because it compiles
	 * nothing. */
	struct px_stats analysed;
	int signal_fd;
	struct px_progress progress;
};

/* ---------------------------------------------------------------- a source */

/* px_report_options.tick: shows progress, and cancels after a signal. */
static bool tick(void *arg, uint64_t files)
{
	struct running *run = arg;
	struct signalfd_siginfo si;

	if (!px_progress_due(&run->progress))
		return true;
	px_progress_show(&run->progress, files, PX_PROGRESS_FILES, 0);
	if (read(run->signal_fd, &si, sizeof(si)) <= 0)
		return true;
	px_engine_quiet(&run->engine);
	px_pool_stop(run->baseline);
	px_pool_stop(run->analyser);
	return false;
}

static int start_baseline(struct running *run, struct px_why *why)
{
	const struct px_opt *o = run->job->o;
	struct px_engine *e = &run->engine;
	const struct px_pool_options pool = {
		.python = e->choice.python,
		.compiler = e->compiler,
		.n_workers = px_engine_jobs(o),
		.timeout_ms = o->timeout_ms,
		.debug_ranges = true,
		.require_sandbox = o->require_sandbox,
		.in_interpreter = px_pool_is_in_interpreter(e->pool),
		.stats = &e->stats,
	};

	return px_pool_start(&pool, &run->baseline, why);
}

static int start_analyser(struct running *run, struct px_why *why)
{
	const struct px_opt *o = run->job->o;
	struct px_engine *e = &run->engine;
	const struct px_pool_options pool = {
		.python = e->choice.python,
		.compiler = e->compiler,
		.n_workers = px_engine_jobs(o),
		.timeout_ms = o->timeout_ms,
		.analyse = true,
		.require_sandbox = o->require_sandbox,
		.in_interpreter = px_pool_is_in_interpreter(e->pool),
		.stats = &run->analysed,
	};

	return px_pool_start(&pool, &run->analyser, why);
}

static int start(struct running *run, struct px_why *why)
{
	const struct px_opt *o = run->job->o;
	const struct px_engine_needs needs = {
		.ahead = o->on_error != PX_ON_ERROR_FAIL,
		.ahead_tree = o->on_error != PX_ON_ERROR_FAIL,
		.immutable = true,
		.silent = true,
		.gathers = true,
	};
	int r = px_engine_start(&run->engine, o, run->job->source, &needs, why);

	if (r == 0)
		r = start_baseline(run, why);
	return r < 0 ? r : start_analyser(run, why);
}

static int make(struct running *run, struct px_why *why)
{
	const struct px_report_options options = {
		.content = run->engine.content,
		.baseline = run->baseline,
		.python = run->engine.choice.python,
		.recipe = run->engine.pool,
		.analyser = run->analyser,
		.rules = run->job->o->rules,
		.optimize = run->job->o->optimize,
		.run_optimize = run->job->o->run_optimize,
		.version = PX_VERSION,
		.tree = run->engine.tree,
		.cache = run->engine.cache,
		.jobs = px_engine_jobs(run->job->o),
		.max_source = (size_t)run->job->o->max_source,
		.spool = run->spool,
		.spool_end = &run->spool_end,
		.tick = tick,
		.tick_arg = run,
	};
	int r;

	px_progress_count(&run->progress, run->engine.content);
	r = px_report_make(&options, &run->report, why);
	px_progress_end(&run->progress);

	/* What compiles ahead also looks for strays. */
	px_engine_quiet(&run->engine);
	return r;
}

/* The files that Python can import, compiled here or not. */
static uint64_t count_modules(const struct px_report *r)
{
	uint64_t n = r->total.modules;
	size_t i;

	for (i = 0; i < r->n_files; i++)
		n += r->files[i].kind == PX_KIND_FILE &&
		     px_mark_is_module(px_path_name(r->files[i].path));
	return n;
}

static int write_sbom(const struct running *run, struct px_why *why)
{
	const char *path = run->job->o->sbom;
	PX_AUTO(px_sbom_fini) struct px_sbom all;
	struct px_temp t;
	int r = px_sbom_of_report(&run->report, run->engine.tree, &all);

	if (r < 0)
		return px_because(why, r, "%s: %s", path, strerror(-r));
	r = px_sbom_make_file(&t, path, &all, why);
	if (r == 0)
		r = px_temp_commit(&t, why);
	px_temp_fini(&t);
	return r;
}

/* Prints the report in the way that was asked for. Returns 0, 1 if --max-growth
 * or --fail-on is exceeded, or -errno; -ENOLINK if modules are lost. */
static int show(struct running *run, struct px_why *why)
{
	char python[32];
	const struct px_shown shown = {
		.o = run->job->o,
		.r = &run->report,
		.source = px_tree_root(run->engine.tree),
		.python = python,
		.strays = px_content_strays(run->engine.content),
		.choice = &run->engine.choice,
	};
	int r = 0;

	px_python_short(run->engine.choice.python, python, sizeof(python));
	if (run->job->o->html)
		r = px_report_write_html(&shown, why);
	if (r == 0 && run->job->o->sbom)
		r = write_sbom(run, why);
	if (r < 0)
		return r;
	if (run->job->o->json)
		px_report_print_json(&shown, stdout);
	else if (run->job->o->suggest)
		r = px_report_suggest(&shown);
	else if (!run->job->o->diff && !run->job->o->html)
		r = px_report_print(&shown);
	if (r < 0)
		return px_because(why, r, "%s", strerror(-r));
	if (run->job->o->diff)
		r = px_report_diff(&shown, why);
	if (fflush(stdout) != 0)
		return px_because(why, -errno, "stdout: %s", strerror(errno));
	if (r >= 0 && px_report_too_risky(&shown))
		r = 1;
	if (r >= 0 && px_report_has_unused(&shown))
		r = 1;
	if (r >= 0 && px_strays_check(&run->engine, run->job->o, "SOURCE",
				      count_modules(&run->report), why) < 0)
		r = -ENOLINK;
	return r;
}

/* A file without a name, in $TMPDIR or /tmp, or -1. */
static int open_spool(void)
{
	const char *tmp = getenv("TMPDIR");

	return open(tmp && *tmp == '/' ? tmp : "/tmp",
		    O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int work(void *arg, int signal_fd)
{
	struct running run = {
		.job = arg, .signal_fd = signal_fd, .spool = open_spool()};
	struct px_why why;
	int r;

	px_progress_begin(&run.progress, run.job->o->quiet, &run.engine.stats);
	r = start(&run, &why);
	if (r == 0)
		r = make(&run, &why);
	if (r == 0)
		r = show(&run, &why);
	if (r < 0 && r != -EADDRINUSE)
		px_fail(0, &why);
	px_engine_quiet(&run.engine);
	px_pool_free(run.analyser);
	px_pool_free(run.baseline);
	px_engine_stop(&run.engine);
	px_report_fini(&run.report);
	if (run.spool >= 0)
		close(run.spool);
	return r == -EADDRINUSE ? PX_EXIT_PID_TAKEN
	       : r > 0		? PX_EXIT_FOUND
	       : r < 0		? PX_EXIT_FAILED
				: 0;
}

int px_cmd_report(struct px_opt *o)
{
	struct job job = {.o = o};
	struct px_why why;
	int r = px_report_mount(o);

	if (r == 0)
		return 0;
	if (r != -ENOTTY) {
		px_because(&why, r, "%s: %s", o->args[0],
			   r == -ETIMEDOUT ? "its daemon does not answer: "
					     "'pycfs umount' ends it"
					   : strerror(-r));
		return px_fail(PX_EXIT_FAILED, &why);
	}
	if (o->json + o->suggest + (o->diff != NULL) > 1) {
		px_because(&why, 0,
			   "--json, --suggest and --diff each print something "
			   "else: say one of them");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if ((o->max_growth >= 0 || o->max_growth_percent >= 0) && !o->diff) {
		px_because(&why, 0, "--max-growth needs --diff OLD");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (px_choose_source(o, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	job.source = o->args[0];
	return px_run_in_child(work, &job, "no report was made");
}
