/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include <sys/stat.h>

/*
 * A file has one index row per place it was seen at (each checkout or
 * container layer has its own device, inode and times), and nothing says when
 * such a place is gone. Past this many rows for each blob the oldest half
 * goes; a row that was still good costs one hashing of its source.
 */
#define INDEX_ROWS_PER_BLOB 8
#define INDEX_ROWS_FREE	    16384

struct row {
	uint8_t key[PX_DIGEST_SIZE];
	uint32_t day;
	uint64_t bytes;
};

struct rows {
	struct row *row;
	size_t n;
};

uint64_t px_cache_bound(struct px_cache *c)
{
	uint64_t room = 0;
	MDB_envinfo info;

	if (mdb_env_info(c->env, &info) == 0)
		room = info.me_mapsize / 4 * 3;
	return room < c->max_bytes ? room : c->max_bytes;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return memcmp(x->key, y->key, PX_DIGEST_SIZE);
}

/* Decodes one row of either table. -errno. */
static int parse_row(enum px_cache_table table, const MDB_val *k,
		     const MDB_val *v, struct row *ret)
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
	return 0;
}

static void close_cursor(MDB_cursor **cursor)
{
	if (*cursor)
		mdb_cursor_close(*cursor);
}

static void free_rows(struct rows *rows)
{
	free(rows->row);
}

static int table_size(struct px_cache *c, MDB_txn *txn,
		      enum px_cache_table table, size_t *ret)
{
	MDB_stat s;
	int rc = mdb_stat(txn, c->dbi[table], &s);

	if (rc == 0)
		*ret = s.ms_entries;
	return px_cache_err(rc);
}

/* Reads a whole table, oldest day first. */
static int read_rows(struct px_cache *c, MDB_txn *txn,
		     enum px_cache_table table, struct rows *ret)
{
	PX_AUTO(close_cursor) MDB_cursor *cursor = NULL;
	size_t max = 0;
	MDB_val k;
	MDB_val v;
	int r = table_size(c, txn, table, &max);

	if (r < 0)
		return r;
	ret->row = calloc(max + 1, sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	r = px_cache_err(mdb_cursor_open(txn, c->dbi[table], &cursor));
	if (r < 0)
		return r;
	while ((r = px_cache_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
	       0) {
		if (ret->n == max) /* more than the table says */
			return -EUCLEAN;
		r = parse_row(table, &k, &v, &ret->row[ret->n]);
		if (r < 0)
			return r;
		ret->n++;
	}
	if (r != -ENOENT)
		return r;
	qsort(ret->row, ret->n, sizeof(*ret->row), compare_rows);
	return 0;
}

int px_cache_delete(struct px_cache *c, MDB_txn *txn, enum px_cache_table table,
		    const uint8_t key[PX_DIGEST_SIZE])
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	MDB_stat s;
	MDB_val v;
	int rc = mdb_get(txn, c->dbi[table], &k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0)
		rc = mdb_stat(txn, c->dbi[table], &s);
	/* LMDB would free as many pages as the first of them says. */
	if (rc == 0 &&
	    !px_pages_is_value_sane(v.mv_data, v.mv_size, s.ms_psize))
		return -EUCLEAN;
	if (rc == 0)
		rc = mdb_del(txn, c->dbi[table], &k, NULL);
	return px_cache_err(rc);
}

/* Drops the index rows whose blob is gone. Nothing would answer them, but
 * they take room. */
static int sweep_index(struct px_cache *c, MDB_txn *txn)
{
	PX_AUTO(close_cursor) MDB_cursor *cursor = NULL;
	MDB_val k;
	MDB_val v;
	int r;

	r = px_cache_err(mdb_cursor_open(txn, c->dbi[PX_TABLE_INDEX], &cursor));
	if (r < 0)
		return r;
	while ((r = px_cache_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
	       0) {
		struct px_cache_entry e;
		struct px_used u;
		uint32_t day;

		r = px_index_decode(&v, &e, &day);
		if (r == 0)
			r = px_cache_read_used(c, txn, e.key, &u);
		/* mdb.c 0.9.24: after mdb_cursor_del, MDB_NEXT gives the row
		 * that took the deleted one's place (C_DEL). */
		if (r == -ENOENT)
			r = px_cache_err(mdb_cursor_del(cursor, 0));
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

/* The item of the running batch that stored this blob, or NULL. It stays where
 * it is: only the writer, who calls this, ends a batch. */
static struct px_item *in_batch(struct px_cache *c, const uint8_t *key)
{
	struct px_item *it;

	pthread_mutex_lock(&c->lock);
	it = px_pending_find(&c->pending, PX_ITEM_BLOB, key);
	if (it && it->place != PX_PLACE_BUSY)
		it = NULL;
	pthread_mutex_unlock(&c->lock);
	return it;
}

static int evict_rows(struct px_cache *c, MDB_txn *txn, struct rows *rows,
		      bool batch_too, uint64_t target, uint64_t *total,
		      uint64_t *ret_n)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = &rows->row[i];
		struct px_item *it = in_batch(c, row->key);
		int r;

		if (*total <= target)
			break;
		if (row->bytes == 0 || (it && !batch_too))
			continue;
		r = px_cache_delete(c, txn, PX_TABLE_BLOB, row->key);
		if (r == 0)
			r = px_cache_delete(c, txn, PX_TABLE_USED, row->key);
		if (r < 0)
			return r;
		if (it)
			it->evicted = true;
		*total -= row->bytes;
		row->bytes = 0; /* a blob row is never empty: gone */
		++*ret_n;
	}
	return 0;
}

int px_cache_evict(struct px_cache *c, MDB_txn *txn, uint64_t target,
		   uint64_t *total, uint64_t *ret_n)
{
	PX_AUTO(free_rows) struct rows rows = {NULL, 0};
	uint64_t sum = 0;
	uint64_t n = 0;
	int r = read_rows(c, txn, PX_TABLE_USED, &rows);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++)
		if (__builtin_add_overflow(sum, rows.row[i].bytes, &sum))
			return -EUCLEAN;
	r = evict_rows(c, txn, &rows, false, target, &sum, &n);
	/* The batch just written only if it alone is too much. */
	if (r == 0)
		r = evict_rows(c, txn, &rows, true, target, &sum, &n);
	if (r == 0 && n > 0)
		r = sweep_index(c, txn);
	if (r < 0)
		return r;
	*total = sum;
	*ret_n += n;
	return 0;
}

int px_cache_prune_index(struct px_cache *c, MDB_txn *txn)
{
	PX_AUTO(free_rows) struct rows rows = {NULL, 0};
	size_t n_blobs = 0;
	size_t n_index = 0;
	int r = table_size(c, txn, PX_TABLE_BLOB, &n_blobs);

	if (r == 0)
		r = table_size(c, txn, PX_TABLE_INDEX, &n_index);
	if (r < 0 || n_index <= INDEX_ROWS_FREE + n_blobs * INDEX_ROWS_PER_BLOB)
		return r;
	r = read_rows(c, txn, PX_TABLE_INDEX, &rows);
	for (size_t i = 0; r == 0 && i < rows.n / 2; i++)
		r = px_cache_delete(c, txn, PX_TABLE_INDEX, rows.row[i].key);
	return r;
}

/* Moves LMDB's transaction number on. */
static int tick(struct px_cache *c)
{
	uint64_t n = 0;
	MDB_txn *txn;
	int r = px_cache_begin(c, 0, &txn);

	if (r < 0)
		return r;
	r = px_cache_get_number(c, txn, "tick", &n);
	if (r == 0)
		r = px_cache_set_number(c, txn, "tick", n + 1);
	if (r == 0)
		return px_cache_commit(c, txn);
	px_cache_abort(c, txn);
	return r;
}

int px_cache_make_room(struct px_cache *c)
{
	uint64_t n = 0;
	uint64_t total;
	MDB_txn *txn;
	int r = px_cache_begin(c, 0, &txn);

	if (r < 0)
		return r;
	r = px_cache_get_number(c, txn, "total", &total);
	if (r == 0)
		r = px_cache_evict(c, txn, total / 2, &total, &n);
	if (r == 0)
		r = px_cache_set_number(c, txn, "total", total);
	if (r < 0) {
		px_cache_abort(c, txn);
		return r;
	}
	r = px_cache_commit(c, txn);
	if (r < 0)
		return r;
	px_cache_count(c, PX_COUNT_cache_evicted, n);
	/* Pages freed by transaction N may be taken from N + 2 on (mdb.c
	 * 0.9.24, mdb_page_alloc: only what is older than the oldest reader,
	 * and the last commit counts as one). */
	return tick(c);
}

int px_cache_gc(struct px_cache *c, uint32_t max_age_days, uint64_t max_bytes,
		uint64_t *ret_n, uint64_t *ret_bytes)
{
	PX_AUTO(free_rows) struct rows rows = {NULL, 0};
	const uint32_t today = px_cache_today(c);
	uint64_t total = 0, old = 0, before;
	MDB_txn *txn;
	int r = px_cache_begin(c, 0, &txn);

	*ret_n = *ret_bytes = 0;
	if (r < 0)
		return r;
	r = read_rows(c, txn, PX_TABLE_USED, &rows);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		total += rows.row[i].bytes;
		if (rows.row[i].day <= today &&
		    today - rows.row[i].day > max_age_days)
			old += rows.row[i].bytes;
	}
	/* Rows come by day: the old ones are the first to go. */
	before = total;
	if (max_bytes > total - old)
		max_bytes = total - old;
	if (r == 0)
		r = evict_rows(c, txn, &rows, true, max_bytes, &total, ret_n);
	if (r == 0)
		r = sweep_index(c, txn);
	if (r == 0)
		r = px_cache_set_number(c, txn, "total", total);
	if (r < 0) {
		px_cache_abort(c, txn);
		return px_cache_failed(c, r);
	}
	*ret_bytes = before - total;
	r = px_cache_commit(c, txn);
	return r < 0 ? r : tick(c);
}

int px_cache_verify(struct px_cache *c, uint64_t *ret_n, uint64_t *ret_damaged)
{
	PX_AUTO(free_rows) struct rows rows = {NULL, 0};
	MDB_txn *txn;
	int r = px_cache_begin(c, MDB_RDONLY, &txn);

	*ret_n = *ret_damaged = 0;
	if (r < 0)
		return r;
	r = read_rows(c, txn, PX_TABLE_USED, &rows);
	px_cache_abort(c, txn);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		r = px_cache_check_stored(c, rows.row[i].key);
		if (r == -ENOENT) { /* evicted meanwhile */
			r = 0;
			continue;
		}
		++*ret_n;
		/* With the database goes all that is left. */
		if (r == -EBADMSG || r == -EUCLEAN || r == -ESHUTDOWN) {
			++*ret_damaged;
			r = 0;
		}
	}
	return r == 0 ? px_cache_flush(c) : r;
}

/* What mdb_drop believes: it frees every value's pages. */
static int check_values(struct px_cache *c, MDB_txn *txn)
{
	PX_AUTO(close_cursor) MDB_cursor *cursor = NULL;
	MDB_stat s;
	MDB_val k;
	MDB_val v;
	int rc = mdb_cursor_open(txn, c->dbi[PX_TABLE_BLOB], &cursor);

	if (rc == 0)
		rc = mdb_stat(txn, c->dbi[PX_TABLE_BLOB], &s);
	while (rc == 0) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
		if (rc == 0 &&
		    !px_pages_is_value_sane(v.mv_data, v.mv_size, s.ms_psize))
			return -EUCLEAN;
	}
	return rc == MDB_NOTFOUND ? 0 : px_cache_err(rc);
}

int px_cache_clear(struct px_cache *c)
{
	MDB_txn *txn;
	int r;

	/* First what may still get into the database. */
	px_writer_clear(c);
	r = px_cache_begin(c, 0, &txn);
	if (r < 0)
		return r;
	r = check_values(c, txn);
	for (int i = 0; r == 0 && i < PX_N_TABLES; i++)
		r = px_cache_err(mdb_drop(txn, c->dbi[i], 0));
	if (r == 0)
		return px_cache_commit(c, txn);
	px_cache_abort(c, txn);
	if (r != -EUCLEAN)
		return r;
	px_cache_failed(c, r); /* removes it: that is what was asked for */
	return 0;
}
