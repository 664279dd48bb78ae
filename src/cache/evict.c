/* SPDX-License-Identifier: MIT */
#include "evict.h"

/*
 * A file has one index row for each place where it was seen (each checkout or
 * container layer has its own device, inode and times), and nothing tells when
 * such a place is gone. Past this many rows for each blob the older half is
 * deleted; one that was still needed costs the hashing of its source file.
 */
#define INDEX_ROWS_PER_BLOB 8
#define INDEX_ROWS_FREE	    16384

uint64_t px_evict_bound(const struct px_db *db, uint64_t max_bytes)
{
	const uint64_t room = px_db_map_bytes(db) / 4 * 3;

	return room < max_bytes ? room : max_bytes;
}

/* -------------------------------------------------------------- aged rows */

static int compare_age(const void *a, const void *b)
{
	const struct px_aged_row *x = a;
	const struct px_aged_row *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return memcmp(x->key, y->key, PX_DIGEST_SIZE);
}

static int compare_key(const void *key, const void *row)
{
	return memcmp(key, ((const struct px_aged_row *)row)->key,
		      PX_DIGEST_SIZE);
}

static int parse_row(enum px_cache_table table, const MDB_val *k,
		     const MDB_val *v, struct px_aged_row *ret)
{
	struct px_cache_entry e;
	struct px_used u;
	int r;

	if (k->mv_size != PX_DIGEST_SIZE)
		return -EUCLEAN;
	memcpy(ret->key, k->mv_data, PX_DIGEST_SIZE);
	ret->bytes = 0;
	if (table == PX_TABLE_INDEX)
		return px_index_decode(v, &e, &ret->day) < 0 ? -EUCLEAN : 0;
	r = px_used_decode(v, &u);
	if (r < 0)
		return r;
	ret->day = u.day;
	ret->bytes = u.bytes;
	ret->profile = u.profile;
	return 0;
}

void px_aged_rows_fini(struct px_aged_rows *rows)
{
	free(rows->row);
}

/* In the order of their keys, which is LMDB's. */
static int read_by_key(struct px_db *db, MDB_txn *txn,
		       enum px_cache_table table, struct px_aged_rows *ret)
{
	PX_AUTO(px_cursor_closep) MDB_cursor *cursor = NULL;
	size_t max = 0;
	MDB_val k;
	MDB_val v;
	int r = px_table_count_rows(db, txn, table, &max);

	if (r < 0)
		return r;
	ret->row = calloc(max + 1, sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	r = px_lmdb_err(mdb_cursor_open(txn, px_db_table(db, table), &cursor));
	if (r < 0)
		return r;
	while ((r = px_lmdb_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
	       0) {
		if (ret->n == max) /* more than the table says */
			return -EUCLEAN;
		r = parse_row(table, &k, &v, &ret->row[ret->n]);
		if (r < 0)
			return r;
		ret->n++;
	}
	return r == -ENOENT ? 0 : r;
}

int px_aged_rows_read(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
		      struct px_item *batch, struct px_aged_rows *ret)
{
	struct px_aged_row *row;
	int r = read_by_key(db, txn, table, ret);

	if (r < 0)
		return r;
	for (struct px_item *it = batch; it; it = it->next) {
		if (it->kind != PX_ITEM_BLOB)
			continue;
		row = bsearch(it->key, ret->row, ret->n, sizeof(*row),
			      compare_key);
		if (row)
			row->item = it;
	}
	qsort(ret->row, ret->n, sizeof(*ret->row), compare_age);
	return 0;
}

int px_aged_rows_evict(struct px_db *db, MDB_txn *txn,
		       struct px_aged_rows *rows, bool batch_too,
		       uint64_t target, uint64_t *total, uint64_t *ret_n)
{
	for (size_t i = 0; i<rows->n && * total> target; i++) {
		struct px_aged_row *row = &rows->row[i];
		int r;

		if (row->bytes == 0 || (row->item && !batch_too))
			continue;
		r = px_table_delete_blob(db, txn, row->key);
		if (r < 0)
			return r;
		if (row->item)
			row->item->evicted = true;
		*total -= row->bytes;
		row->bytes = 0;
		++*ret_n;
	}
	return 0;
}

/* ------------------------------------------------------------------- index */

int px_evict_sweep_index(struct px_db *db, MDB_txn *txn)
{
	PX_AUTO(px_cursor_closep) MDB_cursor *cursor = NULL;
	MDB_val k;
	MDB_val v;
	int r;

	r = px_lmdb_err(
		mdb_cursor_open(txn, px_db_table(db, PX_TABLE_INDEX), &cursor));
	if (r < 0)
		return r;
	while ((r = px_lmdb_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
	       0) {
		struct px_cache_entry e;
		struct px_used u;
		uint32_t day;

		r = px_index_decode(&v, &e, &day);
		if (r == 0)
			r = px_table_get_used(db, txn, e.key, &u);
		/* mdb.c 0.9.24: after mdb_cursor_del, MDB_NEXT gives the row
		 * that took the deleted one's place (C_DEL). */
		if (r == -ENOENT)
			r = px_lmdb_err(mdb_cursor_del(cursor, 0));
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int px_evict_prune_index(struct px_db *db, MDB_txn *txn)
{
	PX_AUTO(px_aged_rows_fini) struct px_aged_rows rows = {NULL, 0};
	size_t n_blobs = 0;
	size_t n_index = 0;
	int r = px_table_count_rows(db, txn, PX_TABLE_BLOB, &n_blobs);

	if (r == 0)
		r = px_table_count_rows(db, txn, PX_TABLE_INDEX, &n_index);
	if (r < 0 || n_index <= INDEX_ROWS_FREE + n_blobs * INDEX_ROWS_PER_BLOB)
		return r;
	r = px_aged_rows_read(db, txn, PX_TABLE_INDEX, NULL, &rows);
	for (size_t i = 0; r == 0 && i < rows.n / 2; i++)
		r = px_table_delete(db, txn, PX_TABLE_INDEX, rows.row[i].key);
	return r;
}

/* ------------------------------------------------------------------- blobs */

int px_evict(struct px_db *db, MDB_txn *txn, struct px_item *batch,
	     uint64_t target, uint64_t *total, uint64_t *ret_n)
{
	PX_AUTO(px_aged_rows_fini) struct px_aged_rows rows = {NULL, 0};
	uint64_t sum = 0;
	uint64_t n = 0;
	int r = px_aged_rows_read(db, txn, PX_TABLE_USED, batch, &rows);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++)
		if (__builtin_add_overflow(sum, rows.row[i].bytes, &sum))
			return -EUCLEAN;
	r = px_aged_rows_evict(db, txn, &rows, false, target, &sum, &n);
	/* What was just written goes only if it alone is too much. */
	if (r == 0)
		r = px_aged_rows_evict(db, txn, &rows, true, target, &sum, &n);
	if (r == 0 && n > 0)
		r = px_evict_sweep_index(db, txn);
	if (r < 0)
		return r;
	*total = sum;
	*ret_n += n;
	return 0;
}

int px_evict_free_pages(struct px_db *db)
{
	MDB_txn *txn;
	int r = px_db_begin(db, 0, &txn);

	if (r < 0)
		return r;
	/* LMDB writes nothing for a transaction without a change. */
	r = px_table_add_number(db, txn, "tick", 1);
	if (r == 0)
		return px_db_commit(db, txn);
	px_db_abort(db, txn);
	return r;
}

int px_evict_make_room(struct px_db *db, struct px_counts *counts,
		       struct px_item *batch)
{
	uint64_t n = 0;
	uint64_t total;
	MDB_txn *txn;
	int r = px_db_begin(db, 0, &txn);

	if (r < 0)
		return r;
	r = px_table_get_number(db, txn, "total", &total);
	if (r == 0)
		r = px_evict(db, txn, batch, total / 2, &total, &n);
	if (r == 0)
		r = px_table_put_number(db, txn, "total", total);
	if (r < 0) {
		px_db_abort(db, txn);
		return r;
	}
	r = px_db_commit(db, txn);
	if (r < 0)
		return r;
	px_counts_add(counts, PX_COUNT_cache_evicted, n);
	return px_evict_free_pages(db);
}
