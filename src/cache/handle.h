/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_HANDLE_H
#define PX_CACHE_HANDLE_H
/*
 * struct px_cache: the parts of the cache, put together. Only the three files
 * that implement cache.h include this header:
 *
 *   cache.c      get, put, flush
 *   admin.c      info, gc, verify, compact, clear
 *   lifecycle.c  open, seed, close
 *
 * The parts, from the ground up. Each may use those named before it:
 *
 *   mdb      LMDB's codes and values
 *   tuning   sizes and delays, which tests change
 *   row      rows as bytes
 *   counts   the caller's counters, and sums for the database
 *   page     one page of LMDB's file
 *   pages    the check of all pages, before LMDB reads them
 *   dir      the directories, and who may write there
 *   bus      where the map lies, and pages of it that cannot be read
 *   trap     lookups that outlive damage
 *   readers  reading transactions, begun in advance
 *   db       environment, tables and transactions
 *   table    rows and numbers in a transaction
 *   pending  blobs and index entries in memory, queued or not stored
 *   evict    the bound of the database, kept by deleting old rows
 *   store    one batch, written in one transaction
 *   writer   the queue, and the thread that commits batches
 *   seed     a second cache, which is only read
 *   shelf    files beside the database
 *
 * Locks are taken in this order: the map lock (db.h), LMDB's writer
 * mutex, the writer's lock. While one of the others is held (of the counts,
 * readers), no further lock is taken.
 */

#include "seed.h"
#include "shelf.h"
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
	struct px_shelf shelf;
};

/* Reads a blob from the database and checks it, without marking it as used. 0;
 * -ENOENT: it is not there; -EBADMSG: it was damaged and will be dropped;
 * -EUCLEAN: so was the database, which is disabled now; -ESHUTDOWN: it was
 * disabled before; -ENOMEM; errors as px_db_begin. */
int px_cache_check_stored(struct px_cache *c,
			  const uint8_t key[PX_DIGEST_SIZE]);

#endif
