/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_LOOK_H
#define PX_CACHE_LOOK_H
/*
 * Rows as a reading transaction sees them, found without LMDB (find.h).
 * The transaction only keeps the pages it sees from being used again.
 *
 * Threads: any.
 */

#include "db.h"
#include "find.h"
#include "row.h"

struct px_snapshot {
	uint64_t txnid;
	struct px_pages file;
	struct px_pages_table table[PX_N_TABLES];
};

/* What all lookups in one database share. */
struct px_looks {
	struct px_db *db;	     /* borrowed */
	struct px_page_cache *pages; /* NULL: no memory, and does without */
	pthread_mutex_t lock;
	/* under lock: */
	bool has_last;
	struct px_snapshot last; /* most lookups see the same transaction */
};

void px_looks_init(struct px_looks *ls, struct px_db *db);
void px_looks_fini(struct px_looks *ls);

struct px_look {
	MDB_txn *txn;
	struct px_snapshot seen;
};

/* Errors as px_db_hold; -EAGAIN: others commit all the time; -EUCLEAN. */
int px_look_begin(struct px_looks *ls, struct px_look *ret);
void px_look_end(struct px_looks *ls, struct px_look *l);

/* -ENOENT, also if its form is wrong; -EUCLEAN: the database is damaged;
 * -ENOMEM. */
int px_look_index(const struct px_look *l, const uint8_t index[PX_DIGEST_SIZE],
		  struct px_cache_entry *ret);
/* The same, but -EUCLEAN if its form is wrong. */
int px_look_used(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret);
/* As px_table_get_blob. */
int px_look_blob(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *used, struct px_blob **ret);

#endif
