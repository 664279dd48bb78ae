/* SPDX-License-Identifier: MIT */
#include "dir.h"
#include "handle.h"

#include <sys/stat.h>

/* Counts a blob for its profile, if it has one and there is still room for that
 * profile. */
static void count_profile(const struct px_used *u, struct px_cache_info *info)
{
	size_t i;

	if (u->kind == PX_BLOB_NOTE || u->profile == 0)
		return;
	for (i = 0; i < info->n_profiles; i++)
		if (info->profile[i].id == u->profile)
			break;
	if (i == PX_CACHE_MAX_PROFILES)
		return;
	if (i == info->n_profiles)
		info->profile[info->n_profiles++].id = u->profile;
	info->profile[i].n_blobs++;
	info->profile[i].bytes += u->bytes;
}

static void name_profiles(struct px_db *db, MDB_txn *txn,
			  struct px_cache_info *info)
{
	uint8_t key[PX_CACHE_PROFILE_KEY];
	MDB_val k, v;
	size_t i;

	for (i = 0; i < info->n_profiles; i++) {
		struct px_cache_profile *p = &info->profile[i];

		px_profile_key(p->id, key);
		k = px_val(key, sizeof(key));
		if (mdb_get(txn, px_db_table(db, PX_TABLE_META), &k, &v) == 0 &&
		    v.mv_size < sizeof(p->text))
			memcpy(p->text, v.mv_data, v.mv_size);
	}
}

static int sum_used(struct px_db *db, MDB_txn *txn, struct px_cache_info *info)
{
	PX_AUTO(px_cursor_closep) MDB_cursor *cursor = NULL;
	struct px_used u;
	MDB_val k;
	MDB_val v;
	int r;

	r = px_lmdb_err(
		mdb_cursor_open(txn, px_db_table(db, PX_TABLE_USED), &cursor));
	if (r < 0)
		return r;
	while ((r = px_lmdb_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
	       0) {
		r = px_used_decode(&v, &u);
		if (r < 0)
			return r;
		info->n_blobs++;
		info->n_rejected += u.kind == PX_BLOB_REJECTED;
		info->n_notes += u.kind == PX_BLOB_NOTE;
		info->blob_bytes += u.bytes;
		if (info->n_blobs == 1 || u.day < info->oldest_day)
			info->oldest_day = u.day;
		count_profile(&u, info);
	}
	return r == -ENOENT ? 0 : r;
}

int px_cache_info(struct px_cache *c, struct px_cache_info *ret)
{
	struct px_cache_info info = {.max_bytes = c->max_bytes};
	struct px_shelf_sum kept = {0};
	size_t n_index = 0, page_size;
	struct stat st;
	MDB_txn *txn = NULL;
	int fd = -1;
	int r = px_db_begin(c->db, MDB_RDONLY, &txn);

	if (r < 0)
		return r;
	r = sum_used(c->db, txn, &info);
	if (r == 0)
		r = px_table_count_rows(c->db, txn, PX_TABLE_INDEX, &n_index);
	if (r == 0)
		r = px_table_get_number(c->db, txn, "served", &info.n_served);
	if (r == 0)
		r = px_table_get_number(c->db, txn, "added", &info.n_added);
	if (r == 0)
		name_profiles(c->db, txn, &info);
	px_db_abort(c->db, txn);
	if (r == 0)
		r = px_db_file(c->db, &fd, &page_size);
	if (r == 0)
		r = px_shelf_count(&c->shelf, &kept);
	if (r < 0)
		return r;
	info.n_kept = kept.n;
	info.kept_bytes = kept.bytes;
	if (fstat(fd, &st) < 0)
		return -errno;
	info.n_index = n_index;
	info.file_bytes = (uint64_t)st.st_blocks * 512;
	*ret = info;
	return 0;
}

int px_cache_gc(struct px_cache *c, uint32_t max_age_days, uint64_t max_bytes,
		uint64_t *ret_n, uint64_t *ret_bytes)
{
	PX_AUTO(px_aged_rows_fini) struct px_aged_rows rows = {NULL, 0};
	const uint32_t today = px_cache_today(&c->tuning);
	const uint64_t max_files = max_bytes;
	uint64_t total = 0, old = 0, before;
	struct px_shelf_sum files = {0};
	MDB_txn *txn;
	int r = px_db_begin(c->db, 0, &txn);

	*ret_n = *ret_bytes = 0;
	if (r < 0)
		return r;
	r = px_aged_rows_read(c->db, txn, PX_TABLE_USED, NULL, &rows);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		total += rows.row[i].bytes;
		if (rows.row[i].day <= today &&
		    today - rows.row[i].day > max_age_days)
			old += rows.row[i].bytes;
	}
	/* The rows are in the order of their days, so the old ones go first. */
	before = total;
	if (max_bytes > total - old)
		max_bytes = total - old;
	if (r == 0)
		r = px_aged_rows_evict(c->db, txn, &rows, true, max_bytes,
				       &total, ret_n);
	if (r == 0)
		r = px_evict_sweep_index(c->db, txn);
	if (r == 0)
		r = px_table_put_number(c->db, txn, "total", total);
	if (r < 0) {
		px_db_abort(c->db, txn);
		return px_db_failed(c->db, r);
	}
	*ret_bytes = before - total;
	r = px_db_commit(c->db, txn);
	if (r == 0)
		r = px_shelf_trim(&c->shelf, max_age_days, max_files, &files);
	*ret_n += files.n;
	*ret_bytes += files.bytes;
	return r < 0 ? r : px_evict_free_pages(c->db);
}

int px_cache_verify(struct px_cache *c, uint64_t *ret_n, uint64_t *ret_damaged)
{
	PX_AUTO(px_aged_rows_fini) struct px_aged_rows rows = {NULL, 0};
	struct px_shelf_sum files = {0};
	MDB_txn *txn;
	int r = px_db_begin(c->db, MDB_RDONLY, &txn);

	*ret_n = *ret_damaged = 0;
	if (r < 0)
		return r;
	r = px_aged_rows_read(c->db, txn, PX_TABLE_USED, NULL, &rows);
	px_db_abort(c->db, txn);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		r = px_cache_check_stored(c, rows.row[i].key);
		if (r == -ENOENT) { /* evicted meanwhile */
			r = 0;
			continue;
		}
		++*ret_n;
		/* If the database was damaged, all that was in it counts. */
		if (r == -EBADMSG || r == -EUCLEAN || r == -ESHUTDOWN) {
			++*ret_damaged;
			r = 0;
		}
	}
	if (r == 0)
		r = px_shelf_check(&c->shelf, &files);
	*ret_n += files.n;
	*ret_damaged += files.damaged;
	return r == 0 ? px_cache_flush(c) : r;
}

int px_cache_clear(struct px_cache *c)
{
	struct px_shelf_sum files;
	MDB_txn *txn;
	int r = px_shelf_trim(&c->shelf, UINT32_MAX, 0, &files);

	if (r < 0)
		return r;
	/* First what may still get into the database. */
	px_writer_clear(c->writer);
	r = px_db_begin(c->db, 0, &txn);
	if (r < 0)
		return r;
	r = px_table_clear_all(c->db, txn);
	if (r == 0)
		return px_db_commit(c->db, txn);
	px_db_abort(c->db, txn);
	if (r != -EUCLEAN)
		return r;
	px_db_failed(c->db, r); /* deletes the files: they are cleared */
	return 0;
}

/* The disk that the data file takes, in bytes. */
static int disk_bytes(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (uint64_t)st.st_blocks * 512;
	return 0;
}

/* Copies the database to the new directory's data file `fd`. */
static int copy_to(struct px_cache *c, int fd, uint64_t *ret_before,
		   uint64_t *ret_after)
{
	size_t page_size;
	int own;
	int r = px_db_file(c->db, &own, &page_size);

	if (r == 0)
		r = disk_bytes(own, ret_before);
	if (r == 0)
		r = px_db_copy(c->db, fd);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r == 0 ? disk_bytes(fd, ret_after) : r;
}

int px_cache_compact(struct px_cache *c, uint64_t *ret_before,
		     uint64_t *ret_after)
{
	PX_AUTOCLOSE int fd = -1;
	int r = px_cache_flush(c);

	*ret_before = *ret_after = 0;
	if (r < 0 || c->dir_fd < 0)
		return r;
	px_cache_dir_acquire(c->dir_fd);
	r = px_cache_dir_make_new(c->dir_fd, &fd);
	if (r == 0)
		r = copy_to(c, fd, ret_before, ret_after);
	if (r == 0)
		r = px_cache_dir_take_new(c->dir_fd);
	if (r < 0)
		px_cache_dir_drop_new(c->dir_fd);
	px_cache_dir_release(c->dir_fd);
	return r == -EUCLEAN ? px_db_failed(c->db, r) : r;
}
