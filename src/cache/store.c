/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <sys/statvfs.h>

static int touch_blob(const struct px_store *s, MDB_txn *txn,
		      const uint8_t *key)
{
	uint32_t today = px_cache_today(s->tuning);
	struct px_used u;
	int r = px_table_get_used(s->db, txn, key, &u);

	if (r == -ENOENT || (r == 0 && u.day == today))
		return 0;
	if (r < 0)
		return r;
	u.day = today;
	return px_table_put_used(s->db, txn, key, &u);
}

/* Looks again first: by now a sound blob may have replaced the damaged one. */
static int drop_blob(const struct px_store *s, MDB_txn *txn, const uint8_t *key,
		     uint64_t *total)
{
	struct px_blob *blob;
	struct px_used u;
	int r = px_table_get_blob(s->db, txn, key, &u, &blob);

	if (r == 0)
		px_blob_unref(blob);
	if (r != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	r = px_table_delete_blob(s->db, txn, key);
	*total -= u.bytes < *total ? u.bytes : *total;
	return r;
}

static int insert_blob(const struct px_store *s, MDB_txn *txn,
		       const struct px_item *it, uint64_t *total)
{
	MDB_val k = px_val(it->key, PX_DIGEST_SIZE);
	struct px_used u = {px_cache_today(s->tuning),
			    it->blob->size + PX_BLOB_STORED_HEADER,
			    it->blob->kind, it->profile};
	MDB_val v = {.mv_size = (size_t)u.bytes};
	int r = px_lmdb_err(mdb_put(txn, px_db_table(s->db, PX_TABLE_BLOB), &k,
				    &v, MDB_RESERVE | MDB_NOOVERWRITE));

	if (r < 0)
		return r;
	px_blob_header(it->blob, it->key, v.mv_data);
	memcpy((uint8_t *)v.mv_data + PX_BLOB_STORED_HEADER, it->blob->data,
	       it->blob->size);
	*total += u.bytes;
	return px_table_put_used(s->db, txn, it->key, &u);
}

static int store_blob(const struct px_store *s, MDB_txn *txn,
		      struct px_item *it, uint64_t *total, struct px_batch *b)
{
	struct px_used u;
	int r;

	/* It would evict everything else and then itself. */
	if (it->cost > b->target) {
		it->evicted = true;
		return 0;
	}
	r = px_table_get_blob(s->db, txn, it->key, &u, NULL);
	if (r == 0) /* another process has stored it */
		return touch_blob(s, txn, it->key);
	if (r != -ENOENT)
		return r;
	r = insert_blob(s, txn, it, total);
	if (r == 0)
		b->n_stored++;
	return r;
}

static int store_index(const struct px_store *s, MDB_txn *txn,
		       const struct px_item *it)
{
	MDB_val k = px_val(it->key, PX_DIGEST_SIZE);
	uint8_t bytes[PX_CACHE_INDEX_SIZE];
	MDB_val v = px_val(bytes, sizeof(bytes));

	px_index_encode(&it->entry, px_cache_today(s->tuning), bytes);
	return px_lmdb_err(
		mdb_put(txn, px_db_table(s->db, PX_TABLE_INDEX), &k, &v, 0));
}

static int store_item(const struct px_store *s, MDB_txn *txn,
		      struct px_item *it, uint64_t *total, struct px_batch *b)
{
	switch (it->kind) {
	case PX_ITEM_BLOB:
		return store_blob(s, txn, it, total, b);
	case PX_ITEM_INDEX:
		return store_index(s, txn, it);
	case PX_ITEM_TOUCH:
		return touch_blob(s, txn, it->key);
	case PX_ITEM_DROP:
		return drop_blob(s, txn, it->key, total);
	default:
		return -EINVAL;
	}
}

static int store_counts(const struct px_store *s, MDB_txn *txn)
{
	struct px_counts_sums sums;
	int r;

	px_counts_take(s->counts, &sums);
	r = px_table_add_number(s->db, txn, "served", sums.served);
	if (r == 0)
		r = px_table_add_number(s->db, txn, "added", sums.added);
	for (size_t i = 0; i < sums.n_profiles && r == 0; i++)
		r = px_table_put_profile(s->db, txn, sums.profile[i].id,
					 sums.profile[i].text);
	return r;
}

static int fill_txn(const struct px_store *s, MDB_txn *txn, struct px_batch *b)
{
	uint64_t bound = px_evict_bound(s->db, s->max_bytes);
	uint64_t total;
	int r = px_table_get_number(s->db, txn, "total", &total);

	/* Nine tenths, so that the next batches need not evict. */
	b->target = bound / 10 * 9;
	for (struct px_item *it = b->first; r == 0 && it; it = it->next) {
		it->evicted = false;
		r = store_item(s, txn, it, &total, b);
	}
	if (r == 0 && total > bound)
		r = px_evict(s->db, txn, b->first, b->target, &total,
			     &b->n_evicted);
	if (r == 0)
		r = px_evict_prune_index(s->db, txn);
	if (r == 0)
		r = px_table_put_number(s->db, txn, "total", total);
	return r == 0 ? store_counts(s, txn) : r;
}

static int commit_batch(const struct px_store *s, struct px_batch *b)
{
	MDB_txn *txn;
	int r = px_db_begin(s->db, 0, &txn);

	if (r < 0)
		return r;
	b->n_stored = 0;
	b->n_evicted = 0;
	r = fill_txn(s, txn, b);
	if (r == 0)
		return px_db_commit(s->db, txn);
	px_db_abort(s->db, txn);
	return r;
}

/* Whether error `r` means that there is no room. If a disk fills up in the
 * middle of a write, the first sign is a short count, which LMDB reports as EIO
 * (mdb.c 0.9.24, mdb_page_flush). */
static bool is_full(const struct px_store *s, int r, uint64_t bytes)
{
	struct statvfs fs;
	size_t page_size;
	int fd;

	if (r == -ENOSPC || r == -EDQUOT)
		return true;
	if (r != -EIO || px_db_file(s->db, &fd, &page_size) < 0 ||
	    fstatvfs(fd, &fs) < 0)
		return false;
	return fs.f_bavail * fs.f_frsize < bytes * 2;
}

int px_store_batch(const struct px_store *s, struct px_batch *b)
{
	int r = commit_batch(s, b);

	if (r < 0 && is_full(s, r, b->bytes) &&
	    px_evict_make_room(s->db, s->counts, b->first) == 0)
		r = commit_batch(s, b);
	if (r < 0) {
		b->n_stored = 0;
		b->n_evicted = 0;
	}
	return r;
}

void px_store_counts(const struct px_store *s)
{
	MDB_txn *txn;

	if (!px_counts_any(s->counts) || px_db_begin(s->db, 0, &txn) < 0)
		return;
	if (store_counts(s, txn) == 0)
		px_db_commit(s->db, txn);
	else
		px_db_abort(s->db, txn);
}
