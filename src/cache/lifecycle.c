/* SPDX-License-Identifier: MIT */
#include "lifecycle.h"

#include "dir.h"
#include "handle.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Virtual address space only: without MDB_WRITEMAP the file is as large as
 * what is in it. All processes ask for the same size, so that those with
 * different bounds agree; the bound is kept by counting and evicting.
 */
#define MAP_BYTES      (UINT64_C(64) << 30)
#define MAP_MAX_32BIT  (UINT64_C(1) << 29)

#define UNSTORED_BYTES (UINT64_C(64) << 20)
#define PENDING_BYTES  (UINT64_C(128) << 20)
#define DELAY_MS       500
#define GIVE_UP_MS     5000

/* Opens the database in the directory open as `fd`, which is "dir/sub". LMDB is
 * given a path through the descriptor, so that it opens the directory that was
 * checked even if somebody renames a parent meanwhile. */
static int open_db_at(struct px_cache *c, int fd, const char *dir,
		      const char *sub)
{
	char path[PATH_MAX];
	const struct px_db_options o = {
		.dir_fd = c->dir_fd,
		.sub_fd = c->sub_fd,
		.temporary = c->dir_fd < 0,
		.tuning = &c->tuning,
		.counts = &c->counts,
	};
	struct stat st;
	int n = snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int r;

	if (stat(path, &st) < 0) /* no /proc here */
		n = snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	r = px_cache_dir_lock_file(fd);
	return r < 0 ? r : px_db_open(path, &o, &c->db);
}

static int open_sub(struct px_cache *c, const char *dir, struct px_why *why)
{
	int r = px_cache_dir_sub(c->dir_fd, dir, &c->sub_fd, why);

	if (r < 0)
		return r;
	r = open_db_at(c, c->sub_fd, dir, PX_CACHE_SUBDIR);
	if (r == -EADDRINUSE)
		return px_because(
			why, r,
			"the cache %s is in use by a process that has our PID "
			"%d in another PID namespace, and LMDB tells readers "
			"apart by PID: start again under another PID, or use "
			"another cache (--cache DIR) or none (--no-cache)",
			dir, getpid());
	if (r == -ETIMEDOUT)
		return px_because(
			why, r,
			"the cache %s cannot be opened: a process that uses it "
			"is stopped, or wrote over " PX_CACHE_SUBDIR
			"/" PX_CACHE_LOCK
			", which you can delete when no pycfs runs",
			dir);
	if (r < 0)
		return px_because(why, r,
				  "cannot open the cache %s: %s; use another "
				  "one (--cache DIR) or none (--no-cache)",
				  dir, strerror(-r));
	return 0;
}

static int open_persistent(struct px_cache *c, const char *dir,
			   struct px_why *why)
{
	int r = px_cache_dir_open(dir, &c->dir_fd, why);

	if (r < 0)
		return r;
	px_cache_dir_acquire(c->dir_fd);
	r = open_sub(c, dir, why);
	if (r == -EUCLEAN || r == -EPROTONOSUPPORT) {
		px_counts_add(&c->counts, PX_COUNT_cache_errors, 1);
		if (c->sub_fd >= 0)
			close(px_steal_fd(&c->sub_fd));
		px_cache_dir_discard(c->dir_fd, -1);
		c->rebuilt = r;
		r = open_sub(c, dir, why);
	}
	px_cache_dir_release(c->dir_fd);
	return r;
}

static int open_temporary(struct px_cache *c, struct px_why *why)
{
	PX_AUTOCLOSE int fd = -1;
	const char *parent = getenv("TMPDIR");
	char path[PATH_MAX];
	int n;
	int r;

	if (!parent || !parent[0])
		parent = "/tmp";
	n = snprintf(path, sizeof(path), "%s/pycfs-XXXXXX", parent);
	if (n < 0 || (size_t)n >= sizeof(path))
		return px_because(why, -ENAMETOOLONG, "TMPDIR is too long");
	if (!mkdtemp(path))
		return px_because(why, -errno,
				  "cannot make a temporary cache in %s: %s; "
				  "set TMPDIR",
				  parent, strerror(errno));
	r = px_cache_dir_check_ways(path, "set TMPDIR", why);
	if (r == 0)
		r = px_cache_dir_private(path, &fd, why);
	if (r < 0) {
		rmdir(path);
		return r;
	}
	r = open_db_at(c, fd, path, "");
	/* The files have no names from now on, and vanish once closed. */
	px_cache_dir_empty(fd);
	rmdir(path);
	if (r < 0)
		return px_because(why, r,
				  "cannot open a temporary cache in %s: %s; "
				  "set TMPDIR",
				  parent, strerror(-r));
	return 0;
}

static void set_tuning(struct px_cache_tuning *t,
		       const struct px_cache_tuning *given)
{
	if (given)
		*t = *given;
	if (!t->map_bytes)
		t->map_bytes = sizeof(size_t) > 4 ? MAP_BYTES : MAP_MAX_32BIT;
	if (!t->unstored_bytes)
		t->unstored_bytes = UNSTORED_BYTES;
	if (!t->pending_bytes)
		t->pending_bytes = PENDING_BYTES;
	if (!t->delay_ms)
		t->delay_ms = DELAY_MS;
	if (!t->give_up_ms)
		t->give_up_ms = GIVE_UP_MS;
}

/* Everything but the writer, which has stopped or never ran. */
static void free_cache(struct px_cache *c)
{
	px_db_close(c->db);
	if (c->sub_fd >= 0)
		close(c->sub_fd);
	px_db_close(c->seed);
	px_shelf_close(&c->shelf);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	px_counts_fini(&c->counts);
	free(c);
}

static int start_writer(struct px_cache *c, struct px_why *why)
{
	const struct px_store store = {
		.db = c->db,
		.counts = &c->counts,
		.tuning = &c->tuning,
		.max_bytes = c->max_bytes,
	};
	int r = px_writer_start(&store, &c->writer);

	if (r < 0)
		px_because(why, r, "cannot start the cache: %s", strerror(-r));
	return r;
}

int px_cache_open_tuned(const struct px_cache_options *o,
			const struct px_cache_tuning *tuning,
			struct px_cache **ret, struct px_why *why)
{
	struct px_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return px_because(why, -ENOMEM, "no memory for the cache");
	c->dir_fd = -1;
	c->sub_fd = -1;
	c->max_bytes = o->max_bytes;
	px_counts_init(&c->counts, o->stats);
	set_tuning(&c->tuning, tuning);
	r = o->dir ? open_persistent(c, o->dir, why) : open_temporary(c, why);
	px_shelf_open(&c->shelf, c->dir_fd, c->max_bytes);
	if (r == 0)
		r = start_writer(c, why);
	if (r < 0) {
		free_cache(c);
		return r;
	}
	*ret = c;
	return 0;
}

int px_cache_open(const struct px_cache_options *o, struct px_cache **ret,
		  struct px_why *why)
{
	return px_cache_open_tuned(o, NULL, ret, why);
}

int px_cache_seed(struct px_cache *c, const char *dir, struct px_why *why)
{
	return px_seed_open(dir, &c->tuning, &c->counts, &c->seed, why);
}

void px_cache_close(struct px_cache *c)
{
	/* If the writer cannot be stopped, nothing may be freed or unmapped
	 * under it. The process is about to end, which frees all of it; what
	 * was queued is lost, as after a kill. */
	if (c && px_writer_stop(c->writer))
		free_cache(c);
}
