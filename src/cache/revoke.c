/* SPDX-License-Identifier: MIT */
/*
 * Deletes what came under one signer's name.
 */
#include "handle.h"

/* Whether the profile's text ends in the words that name this signer. */
static bool is_signed_by(struct px_db *db, MDB_txn *txn, uint32_t profile,
			 const char *name)
{
	const size_t n_name = strlen(name), n_by = strlen(PX_CACHE_SIGNED_BY);
	uint8_t key[PX_CACHE_PROFILE_KEY];
	const char *end;
	MDB_val k, v;

	px_profile_key(profile, key);
	k = px_val(key, sizeof(key));
	if (mdb_get(txn, px_db_table(db, PX_TABLE_META), &k, &v) != 0 ||
	    v.mv_size < n_name + n_by)
		return false;
	end = (const char *)v.mv_data + v.mv_size - n_name - n_by;
	return memcmp(end, PX_CACHE_SIGNED_BY, n_by) == 0 &&
	       memcmp(end + n_by, name, n_name) == 0;
}

static int drop_signed(struct px_db *db, MDB_txn *txn, const char *name,
		       uint64_t *ret_n, uint64_t *ret_bytes)
{
	PX_AUTO(px_aged_rows_fini) struct px_aged_rows rows = {NULL, 0};
	uint64_t total;
	int r = px_aged_rows_read(db, txn, PX_TABLE_USED, NULL, &rows);

	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (!is_signed_by(db, txn, rows.row[i].profile, name))
			continue;
		r = px_table_delete_blob(db, txn, rows.row[i].key);
		*ret_bytes += rows.row[i].bytes;
		++*ret_n;
	}
	if (r == 0)
		r = px_evict_sweep_index(db, txn);
	if (r == 0)
		r = px_table_get_number(db, txn, "total", &total);
	if (r == 0)
		r = px_table_put_number(db, txn, "total",
					total > *ret_bytes ? total - *ret_bytes
							   : 0);
	return r;
}

int px_cache_clear_by(struct px_cache *c, const char *name, uint64_t *ret_n,
		      uint64_t *ret_bytes)
{
	MDB_txn *txn;
	int r = px_db_begin(c->db, 0, &txn);

	*ret_n = *ret_bytes = 0;
	if (r < 0)
		return r;
	r = drop_signed(c->db, txn, name, ret_n, ret_bytes);
	if (r < 0) {
		px_db_abort(c->db, txn);
		return px_db_failed(c->db, r);
	}
	r = px_db_commit(c->db, txn);
	return r < 0 ? r : px_evict_free_pages(c->db);
}
