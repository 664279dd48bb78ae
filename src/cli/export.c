/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "export_job.h"
#include "faults.h"
#include "progress.h"
#include "sbom.h"
#include "scripts.h"
#include "statement.h"
#include "strays.h"

#include "pycfs/verbs.h"
#include "pycfs/term.h"
#include "pycfs/json.h"
#include "pycfs/child.h"
#include "pycfs/engine.h"
#include "pycfs/export.h"
#include "pycfs/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>

#define N_LARGEST 10 /* parts listed if the export is too large */

typedef unsigned long long ull;

struct running {
	const struct px_export_job *job;
	struct px_engine engine;
	struct px_sink *sink;
	struct px_sink *sources;	    /* NULL without --sources */
	struct px_statement_file *manifest; /* NULL without --manifest */
	struct px_account account;	    /* if `manifest` */
	struct px_temp sbom;		    /* of --sbom */
	struct px_export_summary sum;
	struct px_sink_result result;
	int signal_fd;
	bool found; /* a gate found what it looks for */
	struct px_progress progress;
};

static const char *name_of(const struct px_export_job *job)
{
	return job->to_stdout ? "stdout" : job->dest;
}

/* ------------------------------------------------------------- progress */

/* px_export_options.tick: shows progress, and cancels after a signal. */
static bool tick(void *arg, const struct px_export_progress *p)
{
	struct running *run = arg;
	struct signalfd_siginfo si;

	if (px_progress_due(&run->progress)) {
		px_progress_show(&run->progress, p->files, p->bytes, p->made);
		if (read(run->signal_fd, &si, sizeof(si)) > 0 ||
		    px_engine_is_unfit(&run->engine))
			return false;
	}
	return true;
}

/* px_export_options.give_up: without it the end of the export would wait for
 * modules that are still being compiled. */
static void give_up(void *arg)
{
	struct running *run = arg;

	px_engine_quiet(&run->engine);
}

/* " (349 MB as pip leaves them)", or "". */
static void tell_pip(const struct px_export_summary *sum, char *ret, size_t n)
{
	char bytes[16];

	*ret = '\0';
	if (sum->pip_bytes > 0)
		snprintf(ret, n, " (%s as pip leaves them)",
			 px_human(sum->pip_bytes, bytes));
}

/* "; 14 files were stripped, of 2.5 MB", or "". */
static void tell_stripped(const struct running *run, char *ret, size_t n)
{
	const struct px_export_summary *sum = &run->sum;
	char bytes[16];

	*ret = '\0';
	if (run->job->o->stripper)
		snprintf(ret, n, "; %llu file%s %s stripped, of %s",
			 (ull)sum->stripped, PX_S(sum->stripped),
			 sum->stripped == 1 ? "was" : "were",
			 px_human(sum->stripped_bytes, bytes));
}

static void tell_done(const struct running *run)
{
	const double seconds = px_progress_seconds(&run->progress);
	const ull compiled =
		px_stats_get(&run->engine.stats, PX_COUNT_compiled);
	const ull n_files = run->sum.total.files;
	const bool is_archive = run->job->format != PX_SINK_DIR;
	const char *env = run->job->o->environment;
	char version[32], archive[16], files[16], remote[256], pip[48];
	char stripped[80];

	px_engine_tell_remote(&run->engine, remote, sizeof(remote));
	tell_pip(&run->sum, pip, sizeof(pip));
	tell_stripped(run, stripped, sizeof(stripped));
	px_log(PX_LOG_NOTICE,
	       "%s: %s%s%llu file%s of %s%s, in %.1f s for Python %s "
	       "(%llu module%s compiled, %llu from the cache)%s%s%s%s",
	       name_of(run->job),
	       is_archive ? px_human(run->result.bytes, archive) : "",
	       is_archive ? ", " : "", n_files, PX_S(n_files),
	       px_human(run->sum.total.bytes, files), pip, seconds,
	       px_python_short(run->engine.choice.python, version,
			       sizeof(version)),
	       compiled, PX_S(compiled),
	       (ull)px_progress_cached(&run->progress, run->sum.total.made),
	       stripped, remote, *env ? "; from the environment: " : "", env);
}

/* -------------------------------------------------------------- results */

static void hex(const uint8_t digest[PX_SHA256_SIZE], char ret[72])
{
	int i, n = sprintf(ret, "sha256:");

	for (i = 0; i < PX_SHA256_SIZE; i++)
		n += sprintf(ret + n, "%02x", digest[i]);
}

static void print_digests(const struct running *run)
{
	FILE *to = run->job->to_stdout ? stderr : stdout;
	char text[72];

	hex(run->result.sha256, text);
	fprintf(to, "digest   %s\n", text);
	if (run->job->format == PX_SINK_ZIP)
		return;
	hex(run->result.diff_id, text);
	fprintf(to, "diff_id  %s\n", text);
}

static void print_json(const struct running *run, bool done)
{
	const struct px_export_summary *sum = &run->sum;
	char text[72];
	size_t i;

	printf("{\"version\": 1, \"done\": %s, \"dest\": ",
	       done ? "true" : "false");
	px_json_string(stdout, run->job->dest);
	fputs(", \"source\": ", stdout);
	px_json_string(stdout, run->job->source);
	if (run->engine.choice.because) {
		fputs(", ", stdout);
		px_choice_print_json(&run->engine.choice, stdout);
	}
	printf(", \"files\": %llu, \"directories\": %llu, \"links\": %llu, "
	       "\"hardlinks\": %llu, \"bytes\": %llu, \"du_bytes\": %llu, "
	       "\"compiled\": %llu, \"cached\": %llu",
	       (ull)sum->total.files, (ull)sum->dirs, (ull)sum->links,
	       (ull)sum->hardlinks, (ull)sum->total.bytes, (ull)sum->du_bytes,
	       (ull)px_stats_get(&run->engine.stats, PX_COUNT_compiled),
	       (ull)px_progress_cached(&run->progress, run->sum.total.made));
	if (sum->pip_bytes > 0)
		printf(", \"pip_bytes\": %llu", (ull)sum->pip_bytes);
	printf(", \"stripped\": %llu, \"stripped_bytes\": %llu",
	       (ull)sum->stripped, (ull)sum->stripped_bytes);
	fputs(", \"environment\": ", stdout);
	px_json_string(stdout, run->job->o->environment);
	if (done && run->sources) {
		fputs(", \"sources\": ", stdout);
		px_json_string(stdout, run->job->o->sources);
	}
	if (done && run->manifest) {
		fputs(", \"manifest\": ", stdout);
		px_json_string(stdout, run->job->o->manifest);
	}
	if (done && run->job->o->sbom) {
		fputs(", \"sbom\": ", stdout);
		px_json_string(stdout, run->job->o->sbom);
	}
	if (run->job->format != PX_SINK_DIR)
		printf(", \"archive_bytes\": %llu", (ull)run->result.bytes);
	if (done && run->job->o->print_digest) {
		hex(run->result.sha256, text);
		printf(", \"digest\": \"%s\"", text);
		hex(run->result.diff_id, text);
		if (run->job->format != PX_SINK_ZIP)
			printf(", \"diff_id\": \"%s\"", text);
	}
	fputs(", \"parts\": [", stdout);
	for (i = 0; i < sum->n_parts; i++) {
		printf("%s{\"name\": ", i ? ", " : "");
		px_json_string(stdout, sum->parts[i].name);
		printf(", \"files\": %llu, \"bytes\": %llu}",
		       (ull)sum->parts[i].files, (ull)sum->parts[i].bytes);
	}
	putchar(']');
	px_scripts_print_json(run->engine.scripts, stdout);
	px_faults_print_json(sum->faults, stdout);
	if (run->engine.content)
		px_strays_print_json(px_content_strays(run->engine.content),
				     stdout);
	puts("}");
}

static int compare_bytes(const void *a, const void *b)
{
	const struct px_export_part *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* ---------------------------------------------------------------- gates */

static bool is_over(const char *what, uint64_t have, uint64_t max)
{
	if (max == 0 || have <= max)
		return false;
	px_log(PX_LOG_ERROR, "%s: %llu bytes, %llu more than the %llu allowed",
	       what, (ull)have, (ull)(have - max), (ull)max);
	return true;
}

/* Whether the export is within --max-size and --max-compressed-size. If not,
 * logs the sizes and the largest parts, so that the user sees what to leave
 * out. */
static bool fits(struct running *run)
{
	const struct px_opt *o = run->job->o;
	struct px_export_summary *sum = &run->sum;
	bool over;
	size_t i;

	over = is_over("--max-size",
		       o->like_du ? sum->du_bytes : sum->total.bytes,
		       o->max_size);
	over |= is_over("--max-compressed-size", run->result.bytes,
			o->max_compressed_size);
	if (!over)
		return true;
	run->found = true;
	if (run->job->format != PX_SINK_DIR && !run->job->to_stdout)
		px_log(PX_LOG_ERROR, "files %llu bytes, %s %llu bytes",
		       (ull)sum->total.bytes, run->job->dest,
		       (ull)run->result.bytes);
	qsort(sum->parts, sum->n_parts, sizeof(*sum->parts), compare_bytes);
	px_log(PX_LOG_ERROR,
	       "the largest of %zu top-level names:", sum->n_parts);
	for (i = 0; i < sum->n_parts && i < N_LARGEST; i++)
		px_log(PX_LOG_ERROR, "%12llu  %s", (ull)sum->parts[i].bytes,
		       sum->parts[i].name);
	return false;
}

/* -------------------------------------------------------------- running */

static int start(struct running *run, struct px_why *why)
{
	const struct px_opt *o = run->job->o;
	const struct px_engine_needs needs = {
		/* With --on-error fail the walk itself asks for all modules, in
		 * order, before they are needed. Otherwise the names in a
		 * directory depend on which modules compile, and without
		 * compiling ahead the walk would wait for each directory. */
		.ahead = o->on_error != PX_ON_ERROR_FAIL,
		.ahead_tree = o->on_error != PX_ON_ERROR_FAIL,
		.immutable = true,
		.later = true,
		.silent = o->on_error == PX_ON_ERROR_FAIL,
		.gathers = true,
	};
	const struct px_sink_options sink = {
		.dest = run->job->dest,
		.fd = run->job->to_stdout ? STDOUT_FILENO : -1,
		.force = o->force,
		.digest = o->print_digest || o->manifest,
	};
	int r;

	r = px_engine_start(&run->engine, o, run->job->source, &needs, why);
	/* What was written to stdout cannot be taken back. */
	if (r == 0 && run->job->to_stdout)
		r = px_engine_fits(&run->engine, why);
	if (r == 0)
		r = px_sink_open(&sink, &run->sink, why);
	if (r == 0 && o->sources)
		r = px_sink_open(
			&(struct px_sink_options){.dest = o->sources, .fd = -1},
			&run->sources, why);
	if (r == 0 && o->manifest)
		r = px_statement_open(o->manifest, &run->manifest, why);
	return r;
}

static int fill(struct running *run, struct px_sink *sink, struct px_why *why)
{
	const struct px_opt *o = run->job->o;
	char version[32];
	const struct px_manifest_head head = {
		.python = px_python_short(run->engine.choice.python, version,
					  sizeof(version)),
		.magic = run->engine.choice.python->magic,
		.prefix = o->prefix,
		.dir = o->prefix_dir,
	};
	const struct px_export_options options = {
		.content = run->engine.content,
		.tree = run->engine.tree,
		.sink = sink,
		.dest = name_of(run->job),
		.jobs = px_engine_jobs(o),
		.prefix_dir = o->prefix_dir,
		.scripts = run->engine.scripts,
		.hardlink_dupes = o->hardlink_dupes,
		.list = o->sbom,
		/* It takes a tenth of the CPU time of an export that
		 * compiles nothing, so that somebody has to look. */
		.pycache_tag = run->progress.shows || o->json || o->verbose
				       ? run->engine.choice.python->cache_tag
				       : NULL,
		.sources = sink == run->sink ? run->sources : NULL,
		.sources_head = &head,
		.account = sink == run->sink && run->manifest ? &run->account
							      : NULL,
		.tick = tick,
		.give_up = give_up,
		.tick_arg = run,
	};
	struct px_why unable;
	int r, ready;

	px_progress_count(&run->progress, run->engine.content);
	/* The engine was started without waiting for a worker (needs.later), so
	 * that workers start while modules are found in the cache; the first
	 * compile waits for one by itself. Whether any could start is asked
	 * only after the export. If none could, that is why modules are
	 * missing, and a better reason than the export's own. */
	r = px_export(&options, &run->sum, why);
	ready = px_engine_ready(&run->engine, &unable);
	if (ready < 0 && ready != -ECANCELED) {
		*why = unable;
		r = ready;
	}
	return r;
}

/* Checks --max-size before anything is written to stdout, which could not be
 * undone, by an export to /dev/null. The real export then finds every module in
 * the cache. */
static int measure(struct running *run, struct px_why *why)
{
	PX_AUTOCLOSE int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct px_sink *sink = NULL;
	int r;

	if (nowhere < 0)
		return px_because(why, -errno, "/dev/null: %s",
				  strerror(errno));
	r = px_sink_open(&(struct px_sink_options){.fd = nowhere}, &sink, why);
	if (r == 0)
		r = fill(run, sink, why);
	px_sink_free(sink);
	px_progress_end(&run->progress);
	if (r == 0 && !fits(run))
		r = px_because(why, -EFBIG,
			       "nothing was written to stdout: too large");
	if (r == 0) {
		px_export_summary_fini(&run->sum);
		run->sum = (struct px_export_summary){0};
	}
	return r;
}

static int write_manifest(struct running *run, struct px_why *why)
{
	const struct px_export_job *job = run->job;
	const bool is_archive = job->format != PX_SINK_DIR;
	const struct px_statement_about about = {
		.o = job->o,
		.python = run->engine.choice.python,
		.account = &run->account,
		.archive = !is_archive	    ? NULL
			   : job->to_stdout ? "layer.tar"
					    : px_path_name(job->dest),
		.sha256 = run->result.sha256,
	};

	return px_statement_write(run->manifest, &about, why);
}

static int finish(struct running *run, struct px_why *why)
{
	struct px_sink_result unused;
	int r = px_sink_finish(run->sink, &run->result);

	if (r < 0)
		return px_because(why, r, "%s: %s", name_of(run->job),
				  strerror(-r));
	r = run->sources ? px_sink_finish(run->sources, &unused) : 0;
	if (r < 0)
		return px_because(why, r, "%s: %s", run->job->o->sources,
				  strerror(-r));
	return run->manifest ? write_manifest(run, why) : 0;
}

/* Writes the file of --sbom, under a temporary name. */
static int list(struct running *run, struct px_why *why)
{
	struct px_sbom all;
	int r = px_sbom_of_paths(&run->sum.listed, run->engine.tree, &all);

	if (r < 0)
		px_because(why, r, "%s: %s", run->job->o->sbom, strerror(-r));
	else
		r = px_sbom_make_file(&run->sbom, run->job->o->sbom, &all, why);
	px_sbom_fini(&all);
	return r;
}

/* Puts what was written into its place. */
static int commit(struct running *run, struct px_why *why)
{
	const char *what;
	struct px_why unable;
	int r = px_sink_commit(run->sink, why);

	if (r < 0)
		return r;
	if (run->sources && px_sink_commit(run->sources, &unable) < 0)
		what = "its sources";
	else if (run->job->o->sbom && px_temp_commit(&run->sbom, &unable) < 0)
		what = "the list of what it has";
	else if (run->manifest &&
		 px_statement_commit(run->manifest, &unable) < 0)
		what = "its manifest";
	else
		return 0;
	return px_because(why, -EIO, "%s was written, but not %s: %s",
			  name_of(run->job), what, unable.text);
}

static int export(struct running *run, struct px_why *why)
{
	int r = 0;

	if (run->job->to_stdout && run->job->o->max_size)
		r = measure(run, why);
	if (r == 0)
		r = fill(run, run->sink, why);
	if (r == 0)
		r = finish(run, why);
	px_progress_end(&run->progress);
	px_faults_tell(run->sum.faults);
	if (r == 0)
		px_engine_share(&run->engine);
	/* What compiles ahead also looks for strays. */
	px_engine_quiet(&run->engine);
	if (r == 0 || r == -ENOEXEC)
		px_strays_log(px_content_strays(run->engine.content),
			      run->job->o->may_lose);
	if (r == 0)
		r = px_strays_check(&run->engine, run->job->o,
				    name_of(run->job), run->sum.modules, why);
	if (r == 0 && !fits(run))
		r = px_because(why, -EFBIG,
			       run->job->to_stdout
				       ? "%s: SOURCE grew while it was written"
				       : "%s was not written: too large",
			       name_of(run->job));
	if (r == 0 && run->job->o->sbom)
		r = list(run, why);
	return r < 0 ? r : commit(run, why);
}

static int work(void *arg, int signal_fd)
{
	struct running run = {
		.job = arg,
		.signal_fd = signal_fd,
		.sbom = {.parent = -1, .lock = -1, .parents = {.base = -1}},
	};
	const struct px_opt *o = run.job->o;
	struct px_why why;
	int r;

	px_progress_begin(&run.progress, o->quiet, &run.engine.stats);
	r = start(&run, &why);
	if (r == 0)
		r = export(&run, &why);
	if (r == 0)
		tell_done(&run);
	if (r == -ENOEXEC)
		px_log(PX_LOG_ERROR,
		       "%s, so %s was not written (--on-error source ships "
		       "them as they are, omit leaves them out; or --exclude "
		       "them)",
		       why.text, run.job->dest);
	else if (r < 0 && r != -EADDRINUSE)
		px_fail(0, &why);
	if (r == 0 && o->print_digest && !o->json)
		print_digests(&run);
	if (o->json && r != -EADDRINUSE)
		print_json(&run, r == 0);
	if (fflush(stdout) != 0 && r == 0) {
		r = px_because(&why, -errno, "stdout: %s", strerror(errno));
		px_fail(0, &why);
	}
	px_engine_quiet(&run.engine);
	px_sink_free(run.sink);
	px_sink_free(run.sources);
	px_statement_close(run.manifest);
	px_account_fini(&run.account);
	px_temp_fini(&run.sbom);
	px_engine_stop(&run.engine);
	px_export_summary_fini(&run.sum);
	return r == -EADDRINUSE ? PX_EXIT_PID_TAKEN
	       : run.found	? PX_EXIT_FOUND
	       : r < 0		? PX_EXIT_FAILED
				: 0;
}

int px_cmd_export(struct px_opt *o)
{
	struct px_export_job job = {
		.o = o,
		.dest = o->args[1],
		.to_stdout = strcmp(o->args[1], "-") == 0,
	};
	struct px_why why;
	int status;

	if (px_choose_source(o, &why) < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	job.source = o->args[0];
	job.format = job.to_stdout ? PX_SINK_TAR : px_sink_format(job.dest);
	if (px_export_check_job(&job, &why) < 0)
		return px_fail(PX_EXIT_USAGE, &why);
	status = o->check ? px_check_first(o) : 0;
	if (status != 0)
		return status;
	/* An archive is for other machines, on which the owners that files have
	 * here mean nothing. */
	if (job.format != PX_SINK_DIR && o->uid < 0)
		o->uid = o->gid = 0;
	/* libarchive writes the times of a zip as local time (sink_archive.c).
	 */
	setenv("TZ", "UTC", 1);
	tzset();
	/* If the reader of stdout goes away, write(2) shall fail. */
	signal(SIGPIPE, SIG_IGN);
	return px_run_in_child(work, &job, "DEST is unchanged or complete");
}
