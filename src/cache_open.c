/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Virtual address space only: without MDB_WRITEMAP the file is as large as
 * what is in it. One large figure, so that processes with different bounds
 * agree; the bound is kept by accounting and eviction.
 */
#define MAP_BYTES     (UINT64_C(64) << 30)
#define MAP_MIN_BYTES (UINT64_C(16) << 20)
#define MAP_MAX_32BIT (UINT64_C(1) << 29)

#define MAX_READERS   1024 /* threads that read at once, of all processes */

#define KEPT_BYTES    (UINT64_C(64) << 20)
#define PENDING_BYTES (UINT64_C(128) << 20)
#define DELAY_MS      500
#define GIVE_UP_MS    5000

/* Transactions begun until one is checked before two commits have passed. */
#define CHECK_TRIES 5

/*
 * MDB_NOMETASYNC: one fdatasync less per commit; a power cut may undo the
 * last batch but never breaks the database. MDB_NOSYNC could, and LMDB has no
 * checksums. No MDB_NORDAHEAD: what one batch wrote lies together in the file
 * and is read together by the next build, so reading ahead is right. No
 * MDB_WRITEMAP: a stray write would be in the file. MDB_NOTLS: a reader slot
 * belongs to a transaction, which any thread may take (cache_readers.c). A
 * temporary cache needs no disk at all.
 */
#define ENV_FLAGS	    (MDB_NOMETASYNC | MDB_NOTLS)
#define ENV_FLAGS_TEMPORARY (MDB_NOMETASYNC | MDB_NOTLS | MDB_NOSYNC)

const char *const px_table_names[PX_N_TABLES] = {
	[PX_TABLE_INDEX] = "index",
	[PX_TABLE_BLOB] = "blob",
	[PX_TABLE_USED] = "used",
	[PX_TABLE_META] = "meta",
};

/* The largest map that can be had. */
static int map_env(struct px_cache *c, const char *path, unsigned flags)
{
	uint64_t size = c->tuning.map_bytes;
	int rc;

	for (;; size /= 2) {
		rc = mdb_env_create(&c->env);
		if (rc)
			return px_cache_err(rc);
		rc = mdb_env_set_mapsize(c->env, (size_t)size);
		if (rc == 0)
			rc = mdb_env_set_maxreaders(c->env, MAX_READERS);
		if (rc == 0)
			rc = mdb_env_set_maxdbs(c->env, PX_N_TABLES);
		if (rc == 0)
			rc = mdb_env_open(c->env, path, flags, 0600);
		if (rc == 0)
			return 0;
		mdb_env_close(c->env);
		c->env = NULL;
		/* RLIMIT_AS, or too little address space. */
		if (rc != ENOMEM || size / 2 < MAP_MIN_BYTES)
			return px_cache_err(rc);
	}
}

int px_cache_remap(struct px_cache *c)
{
	uint64_t size;
	int rc;

	if (pthread_rwlock_trywrlock(&c->map_lock))
		return -EAGAIN;
	/* 0 adopts the largest size anybody used; any other is raised to what
	 * the database needs now. */
	px_bus_forget(c->bus);
	rc = mdb_env_set_mapsize(c->env, 0);
	for (size = MAP_BYTES; rc && size >= MAP_MIN_BYTES; size /= 2)
		rc = mdb_env_set_mapsize(c->env, (size_t)size);
	if (rc)
		/* The old map is gone (mdb.c 0.9.24, mdb_env_set_mapsize). */
		atomic_store(&c->broken, true);
	else
		c->bus = px_bus_watch(c->env);
	pthread_rwlock_unlock(&c->map_lock);
	return px_cache_err(rc);
}

/* A table of another kind under one of our names is damage as well. */
static int open_table(struct px_cache *c, MDB_txn *txn, int table,
		      unsigned flags)
{
	int rc =
		mdb_dbi_open(txn, px_table_names[table], flags, &c->dbi[table]);
	unsigned kind = 0;

	if (rc == 0)
		rc = mdb_dbi_flags(txn, c->dbi[table], &kind);
	if (rc == 0 && kind != 0)
		rc = MDB_INCOMPATIBLE;
	return rc == MDB_INCOMPATIBLE ? -EUCLEAN : px_cache_err(rc);
}

static int open_tables(struct px_cache *c, MDB_txn *txn, unsigned flags)
{
	int r = 0;

	for (int i = 0; r == 0 && i < PX_N_TABLES; i++)
		r = open_table(c, txn, i, flags);
	if (r == 0)
		return px_cache_commit(c, txn);
	px_cache_abort(c, txn);
	return r;
}

/* px_pages_check of what `txn` sees. */
static int check_pages(struct px_cache *c, MDB_txn *txn)
{
	struct stat st;
	int fd = -1;
	int r = px_cache_err(mdb_env_get_fd(c->env, &fd));

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size == 0 ? 0 : px_pages_check(fd, mdb_txn_id(txn));
}

/* A reading transaction on pages that were checked. */
static int begin_checked(struct px_cache *c, MDB_txn **ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < CHECK_TRIES && r == -EAGAIN; i++) {
		r = px_cache_begin(c, MDB_RDONLY, ret);
		if (r < 0)
			return r;
		r = check_pages(c, *ret);
		if (r < 0)
			px_cache_abort(c, *ret);
	}
	return r;
}

/* The first transaction is a reading one: it needs no writer mutex, which a
 * stopped process may hold. */
static int open_all_tables(struct px_cache *c)
{
	MDB_txn *txn;
	int r = begin_checked(c, &txn);

	if (r < 0)
		return r;
	r = open_tables(c, txn, 0);
	if (r != -ENOENT)
		return r;
	r = px_cache_begin(c, 0, &txn);
	if (r < 0)
		return r;
	return open_tables(c, txn, MDB_CREATE);
}

static int open_env(struct px_cache *c, const char *path, unsigned flags)
{
	MDB_stat st;
	int fd = -1;
	int r = map_env(c, path, flags);

	if (r < 0)
		return r;
	c->bus = px_bus_watch(c->env);
	/* LMDB leaves this one open across exec. */
	if (mdb_env_get_fd(c->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* This takes the lock on our PID now, when there still is somebody to
	 * tell; fcntl says it in two ways. */
	r = px_readers_open(c->env, c->tuning.give_up_ms, &c->readers);
	if (r == -EAGAIN || r == -EACCES)
		return -EADDRINUSE;
	if (r == 0)
		r = open_all_tables(c);
	if (r < 0)
		return r;
	if (mdb_env_stat(c->env, &st) == 0)
		c->kept_pages = px_kept_pages_new(st.ms_psize);
	return 0;
}

static void close_env(struct px_cache *c)
{
	px_bus_forget(c->bus);
	c->bus = -1;
	atomic_store(&c->file_bytes, 0);
	if (px_readers_close(PX_STEAL(c->readers)) && c->env)
		mdb_env_close(c->env);
	c->env = NULL;
	/* The next file's transactions may have the same numbers. */
	c->snapshot.known = false;
	px_kept_pages_free(PX_STEAL(c->kept_pages));
	if (c->sub_fd >= 0)
		close(px_steal_fd(&c->sub_fd));
}

/* open_env of the directory open as `fd`, "dir/sub". What LMDB opens is what
 * was checked, whoever renames a parent meanwhile. */
static int open_env_at(struct px_cache *c, int fd, const char *dir,
		       const char *sub, unsigned flags)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int r;

	if (stat(path, &st) < 0) /* no /proc here */
		n = snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	r = px_cache_dir_lock_file(fd);
	return r < 0 ? r : open_env(c, path, flags);
}

static int open_sub(struct px_cache *c, const char *dir, struct px_why *why)
{
	int r = px_cache_dir_sub(c->dir_fd, dir, &c->sub_fd, why);

	if (r < 0)
		return r;
	r = open_env_at(c, c->sub_fd, dir, PX_CACHE_SUBDIR, ENV_FLAGS);
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
		px_cache_count(c, PX_COUNT_cache_errors, 1);
		close_env(c);
		px_cache_dir_discard(c->dir_fd, -1);
		c->rebuilt = true;
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
	r = open_env_at(c, fd, path, "", ENV_FLAGS_TEMPORARY);
	/* The files live on without names as long as they are open. */
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
	if (!t->kept_bytes)
		t->kept_bytes = KEPT_BYTES;
	if (!t->pending_bytes)
		t->pending_bytes = PENDING_BYTES;
	if (!t->delay_ms)
		t->delay_ms = DELAY_MS;
	if (!t->give_up_ms)
		t->give_up_ms = GIVE_UP_MS;
}

/* Locks that cannot fail to initialise on Linux but for want of memory, which
 * these take none of (glibc 2.36). */
static void init_locks(struct px_cache *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_cond_init(&c->done, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&c->lock, NULL);
	pthread_rwlock_init(&c->map_lock, NULL);
}

static void free_cache(struct px_cache *c)
{
	close_env(c);
	px_seed_close(c->seed);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	px_pending_fini(&c->pending);
	pthread_rwlock_destroy(&c->map_lock);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->wake);
	free(c);
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
	c->bus = -1;
	c->max_bytes = o->max_bytes;
	c->stats = o->stats;
	atomic_init(&c->broken, false);
	set_tuning(&c->tuning, tuning);
	init_locks(c);
	r = o->dir ? open_persistent(c, o->dir, why) : open_temporary(c, why);
	if (r == 0) {
		r = px_pending_init(&c->pending, c->tuning.kept_bytes);
		if (r == 0)
			r = px_writer_start(c);
		if (r < 0)
			px_because(why, r, "cannot start the cache: %s",
				   strerror(-r));
	}
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

void px_cache_close(struct px_cache *c)
{
	if (!c)
		return;
	/*
	 * If the writer is stuck (another process holds LMDB's writer mutex
	 * and is stopped, or the disk does not answer) nothing may be freed or
	 * unmapped under it. The process is about to end, which frees all of
	 * this better than we can; what was queued is lost, as after a kill.
	 */
	if (c->has_thread && !px_writer_stop(c))
		return;
	free_cache(c);
}
