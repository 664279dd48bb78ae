/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_READERS_H
#define PX_CACHE_READERS_H
/*
 * The read transactions, all of which are begun when the cache is opened and
 * then used again and again.
 *
 * To begin one, LMDB takes a mutex in its lock file, which other processes
 * share. If one of them is stopped while it holds that mutex, or somebody
 * writes over the file, that takes for ever, and no thread that a reader of the
 * mount waits for may be caught there. Renewing one takes no lock (mdb.c
 * 0.9.24, mdb_txn_renew0).
 *
 * Threads: any, but px_readers_close only when no transaction is taken.
 */

#include <lmdb.h>
#include <stdbool.h>

struct px_readers;

/* Begins the transactions; `env` was opened with MDB_NOTLS. Blocks for
 * `give_up_ms` at most. *ret is set also on some errors, and whenever it is set
 * the caller must close it.
 *   -ETIMEDOUT        `env` and *ret stay in use, perhaps for ever
 *   -EAGAIN, -EACCES  another process has our PID
 *   another -errno */
int px_readers_open(MDB_env *env, unsigned give_up_ms, struct px_readers **ret);

/* Ends the transactions and frees `rs`, which may be NULL. False: one of them
 * is still being begun, so nothing was freed and `env` must not be closed. */
bool px_readers_close(struct px_readers *rs);

/* A transaction, renewed: it sees the newest commit. Blocks until another
 * thread puts one back if all are taken. Returns LMDB's code. */
int px_readers_take(struct px_readers *rs, MDB_txn **ret);

/* Ends what the transaction sees and makes it available again. False: it is not
 * one of these, and nothing was done. */
bool px_readers_put(struct px_readers *rs, MDB_txn *txn);

/* Takes the transaction out for good, because the caller is about to commit it,
 * which frees it. Does nothing if it is not one of these. */
void px_readers_remove(struct px_readers *rs, const MDB_txn *txn);

#endif
