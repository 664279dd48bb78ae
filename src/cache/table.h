/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_TABLE_H
#define PX_CACHE_TABLE_H
/*
 * Rows of the tables, read and written within a transaction of the
 * caller's. Their forms are in row.h. All return 0 or -errno, and
 * -EUCLEAN if a row has not the form it should have.
 */

#include "db.h"
#include "row.h"

/* -ENOENT, also if the row has not the form it should have: an entry that
 * cannot be read is as good as none. */
int px_table_get_index(struct px_db *db, MDB_txn *txn,
		       const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret);

/* -ENOENT. */
int px_table_get_used(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE], struct px_used *ret);
int px_table_put_used(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE],
		      const struct px_used *u);

/* The blob row of `key` and its `used` row. -ENOENT; -EBADMSG: the payload is
 * damaged; -EUCLEAN: the database is; -ENOMEM; -EIO. With NULL for `ret` the
 * blob is not read, and so not checked. */
int px_table_get_blob(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE], struct px_used *used,
		      struct px_blob **ret);

/* A number of the table `meta`; 0 if there is none of that name. */
int px_table_get_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t *ret);
int px_table_put_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t v);
int px_table_add_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t n);

/* The text of a profile, in the table `meta`. */
int px_table_put_profile(struct px_db *db, MDB_txn *txn, uint32_t id,
			 const char *text);

int px_table_count_rows(struct px_db *db, MDB_txn *txn,
			enum px_cache_table table, size_t *ret);

/* Deletes a row; 0 also if there is none. */
int px_table_delete(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
		    const uint8_t key[PX_DIGEST_SIZE]);

/* Deletes a blob: its row and its `used` row; 0 also if there is none. */
int px_table_delete_blob(struct px_db *db, MDB_txn *txn,
			 const uint8_t key[PX_DIGEST_SIZE]);

/* Deletes all rows of all tables. */
int px_table_clear_all(struct px_db *db, MDB_txn *txn);

#endif
