/* SPDX-License-Identifier: MIT */
#include "look.h"

#include "pycfs/io.h"

/* How often a transaction is begun anew because another process committed twice
 * between its begin and the look at its meta page. */
#define SNAPSHOT_TRIES 10

void px_looks_init(struct px_looks *ls, struct px_db *db)
{
	size_t page_size;
	int fd;

	memset(ls, 0, sizeof(*ls));
	ls->db = db;
	pthread_mutex_init(&ls->lock, NULL);
	if (px_db_file(db, &fd, &page_size) == 0)
		ls->pages = px_page_cache_new(page_size);
}

void px_looks_fini(struct px_looks *ls)
{
	px_page_cache_free(ls->pages);
	pthread_mutex_destroy(&ls->lock);
}

static int take_snapshot(struct px_looks *ls, MDB_txn *txn,
			 struct px_snapshot *ret)
{
	size_t page_size;
	int fd, r;

	if (px_db_file(ls->db, &fd, &page_size) < 0)
		return -EIO;
	*ret = (struct px_snapshot){.txnid = mdb_txn_id(txn)};
	r = px_pages_open_at(fd, ret->txnid, page_size, &ret->file);
	ret->file.cache = ls->pages;
	for (int i = 0; i < PX_N_TABLES && r == 0; i++) {
		r = px_pages_find_table(&ret->file, px_table_names[i],
					&ret->table[i]);
		if (r == -ENOENT)
			r = -EUCLEAN;
	}
	return r;
}

static int find_snapshot(struct px_looks *ls, MDB_txn *txn,
			 struct px_snapshot *ret)
{
	bool found;
	int r;

	pthread_mutex_lock(&ls->lock);
	found = ls->has_last && ls->last.txnid == mdb_txn_id(txn);
	if (found)
		*ret = ls->last;
	pthread_mutex_unlock(&ls->lock);
	if (found)
		return 0;
	r = take_snapshot(ls, txn, ret);
	if (r == 0) {
		pthread_mutex_lock(&ls->lock);
		ls->last = *ret;
		ls->has_last = true;
		pthread_mutex_unlock(&ls->lock);
	}
	return r;
}

int px_look_begin(struct px_looks *ls, struct px_look *ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < SNAPSHOT_TRIES && r == -EAGAIN; i++) {
		r = px_db_hold(ls->db, MDB_RDONLY, &ret->txn);
		if (r < 0)
			return r;
		r = find_snapshot(ls, ret->txn, &ret->seen);
		if (r < 0)
			px_db_abort(ls->db, ret->txn);
	}
	return r;
}

void px_look_end(struct px_looks *ls, struct px_look *l)
{
	px_db_abort(ls->db, l->txn);
}

static int read_row(const struct px_look *l, enum px_cache_table t,
		    const uint8_t key[PX_DIGEST_SIZE], void *ret, size_t size)
{
	return px_pages_row(&l->seen.file, &l->seen.table[t], key,
			    PX_DIGEST_SIZE, ret, size);
}

int px_look_index(const struct px_look *l, const uint8_t index[PX_DIGEST_SIZE],
		  struct px_cache_entry *ret)
{
	uint8_t row[PX_CACHE_INDEX_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	uint32_t day;
	int r = read_row(l, PX_TABLE_INDEX, index, row, sizeof(row));

	if (r == -EBADMSG)
		return -ENOENT; /* as px_index_decode */
	return r < 0 ? r : px_index_decode(&v, ret, &day);
}

int px_look_used(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret)
{
	uint8_t row[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	int r = read_row(l, PX_TABLE_USED, key, row, sizeof(row));

	if (r == -EBADMSG)
		return -EUCLEAN;
	return r < 0 ? r : px_used_decode(&v, ret);
}

int px_look_blob(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *used, struct px_blob **ret)
{
	uint8_t header[PX_BLOB_STORED_HEADER];
	struct px_blob *b;
	size_t n = 0;
	off_t at = 0;
	int r = px_pages_find(&l->seen.file, &l->seen.table[PX_TABLE_BLOB], key,
			      PX_DIGEST_SIZE, &at, &n);

	*used = (struct px_used){0};
	if (r < 0)
		return r;
	r = px_look_used(l, key, used);
	if (r == -ENOENT ||
	    (r == 0 && (used->bytes != n || n < sizeof(header))))
		r = -EUCLEAN;
	if (r < 0)
		return r;
	b = px_blob_alloc(n - sizeof(header));
	if (!b)
		return -ENOMEM;
	r = px_pread2(l->seen.file.fd, header, sizeof(header), b->data, b->size,
		      at);
	if (r == 0)
		r = px_blob_check(b, key, header);
	if (r == -EBADMSG)
		r = px_cache_damage(header, used->kind);
	if (r < 0)
		px_blob_unref(b);
	else
		*ret = b;
	return r < 0 && r != -EBADMSG ? -EUCLEAN : r;
}
