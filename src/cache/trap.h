/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_TRAP_H
#define PX_CACHE_TRAP_H
/*
 * Lookups that outlive damage. LMDB trusts what it reads (mdb.c 0.9.24): it
 * asserts some of it, which ends the process (mdb_assert_fail); by some it is
 * led outside of its map, which is SIGSEGV (F_DUPDATA, mp_lower); and where
 * mp_lower is less than 16 it searches one page for ever, because the middle of
 * the search overflows an int (mdb_node_search). All pages are checked when the
 * database is opened, but somebody may damage one afterwards. So a lookup that
 * comes to this is left by longjmp. mdb_get holds nothing that would have to be
 * released, in no kind of transaction: it takes no lock and no memory, and its
 * cursor is on its stack and in no list of the transaction's.
 *
 * Other functions of LMDB end the process as before: a writing one may be left
 * in no such way.
 *
 * Threads: any. The handler of SIGSEGV is the process's, and left there.
 */

#include <lmdb.h>

/* To be called before the environment is opened. */
void px_trap_set(MDB_env *env);

/* Makes LMDB compare the keys of this table with a function that notices a
 * search without end; the order is LMDB's own (mdb_cmp_memn). To be called
 * whenever the table was opened. Returns LMDB's code. */
int px_trap_table(MDB_txn *txn, MDB_dbi dbi);

/* As mdb_get, with LMDB's codes, in a table of px_trap_table's. MDB_CORRUPTED:
 * it could not go on. */
int px_trap_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret);

#endif
