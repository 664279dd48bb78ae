/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_DB_H
#define PX_CACHE_DB_H
/*
 * The database: LMDB's environment, its tables, and transactions in it. What
 * the rows mean is known above (table.h).
 *
 * Each transaction holds the map lock for reading, because mdb_env_set_mapsize
 * must not run beside one. Remapping only tries to lock it for writing: a
 * writing transaction may wait for another process while it holds the lock.
 *
 * Once the database was found damaged, or its map was lost, it is disabled:
 * no transaction begins any more (-ESHUTDOWN), and the cache goes on in memory.
 *
 * Threads: any, between px_db_open and px_db_close.
 */

#include "counts.h"
#include "mdb.h"
#include "tuning.h"

enum px_cache_table {
	PX_TABLE_INDEX,
	PX_TABLE_BLOB,
	PX_TABLE_USED,
	PX_TABLE_META,
	PX_N_TABLES
};

extern const char *const px_table_names[PX_N_TABLES];

struct px_db;

/* All pointers and descriptors are borrowed until px_db_close. */
struct px_db_options {
	/* DIR and DIR/PX_CACHE_SUBDIR. The latter is deleted if the database
	 * turns out to be damaged. -1: a temporary cache. */
	int dir_fd;
	int sub_fd;
	bool temporary; /* no other process, now or later, will read it */
	/* It is never written, nor are other processes told of its readers. The
	 * path is then the data file's, and others may write to it meanwhile.
	 */
	bool read_only;
	const struct px_cache_tuning *tuning;
	struct px_counts *counts;
};

/*
 * Opens the environment in the directory `path`, checks each of its pages and
 * opens its tables, which are created if they are missing. 0, or:
 *   -ENOENT           read only, and not all tables are there
 *   -EADDRINUSE       another process has our PID, see px_cache_open
 *   -ETIMEDOUT        a lock in the lock file is held by somebody else
 *   -EUCLEAN          damaged
 *   -EPROTONOSUPPORT  another version of LMDB's format
 *   another -errno
 */
int px_db_open(const char *path, const struct px_db_options *o,
	       struct px_db **ret);

/* No transaction may be open. NULL is fine. */
void px_db_close(struct px_db *db);

bool px_db_is_disabled(const struct px_db *db);

/* Counts an error; if it is -EUCLEAN, also disables the database and deletes
 * its files. Returns r. */
int px_db_failed(struct px_db *db, int r);

/* Begins a transaction, a reading one with MDB_RDONLY in `flags`. A writing one
 * blocks as long as any process has one open, and checks all pages of all trees
 * unless that was done just now. -ESHUTDOWN: disabled; -EUCLEAN: the file was
 * cut short, or is damaged; -errno. */
int px_db_begin(struct px_db *db, unsigned flags, MDB_txn **ret);

/* Each of these ends a transaction. */
void px_db_abort(struct px_db *db, MDB_txn *txn);
int px_db_commit(struct px_db *db, MDB_txn *txn);

/* For LMDB's own functions, within a transaction. */
MDB_dbi px_db_table(const struct px_db *db, enum px_cache_table table);

/* Looks a row up, within a transaction, as long as which *ret is valid.
 * -ENOENT; -EUCLEAN: the database is damaged; -EIO. */
int px_db_get(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
	      const void *key, size_t size, MDB_val *ret);

/*
 * Copies the first `n` bytes of a row that px_db_get found to `begin` and the
 * other ones to `rest`. They are read from the file if they lie there: through
 * the map each page would cost a fault, and stay in this process together with
 * the kernel's readahead around it. -EUCLEAN: the file ends before, or cannot
 * be read.
 */
int px_db_read(struct px_db *db, const MDB_val *v, void *begin, size_t n,
	       void *rest);

/* Writes all rows, and no free pages, to the empty file `fd`, as a database of
 * its own. -EUCLEAN: this one is damaged; -errno. */
int px_db_copy(struct px_db *db, int fd);

/* The data file, whose descriptor LMDB owns, and its pages' size in bytes. */
int px_db_file(const struct px_db *db, int *ret_fd, size_t *ret_page_size);

/* The most bytes that the data file can have; 0: not known. */
uint64_t px_db_map_bytes(const struct px_db *db);

#endif
