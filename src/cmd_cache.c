/* SPDX-License-Identifier: MIT */
#include "pycfs/cache.h"
#include "pycfs/cmd.h"
#include "pycfs/log.h"
#include "pycfs/engine.h"

#include <stdio.h>
#include <sys/stat.h>

static void print_info(const char *dir, const struct px_cache_info *i,
		       bool json)
{
	const unsigned long long n[] = {
		i->n_blobs - i->n_rejected,
		i->n_rejected,
		i->n_index,
		i->blob_bytes,
		i->file_bytes,
	};

	if (json)
		printf("{\"version\": 1, \"modules\": %llu, \"rejected\": "
		       "%llu, \"files\": %llu, \"bytes\": %llu, "
		       "\"disk_bytes\": %llu}\n",
		       n[0], n[1], n[2], n[3], n[4]);
	else
		printf("%s\n%llu modules, %llu rejected, known under %llu "
		       "files\n%llu bytes, %llu on disk\n",
		       dir, n[0], n[1], n[2], n[3], n[4]);
}

struct job {
	const struct px_opt *o;
	const char *dir;
	bool clear;
};

static int work(void *arg, PX_UNUSED int signal_fd)
{
	const struct job *job = arg;
	const char *dir = job->dir;
	const bool clear = job->clear;
	struct px_stats stats = {0};
	const struct px_cache_options options = {
		.dir = dir,
		.max_bytes = job->o->cache_size,
		.stats = &stats,
	};
	struct px_cache_info info;
	struct px_cache *cache;
	struct px_why why;
	int r;

	r = px_cache_open(&options, &cache, &why);
	if (r == -EADDRINUSE)
		return PX_EXIT_PID_TAKEN;
	if (r < 0)
		return px_cmd_fail(PX_EXIT_FAILED, &why);
	r = clear ? px_cache_clear(cache) : px_cache_info(cache, &info);
	px_cache_close(cache);
	if (r < 0) {
		px_log_errno(r, "cannot %s the cache in %s",
			     clear ? "empty" : "read", dir);
		return PX_EXIT_FAILED;
	}
	if (!clear)
		print_info(dir, &info, job->o->json);
	return 0;
}

int px_cmd_cache(struct px_opt *o)
{
	const bool clear = strcmp(o->args[0], "clear") == 0;
	PX_AUTOFREE char *dir = NULL;
	struct px_why why;
	struct stat st;

	if (!clear && strcmp(o->args[0], "stat") != 0) {
		px_because(&why, 0, "unknown 'pycfs cache %s': stat or clear",
			   o->args[0]);
		return px_cmd_fail(PX_EXIT_USAGE, &why);
	}
	if (px_engine_cache_dir(o, &dir) < 0) {
		px_because(&why, 0, "no place for a cache: say --cache DIR");
		return px_cmd_fail(PX_EXIT_FAILED, &why);
	}
	if (stat(dir, &st) < 0 && errno == ENOENT) {
		px_because(&why, 0, "there is no cache in %s yet", dir);
		return px_cmd_fail(PX_EXIT_FAILED, &why);
	}
	return px_cmd_fork(work, &(struct job){o, dir, clear},
			   "the cache is damaged beyond reading: remove it");
}
