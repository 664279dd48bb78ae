/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_HANDLE_H
#define PX_CACHE_HANDLE_H
/*
 * struct px_cache: the parts of the cache, put together. Only the three files
 * that implement cache.h include this header:
 *
 *   cache.c            get, put, flush
 *   admin.c      info, gc, verify, clear
 *   lifecycle.c  open, seed, close
 *
 * The parts, from the ground up. Each may use those named before it:
 *
 *   cache_lmdb     LMDB's codes and values
 *   cache_tuning   sizes and delays, which tests change
 *   cache_row      rows as bytes
 *   cache_counts   the caller's counters, and sums for the database
 *   cache_page     one page of LMDB's file
 *   cache_pages    the check of all pages, before LMDB reads them
 *   cache_dir      the directories, and who may write there
 *   cache_bus      where the map lies, and pages of it that cannot be read
 *   cache_trap     lookups that outlive LMDB's assertions
 *   cache_readers  reading transactions, begun in advance
 *   cache_db       environment, tables and transactions
 *   cache_table    rows and numbers in a transaction
 *   cache_pending  blobs and index entries in memory, queued or not stored
 *   cache_evict    the bound of the database, kept by deleting old rows
 *   cache_store    one batch, written in one transaction
 *   cache_writer   the queue, and the thread that commits batches
 *   cache_seed     a second cache, which is only read
 *
 * Locks are taken in this order: the map lock (db.h), LMDB's writer
 * mutex, the writer's lock. While one of the others is held (of the counts,
 * readers), no further lock is taken.
 */

#include "seed.h"
#include "writer.h"

struct px_cache {
	int dir_fd; /* DIR; -1: a temporary cache */
	int sub_fd; /* DIR/PX_CACHE_SUBDIR; -1: a temporary cache */
	uint64_t max_bytes;
	int rebuilt; /* as px_cache_was_rebuilt */
	struct px_cache_tuning tuning;
	struct px_counts counts;
	struct px_db *db;
	struct px_writer *writer;
	struct px_db *seed; /* only read; NULL: none */
};

/* Reads a blob from the database and checks it, without marking it as used. 0;
 * -ENOENT: it is not there; -EBADMSG: it was damaged and will be dropped;
 * -EUCLEAN: so was the database, which is disabled now; -ESHUTDOWN: it was
 * disabled before; -ENOMEM; errors as px_db_begin. */
int px_cache_check_stored(struct px_cache *c,
			  const uint8_t key[PX_DIGEST_SIZE]);

#endif
