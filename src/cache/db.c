/* SPDX-License-Identifier: MIT */
#include "db.h"

#include "bus.h"
#include "dir.h"
#include "pages.h"
#include "readers.h"
#include "trap.h"

#include "pycfs/io.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The first size tried when another process has enlarged the map. */
#define MAP_MAX_BYTES (UINT64_C(64) << 30)
#define MAP_MIN_BYTES (UINT64_C(16) << 20)

#define MAX_READERS   1024 /* transactions at once, of all processes */

/* How often a transaction is begun anew because two commits were made while its
 * pages were checked. */
#define CHECK_TRIES 5

/*
 * MDB_NOMETASYNC: one fdatasync less per commit; a power cut may undo the last
 * batch but never breaks the database. MDB_NOSYNC could break it, and LMDB has
 * no checksums; only a temporary cache, which needs no disk at all, gets it. No
 * MDB_NORDAHEAD: what one batch wrote lies together in the file and is read
 * together by the next build, so that reading ahead pays. No MDB_WRITEMAP: a
 * stray write in this process would get into the file. MDB_NOTLS: a reader slot
 * belongs to a transaction, which any thread may use (readers.h).
 */
#define ENV_FLAGS	    (MDB_NOMETASYNC | MDB_NOTLS)
#define ENV_FLAGS_TEMPORARY (ENV_FLAGS | MDB_NOSYNC)

/* Without a lock file nobody knows of our readers, and a writer may use the
 * pages again that they see. What they read then is found wrong or missing. */
#define ENV_FLAGS_READ_ONLY (MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR | MDB_NOTLS)

/* How long to wait before a file that somebody may be writing is checked once
 * more. */
#define CHECK_STEP_US 5000

/* The checks before writing take at most this part of the time. */
#define CHECK_SHARE 50

const char *const px_table_names[PX_N_TABLES] = {
	[PX_TABLE_INDEX] = "index",
	[PX_TABLE_BLOB] = "blob",
	[PX_TABLE_USED] = "used",
	[PX_TABLE_META] = "meta",
};

struct px_db {
	struct px_db_options o;
	MDB_env *env;
	MDB_dbi dbi[PX_N_TABLES];
	struct px_readers *readers;
	int bus;		     /* px_bus_watch's slot, or -1 */
	_Atomic uint64_t file_bytes; /* the greatest length seen */
	atomic_bool disabled;
	pthread_rwlock_t map_lock;
	/* Under LMDB's writer mutex: until then, as px_now_ms, what is there is
	 * written to unchecked. */
	int64_t checked_until_ms;
};

bool px_db_is_disabled(const struct px_db *db)
{
	return atomic_load(&db->disabled);
}

int px_db_failed(struct px_db *db, int r)
{
	px_counts_add(db->o.counts, PX_COUNT_cache_errors, 1);
	if (r != -EUCLEAN || atomic_exchange(&db->disabled, true))
		return r;
	/* LMDB could read and write anything now. No process shall open these
	 * files again; those that have them open keep them. */
	if (db->o.dir_fd >= 0)
		px_cache_dir_discard(db->o.dir_fd, db->o.sub_fd);
	return r;
}

MDB_dbi px_db_table(const struct px_db *db, enum px_cache_table table)
{
	return db->dbi[table];
}

int px_db_file(const struct px_db *db, int *ret_fd, size_t *ret_page_size)
{
	MDB_stat st;
	int rc = mdb_env_get_fd(db->env, ret_fd);

	if (rc == 0)
		rc = mdb_env_stat(db->env, &st);
	if (rc == 0)
		*ret_page_size = st.ms_psize;
	return px_lmdb_err(rc);
}

uint64_t px_db_map_bytes(const struct px_db *db)
{
	MDB_envinfo info;

	return mdb_env_info(db->env, &info) == 0 ? info.me_mapsize : 0;
}

/* ------------------------------------------------------------ transactions */

/* LMDB's file never gets shorter, so one that did was cut by somebody else. Cut
 * within a page, it reads as zeros from there to the page's end, and LMDB
 * aborts if a table's root is page 0. */
static bool is_cut(struct px_db *db)
{
	struct stat st;
	uint64_t size, was = atomic_load(&db->file_bytes);
	int fd;

	if (mdb_env_get_fd(db->env, &fd) || fstat(fd, &st) < 0)
		return true;
	size = (uint64_t)st.st_size;
	while (size > was)
		if (atomic_compare_exchange_weak(&db->file_bytes, &was, size))
			return false;
	return size < was;
}

/* Adopts the size of a map that another process has made larger. -errno. */
static int remap(struct px_db *db)
{
	uint64_t size;
	int rc;

	if (pthread_rwlock_trywrlock(&db->map_lock))
		return -EAGAIN;
	/* 0 stands for the largest size that any process used; any other size
	 * is raised to what the database needs now. */
	px_bus_unwatch(db->bus);
	rc = mdb_env_set_mapsize(db->env, 0);
	for (size = MAP_MAX_BYTES; rc && size >= MAP_MIN_BYTES; size /= 2)
		rc = mdb_env_set_mapsize(db->env, (size_t)size);
	if (rc)
		/* The old map is gone (mdb.c 0.9.24, mdb_env_set_mapsize). */
		atomic_store(&db->disabled, true);
	else
		db->bus = px_bus_watch(db->env);
	pthread_rwlock_unlock(&db->map_lock);
	return px_lmdb_err(rc);
}

/* Without the map lock. */
static void end_txn(struct px_db *db, MDB_txn *txn)
{
	if (!px_readers_put(db->readers, txn))
		mdb_txn_abort(txn);
}

static int hold(struct px_db *db, unsigned flags, MDB_txn **ret)
{
	int rc = 0;

	for (int try = 0; try < 2; try++) {
		if (atomic_load(&db->disabled))
			return -ESHUTDOWN;
		pthread_rwlock_rdlock(&db->map_lock);
		rc = flags & MDB_RDONLY
			     ? px_readers_take(db->readers, ret)
			     : mdb_txn_begin(db->env, NULL, flags, ret);
		/* The page that could not be read may be a meta page. */
		if (rc == 0 && px_bus_hit(db->bus)) {
			end_txn(db, *ret);
			rc = MDB_CORRUPTED;
		}
		if (rc == 0)
			return 0;
		pthread_rwlock_unlock(&db->map_lock);
		if (rc != MDB_MAP_RESIZED || remap(db) < 0)
			break;
	}
	return px_lmdb_err(rc);
}

/* Checks the pages that `txn`, which is about to write, builds upon. A lookup
 * that a damaged page leads astray finds nothing, and so what it should have
 * found is compiled and put once more: into that page. There LMDB ends the
 * process, or writes over what is in use. */
static int check_before_writing(struct px_db *db, MDB_txn *txn)
{
	const int64_t began = px_now_ms();
	int64_t took;
	int fd, r;

	if (began < db->checked_until_ms)
		return 0;
	r = px_lmdb_err(mdb_env_get_fd(db->env, &fd));
	if (r == 0)
		r = px_pages_check(fd, mdb_txn_id(txn) - 1);
	took = px_now_ms() - began;
	db->checked_until_ms = began + took * CHECK_SHARE;
	/* As nobody else can commit now, the number must be there. */
	return r == -EAGAIN ? -EUCLEAN : r;
}

int px_db_begin(struct px_db *db, unsigned flags, MDB_txn **ret)
{
	int r;

	if (!atomic_load(&db->disabled) && is_cut(db))
		return -EUCLEAN;
	r = hold(db, flags, ret);
	if (r < 0 || flags & MDB_RDONLY)
		return r;
	r = check_before_writing(db, *ret);
	if (r < 0)
		px_db_abort(db, *ret);
	return r;
}

void px_db_abort(struct px_db *db, MDB_txn *txn)
{
	end_txn(db, txn);
	pthread_rwlock_unlock(&db->map_lock);
}

/*
 * A page that a transaction takes at the end of the file and frees again is
 * counted by the meta page but never written (mdb.c 0.9.24, mdb_page_flush
 * skips P_LOOSE), so the file may end before it. The next open would take a
 * file that is shorter than its meta page says for one that was cut; so it is
 * made long enough here. fallocate never shortens a file and never changes a
 * byte, whatever another process has written by now.
 */
static void complete_file(struct px_db *db)
{
	MDB_envinfo info;
	struct stat st;
	MDB_stat s;
	off_t want;
	int fd;

	if (mdb_env_info(db->env, &info) || mdb_env_stat(db->env, &s) ||
	    mdb_env_get_fd(db->env, &fd) || fstat(fd, &st) < 0)
		return;
	want = (off_t)(info.me_last_pgno + 1) * (off_t)s.ms_psize;
	if (st.st_size < want && fallocate(fd, 0, want - 1, 1) < 0)
		px_counts_add(db->o.counts, PX_COUNT_cache_errors, 1);
}

int px_db_commit(struct px_db *db, MDB_txn *txn)
{
	int rc;

	px_readers_remove(db->readers, txn);
	rc = mdb_txn_commit(txn);
	if (rc == 0 && !db->o.read_only)
		complete_file(db);
	px_bus_drop_pages(db->bus);
	pthread_rwlock_unlock(&db->map_lock);
	return px_lmdb_err(rc);
}

/* -------------------------------------------------------------------- rows */

int px_db_get(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
	      const void *key, size_t size, MDB_val *ret)
{
	MDB_val k = px_val(key, size);

	return px_lmdb_err(px_trap_get(txn, db->dbi[table], &k, ret));
}

int px_db_read(struct px_db *db, const MDB_val *v, void *begin, size_t n,
	       void *rest)
{
	const int64_t at = px_bus_offset(db->bus, v->mv_data);
	int fd, r;

	if (at < 0) { /* written by this transaction, or there is no /proc */
		memcpy(begin, v->mv_data, n);
		memcpy(rest, (const uint8_t *)v->mv_data + n, v->mv_size - n);
		return 0;
	}
	r = px_lmdb_err(mdb_env_get_fd(db->env, &fd));
	if (r == 0)
		r = px_pread2(fd, begin, n, rest, v->mv_size - n, at);
	return r < 0 ? -EUCLEAN : 0;
}

int px_db_copy(struct px_db *db, int fd)
{
	int rc;

	if (atomic_load(&db->disabled))
		return -ESHUTDOWN;
	if (is_cut(db))
		return -EUCLEAN;
	pthread_rwlock_rdlock(&db->map_lock);
	rc = mdb_env_copyfd2(db->env, fd, MDB_CP_COMPACT);
	pthread_rwlock_unlock(&db->map_lock);
	/* mdb.c 0.9.24, mdb_env_copyfd1: other pages are free than it says. */
	return rc == MDB_INCOMPATIBLE ? -EUCLEAN : px_lmdb_err(rc);
}

/* ---------------------------------------------------------- open and close */

/* Opens the environment with the largest map that can be had. */
static int map_env(struct px_db *db, const char *path)
{
	const unsigned flags = db->o.read_only	 ? ENV_FLAGS_READ_ONLY
			       : db->o.temporary ? ENV_FLAGS_TEMPORARY
						 : ENV_FLAGS;
	uint64_t size = db->o.tuning->map_bytes;
	int rc;

	for (;; size /= 2) {
		rc = mdb_env_create(&db->env);
		if (rc)
			return px_lmdb_err(rc);
		px_trap_set(db->env);
		rc = mdb_env_set_mapsize(db->env, (size_t)size);
		if (rc == 0)
			rc = mdb_env_set_maxreaders(db->env, MAX_READERS);
		if (rc == 0)
			rc = mdb_env_set_maxdbs(db->env, PX_N_TABLES);
		if (rc == 0)
			rc = mdb_env_open(db->env, path, flags, 0600);
		if (rc == 0)
			return 0;
		mdb_env_close(db->env);
		db->env = NULL;
		/* RLIMIT_AS, or too little address space. */
		if (rc != ENOMEM || size / 2 < MAP_MIN_BYTES)
			return px_lmdb_err(rc);
	}
}

static int open_table(struct px_db *db, MDB_txn *txn, int table, unsigned flags)
{
	int rc = mdb_dbi_open(txn, px_table_names[table], flags,
			      &db->dbi[table]);
	unsigned kind = 0;

	if (rc == 0)
		rc = mdb_dbi_flags(txn, db->dbi[table], &kind);
	if (rc == 0 && kind != 0)
		rc = MDB_INCOMPATIBLE;
	if (rc == 0)
		rc = px_trap_table(txn, db->dbi[table]);
	/* A table of another kind under one of our names is damage as well. */
	return rc == MDB_INCOMPATIBLE ? -EUCLEAN : px_lmdb_err(rc);
}

/* Ends the transaction. */
static int open_tables(struct px_db *db, MDB_txn *txn, unsigned flags)
{
	MDB_dbi names; /* the table of the tables' names */
	int rc = mdb_dbi_open(txn, NULL, 0, &names);
	int r;

	if (rc == 0)
		rc = px_trap_table(txn, names);
	r = px_lmdb_err(rc);
	for (int i = 0; r == 0 && i < PX_N_TABLES; i++)
		r = open_table(db, txn, i, flags);
	if (r == 0)
		return px_db_commit(db, txn);
	px_db_abort(db, txn);
	return r;
}

/* px_pages_check of what `txn` sees. */
static int check_pages(struct px_db *db, MDB_txn *txn)
{
	struct stat st;
	int fd = -1;
	int r = px_lmdb_err(mdb_env_get_fd(db->env, &fd));

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	return db->o.read_only ? px_pages_check_trees(fd, mdb_txn_id(txn))
			       : px_pages_check(fd, mdb_txn_id(txn));
}

/* Begins a reading transaction and checks all pages that it can reach. */
static int begin_checked(struct px_db *db, MDB_txn **ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < CHECK_TRIES && r == -EAGAIN; i++) {
		r = px_db_begin(db, MDB_RDONLY, ret);
		if (r < 0)
			return r;
		r = check_pages(db, *ret);
		if (r < 0)
			px_db_abort(db, *ret);
		if (r == -EUCLEAN && db->o.read_only && i < CHECK_TRIES - 1) {
			usleep(CHECK_STEP_US);
			r = -EAGAIN;
		}
	}
	return r;
}

/* Reading is tried first: it needs no writer mutex, which a stopped process may
 * hold. */
static int open_all_tables(struct px_db *db)
{
	MDB_txn *txn;
	int r = begin_checked(db, &txn);

	if (r < 0)
		return r;
	r = open_tables(db, txn, 0);
	if (r != -ENOENT || db->o.read_only)
		return r;
	r = px_db_begin(db, 0, &txn);
	if (r < 0)
		return r;
	return open_tables(db, txn, MDB_CREATE);
}

static int open_env(struct px_db *db, const char *path)
{
	int fd = -1;
	int r = map_env(db, path);

	if (r < 0)
		return r;
	db->bus = px_bus_watch(db->env);
	/* LMDB leaves this one open across exec. */
	if (mdb_env_get_fd(db->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* This is where LMDB locks our PID, for which fcntl has two errors.
	 * Done now, because whoever opens the cache can be told to fork again.
	 */
	r = px_readers_open(db->env, db->o.tuning->give_up_ms, &db->readers);
	if (r == -EAGAIN || r == -EACCES)
		return -EADDRINUSE;
	return r < 0 ? r : open_all_tables(db);
}

int px_db_open(const char *path, const struct px_db_options *o,
	       struct px_db **ret)
{
	struct px_db *db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return -ENOMEM;
	db->o = *o;
	db->bus = -1;
	atomic_init(&db->disabled, false);
	pthread_rwlock_init(&db->map_lock, NULL);
	r = open_env(db, path);
	if (r < 0)
		px_db_close(db);
	else
		*ret = db;
	return r;
}

void px_db_close(struct px_db *db)
{
	if (!db)
		return;
	px_bus_unwatch(db->bus);
	/* If a reader's transaction is still being begun, LMDB uses the
	 * environment, which then stays until the process ends. */
	if (px_readers_close(db->readers) && db->env)
		mdb_env_close(db->env);
	pthread_rwlock_destroy(&db->map_lock);
	free(db);
}
