/* SPDX-License-Identifier: MIT */
#include "table.h"

#include "pages.h"

/* Copies a row of `size` bytes before anything is made of it, because somebody
 * may write to its page meanwhile. -ENOENT; -EBADMSG: it has another size. */
static int copy_row(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
		    const uint8_t key[PX_DIGEST_SIZE], void *ret, size_t size)
{
	MDB_val v;
	int r = px_db_get(db, txn, table, key, PX_DIGEST_SIZE, &v);

	if (r == 0 && v.mv_size != size)
		r = -EBADMSG;
	if (r == 0)
		memcpy(ret, v.mv_data, size);
	return r;
}

int px_table_get_index(struct px_db *db, MDB_txn *txn,
		       const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret)
{
	uint8_t row[PX_CACHE_INDEX_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	uint32_t day;
	int r = copy_row(db, txn, PX_TABLE_INDEX, index, row, sizeof(row));

	if (r == -EBADMSG)
		return -ENOENT; /* as px_index_decode */
	return r < 0 ? r : px_index_decode(&v, ret, &day);
}

int px_table_get_used(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE], struct px_used *ret)
{
	uint8_t row[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	int r = copy_row(db, txn, PX_TABLE_USED, key, row, sizeof(row));

	if (r == -EBADMSG)
		return -EUCLEAN;
	return r < 0 ? r : px_used_decode(&v, ret);
}

int px_table_put_used(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE],
		      const struct px_used *u)
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	uint8_t bytes[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(bytes, sizeof(bytes));

	px_used_encode(u, bytes);
	return px_lmdb_err(
		mdb_put(txn, px_db_table(db, PX_TABLE_USED), &k, &v, 0));
}

/* Reads a blob row, whose length is known to be right, and checks it. */
static int read_blob(struct px_db *db, const MDB_val *v,
		     const uint8_t key[PX_DIGEST_SIZE],
		     const struct px_used *used, struct px_blob **ret)
{
	uint8_t header[PX_BLOB_STORED_HEADER];
	struct px_blob *b = px_blob_alloc(v->mv_size - sizeof(header));
	int r;

	if (!b)
		return -ENOMEM;
	r = px_db_read(db, v, header, sizeof(header), b->data);
	if (r == 0)
		r = px_blob_check(b, key, header);
	if (r == -EBADMSG)
		r = px_cache_damage(header, used->kind);
	if (r < 0)
		px_blob_unref(b);
	else
		*ret = b;
	return r;
}

int px_table_get_blob(struct px_db *db, MDB_txn *txn,
		      const uint8_t key[PX_DIGEST_SIZE], struct px_used *used,
		      struct px_blob **ret)
{
	MDB_val v;
	int r = px_db_get(db, txn, PX_TABLE_BLOB, key, PX_DIGEST_SIZE, &v);

	*used = (struct px_used){0};
	if (r < 0)
		return r;
	r = px_table_get_used(db, txn, key, used);
	if (r == -ENOENT || (r == 0 && (used->bytes != v.mv_size ||
					v.mv_size < PX_BLOB_STORED_HEADER)))
		r = -EUCLEAN;
	return r < 0 || !ret ? r : read_blob(db, &v, key, used, ret);
}

int px_table_get_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t *ret)
{
	MDB_val v;
	int r = px_db_get(db, txn, PX_TABLE_META, name, strlen(name), &v);

	*ret = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (v.mv_size != 8)
		return -EUCLEAN;
	*ret = px_get_le64(v.mv_data);
	return 0;
}

int px_table_put_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t v)
{
	MDB_val k = px_val(name, strlen(name));
	uint8_t bytes[8];
	MDB_val data = px_val(bytes, sizeof(bytes));

	px_put_le64(bytes, v);
	return px_lmdb_err(
		mdb_put(txn, px_db_table(db, PX_TABLE_META), &k, &data, 0));
}

int px_table_add_number(struct px_db *db, MDB_txn *txn, const char *name,
			uint64_t n)
{
	uint64_t sum;
	int r = px_table_get_number(db, txn, name, &sum);

	return r < 0 ? r : px_table_put_number(db, txn, name, sum + n);
}

int px_table_put_profile(struct px_db *db, MDB_txn *txn, uint32_t id,
			 const char *text)
{
	uint8_t key[PX_CACHE_PROFILE_KEY];
	MDB_val k = px_val(key, sizeof(key));
	MDB_val v = px_val(text, strlen(text));

	px_profile_key(id, key);
	return px_lmdb_err(
		mdb_put(txn, px_db_table(db, PX_TABLE_META), &k, &v, 0));
}

int px_table_count_rows(struct px_db *db, MDB_txn *txn,
			enum px_cache_table table, size_t *ret)
{
	MDB_stat s;
	int rc = mdb_stat(txn, px_db_table(db, table), &s);

	if (rc == 0)
		*ret = s.ms_entries;
	return px_lmdb_err(rc);
}

int px_table_delete(struct px_db *db, MDB_txn *txn, enum px_cache_table table,
		    const uint8_t key[PX_DIGEST_SIZE])
{
	MDB_val k = px_val(key, PX_DIGEST_SIZE);
	MDB_stat s;
	MDB_val v;
	int r = px_db_get(db, txn, table, key, PX_DIGEST_SIZE, &v);
	int rc;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	rc = mdb_stat(txn, px_db_table(db, table), &s);
	/* LMDB frees as many pages as the value's first page says, without
	 * comparing that to the value's size. */
	if (rc == 0 &&
	    !px_pages_is_value_sane(v.mv_data, v.mv_size, s.ms_psize))
		return -EUCLEAN;
	if (rc == 0)
		rc = mdb_del(txn, px_db_table(db, table), &k, NULL);
	return px_lmdb_err(rc);
}

/* -EUCLEAN if mdb_drop, which frees the pages of all values, would free others
 * with them. */
static int check_values(struct px_db *db, MDB_txn *txn)
{
	PX_AUTO(px_cursor_closep) MDB_cursor *cursor = NULL;
	MDB_stat s;
	MDB_val k;
	MDB_val v;
	int rc = mdb_cursor_open(txn, px_db_table(db, PX_TABLE_BLOB), &cursor);

	if (rc == 0)
		rc = mdb_stat(txn, px_db_table(db, PX_TABLE_BLOB), &s);
	while (rc == 0) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
		if (rc == 0 &&
		    !px_pages_is_value_sane(v.mv_data, v.mv_size, s.ms_psize))
			return -EUCLEAN;
	}
	return rc == MDB_NOTFOUND ? 0 : px_lmdb_err(rc);
}

int px_table_delete_blob(struct px_db *db, MDB_txn *txn,
			 const uint8_t key[PX_DIGEST_SIZE])
{
	int r = px_table_delete(db, txn, PX_TABLE_BLOB, key);

	return r == 0 ? px_table_delete(db, txn, PX_TABLE_USED, key) : r;
}

int px_table_clear_all(struct px_db *db, MDB_txn *txn)
{
	int r = check_values(db, txn);

	for (int i = 0; r == 0 && i < PX_N_TABLES; i++)
		r = px_lmdb_err(mdb_drop(txn, px_db_table(db, i), 0));
	return r;
}
