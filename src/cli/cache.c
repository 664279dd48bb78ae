/* SPDX-License-Identifier: MIT */
#include "share.h"

#include "pycfs/cache.h"
#include "pycfs/verbs.h"
#include "pycfs/term.h"
#include "pycfs/json.h"
#include "pycfs/child.h"
#include "pycfs/log.h"
#include "pycfs/engine.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

typedef unsigned long long ull;

struct job {
	const struct px_opt *o;
	const char *dir;
	int (*act)(const struct job *job, struct px_cache *cache);
};

/* How many of the modules that were ever needed were in the cache, in percent;
 * the others were compiled and added. */
static double hit_rate(const struct px_cache_info *i)
{
	const uint64_t all = i->n_served + i->n_added;

	return all ? 100.0 * (double)i->n_served / (double)all : 0.0;
}

static void print_info_json(const struct px_cache_info *i, ull modules,
			    unsigned idle)
{
	size_t k;

	printf("{\"version\": 1, \"modules\": %llu, \"rejected\": %llu, "
	       "\"notes\": %llu, \"files\": %llu, \"bytes\": %llu, "
	       "\"disk_bytes\": %llu, \"max_bytes\": %llu, "
	       "\"stripped\": %llu, \"stripped_bytes\": %llu, "
	       "\"oldest_use_days\": %u, \"served\": %llu, \"added\": %llu, "
	       "\"profiles\": [",
	       modules, (ull)i->n_rejected, (ull)i->n_notes, (ull)i->n_index,
	       (ull)i->blob_bytes, (ull)i->file_bytes, (ull)i->max_bytes,
	       (ull)i->n_kept, (ull)i->kept_bytes, idle, (ull)i->n_served,
	       (ull)i->n_added);
	for (k = 0; k < i->n_profiles; k++) {
		printf("%s{\"profile\": ", k ? ", " : "");
		px_json_string(stdout, i->profile[k].text);
		printf(", \"modules\": %llu, \"bytes\": %llu}",
		       (ull)i->profile[k].n_blobs, (ull)i->profile[k].bytes);
	}
	puts("]}");
}

static int compare_profiles(const void *a, const void *b)
{
	const struct px_cache_profile *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static int do_stat(const struct job *job, struct px_cache *cache)
{
	const uint32_t today = (uint32_t)(px_wall_ns() / 1000000000 / 86400);
	struct px_cache_info i;
	int r = px_cache_info(cache, &i);
	PX_AUTOFREE char *dir = px_clean(job->dir);
	unsigned idle;
	ull modules;
	size_t k;

	if (r < 0)
		return r;
	qsort(i.profile, i.n_profiles, sizeof(i.profile[0]), compare_profiles);
	idle = i.n_blobs && i.oldest_day < today ? today - i.oldest_day : 0;
	modules = (ull)(i.n_blobs - i.n_rejected - i.n_notes);
	if (job->o->json) {
		print_info_json(&i, modules, idle);
		return 0;
	}
	printf("%s\n%llu module%s, %llu that %s not compile, for %llu source "
	       "file%s\n"
	       "%llu bytes, %llu on disk, %llu at most\n"
	       "the oldest was last used %u day%s ago; hit rate %.1f %%\n",
	       dir ? dir : "?", modules, PX_S(modules), (ull)i.n_rejected,
	       i.n_rejected == 1 ? "does" : "do", (ull)i.n_index,
	       PX_S(i.n_index), (ull)i.blob_bytes, (ull)i.file_bytes,
	       (ull)i.max_bytes, idle, PX_S(idle), hit_rate(&i));
	if (i.n_kept > 0)
		printf("%llu stripped file%s of %llu bytes\n", (ull)i.n_kept,
		       PX_S(i.n_kept), (ull)i.kept_bytes);
	for (k = 0; k < i.n_profiles; k++) {
		PX_AUTOFREE char *text = px_clean(i.profile[k].text);

		printf("%12llu %-7s %14llu bytes  %s\n",
		       (ull)i.profile[k].n_blobs,
		       i.profile[k].n_blobs == 1 ? "module" : "modules",
		       (ull)i.profile[k].bytes, text ? text : "?");
	}
	return 0;
}

/* `what` was removed, in words behind its number. */
static void tell_forgotten(const struct job *job, uint64_t n, uint64_t bytes,
			   const char *what)
{
	if (job->o->json)
		printf("{\"version\": 1, \"forgotten\": %llu, \"bytes\": "
		       "%llu}\n",
		       (ull)n, (ull)bytes);
	else
		printf("%llu %s removed, %llu bytes\n", (ull)n, what,
		       (ull)bytes);
}

static int do_clear(const struct job *job, struct px_cache *cache)
{
	char what[64];
	uint64_t n, bytes;
	int r;

	if (!job->o->by)
		return px_cache_clear(cache);
	r = px_cache_clear_by(cache, job->o->by, &n, &bytes);
	if (r < 0)
		return r;
	snprintf(what, sizeof(what), "module%s signed by %s", PX_S(n),
		 job->o->by);
	tell_forgotten(job, n, bytes, what);
	return 0;
}

static int do_gc(const struct job *job, struct px_cache *cache)
{
	const struct px_opt *o = job->o;
	uint64_t n, bytes;
	int r = px_cache_gc(cache, o->max_age,
			    o->max_size ? o->max_size : UINT64_MAX, &n, &bytes);

	if (r == 0)
		tell_forgotten(job, n, bytes, n == 1 ? "entry" : "entries");
	return r;
}

static int do_compact(const struct job *job, struct px_cache *cache)
{
	uint64_t before, after;
	int r = px_cache_compact(cache, &before, &after);

	if (r == 0 && job->o->json)
		printf("{\"version\": 1, \"disk_bytes_before\": %llu, "
		       "\"disk_bytes\": %llu}\n",
		       (ull)before, (ull)after);
	else if (r == 0)
		printf("%llu bytes on disk, %llu before\n", (ull)after,
		       (ull)before);
	return r;
}

/* Returns 0, 1 if something was damaged, or -errno. */
static int do_verify(const struct job *job, struct px_cache *cache)
{
	uint64_t n, damaged;
	int r = px_cache_verify(cache, &n, &damaged);

	if (r == 0 && job->o->json)
		printf("{\"version\": 1, \"checked\": %llu, \"damaged\": "
		       "%llu}\n",
		       (ull)n, (ull)damaged);
	else if (r == 0)
		printf("%llu %s checked, %llu damaged and removed\n", (ull)n,
		       n == 1 ? "entry" : "entries", (ull)damaged);
	return r == 0 ? damaged > 0 : r;
}

static const struct {
	const char *name;
	int (*act)(const struct job *job, struct px_cache *cache);
} acts[] = {
	{"stat", do_stat},     {"clear", do_clear},	{"gc", do_gc},
	{"verify", do_verify}, {"compact", do_compact},
};

static int work(void *arg, PX_UNUSED int signal_fd)
{
	const struct job *job = arg;
	struct px_stats stats = {0};
	const struct px_cache_options options = {
		.dir = job->dir,
		.max_bytes = job->o->cache_size,
		.stats = &stats,
	};
	struct px_cache *cache;
	struct px_why why;
	sigset_t none;
	int r;

	/* Let a signal kill this process at once. The database is consistent at
	 * any moment, and a user who interrupts a long `verify` does not want
	 * to wait for it. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = px_cache_open(&options, &cache, &why);
	if (r == -EADDRINUSE)
		return PX_EXIT_PID_TAKEN;
	if (r < 0)
		return px_fail(PX_EXIT_FAILED, &why);
	px_engine_tell_rebuilt(cache, job->dir);
	r = job->act(job, cache);
	px_cache_close(cache);
	if (r < 0)
		px_log_errno(r, "cache %s in %s", job->o->args[0], job->dir);
	if (fflush(stdout) != 0) {
		px_log_errno(-errno, "stdout");
		r = -EIO;
	}
	return r == 0 ? 0 : PX_EXIT_FAILED;
}

/* What has arguments of its own. */
struct share {
	const char *name;
	int (*act)(struct px_opt *o);
	int n_args;
	const char *arguments;
};

static const struct share shares[] = {
	{"keygen", px_share_keygen, 3, "NAME FILE"},
	{"push", px_share_push, 2, "SOURCE"},
	{"pull", px_share_pull, 2, "SOURCE"},
	{"remote", px_share_probe, 1, ""},
};

static int run_share(const struct share *s, struct px_opt *o)
{
	struct px_why why;

	if (o->n_args == s->n_args)
		return s->act(o);
	px_because(&why, 0, "%s argument: pycfs cache %s %s",
		   o->n_args < s->n_args ? "missing" : "unexpected", s->name,
		   s->arguments);
	return px_fail(PX_EXIT_USAGE, &why);
}

int px_cmd_cache(struct px_opt *o)
{
	struct job job = {.o = o};
	PX_AUTOFREE char *dir = NULL;
	struct px_why why;
	struct stat st;
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(shares); i++)
		if (strcmp(o->args[0], shares[i].name) == 0)
			return run_share(&shares[i], o);
	for (i = 0; i < PX_ARRAY_LEN(acts); i++)
		if (strcmp(o->args[0], acts[i].name) == 0)
			job.act = acts[i].act;
	if (!job.act) {
		px_because(&why, 0,
			   "unknown 'pycfs cache %s': stat, clear, gc, verify, "
			   "compact, keygen, push, pull or remote",
			   o->args[0]);
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (o->n_args > 1) {
		px_because(&why, 0, "unexpected argument '%s': pycfs cache %s",
			   o->args[1], o->args[0]);
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (job.act == do_gc && o->max_age == UINT_MAX && o->max_size == 0) {
		px_because(&why, 0, "cache gc needs --max-age or --max-size");
		return px_fail(PX_EXIT_USAGE, &why);
	}
	if (px_engine_cache_dir(o, &dir) < 0) {
		px_because(&why, 0,
			   "no directory for a cache: set HOME, or use --cache "
			   "DIR");
		return px_fail(PX_EXIT_FAILED, &why);
	}
	if (stat(dir, &st) < 0 && errno == ENOENT) {
		px_because(&why, 0, "there is no cache in %s yet", dir);
		return px_fail(PX_EXIT_FAILED, &why);
	}
	job.dir = dir;
	return px_run_in_child(
		work, &job, "the cache is damaged beyond reading: remove it");
}
