/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include "pycfs/pyc.h"

#include <sys/stat.h>

static void close_cursor(MDB_cursor **cursor)
{
	if (*cursor)
		mdb_cursor_close(*cursor);
}

/* Counts a blob for the Python that its .pyc begins with the magic number of.
 * What no longer finds a place is not told apart. */
static void count_python(struct px_cache *c, MDB_txn *txn, const MDB_val *k,
			 const struct px_used *u, struct px_cache_info *info)
{
	MDB_val key = *k, v;
	uint32_t magic;
	size_t i;

	if (u->kind != PX_BLOB_CODE ||
	    mdb_get(txn, c->dbi[PX_TABLE_BLOB], &key, &v) != 0 ||
	    v.mv_size < PX_BLOB_STORED_HEADER + PX_PYC_HEADER_SIZE ||
	    v.mv_size != u->bytes)
		return;
	magic = px_get_le32((const uint8_t *)v.mv_data + PX_BLOB_STORED_HEADER);
	for (i = 0; i < info->n_pythons; i++)
		if (info->python[i].magic == magic)
			break;
	if (i == PX_CACHE_MAX_PYTHONS)
		return;
	if (i == info->n_pythons)
		info->python[info->n_pythons++].magic = magic;
	info->python[i].n_blobs++;
	info->python[i].bytes += u->bytes;
}

static int sum_used(struct px_cache *c, MDB_txn *txn,
		    struct px_cache_info *info)
{
	PX_AUTO(close_cursor) MDB_cursor *cursor = NULL;
	struct px_used u;
	MDB_val k;
	MDB_val v;
	int r;

	r = px_cache_err(mdb_cursor_open(txn, c->dbi[PX_TABLE_USED], &cursor));
	if (r < 0)
		return r;
	while ((r = px_cache_err(mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) ==
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
		count_python(c, txn, &k, &u, info);
	}
	return r == -ENOENT ? 0 : r;
}

int px_cache_info(struct px_cache *c, struct px_cache_info *ret)
{
	struct px_cache_info info = {.max_bytes = c->max_bytes};
	MDB_stat s;
	struct stat st;
	MDB_txn *txn = NULL;
	int fd = -1;
	int r = px_cache_begin(c, MDB_RDONLY, &txn);

	if (r < 0)
		return r;
	r = sum_used(c, txn, &info);
	if (r == 0)
		r = px_cache_err(mdb_stat(txn, c->dbi[PX_TABLE_INDEX], &s));
	px_cache_abort(c, txn);
	if (r == 0)
		r = px_cache_err(mdb_env_get_fd(c->env, &fd));
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	info.n_index = s.ms_entries;
	info.file_bytes = (uint64_t)st.st_blocks * 512;
	*ret = info;
	return 0;
}
