/* SPDX-License-Identifier: MIT */
#include "cache_i.h"

#include <sys/stat.h>

static void close_cursor(MDB_cursor **cursor)
{
	if (*cursor)
		mdb_cursor_close(*cursor);
}

/* Counts a blob for its profile. What no longer finds a place, and what has
 * none, is not told apart. */
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

static void name_profiles(struct px_cache *c, MDB_txn *txn,
			  struct px_cache_info *info)
{
	uint8_t key[PX_CACHE_PROFILE_KEY];
	MDB_val k, v;
	size_t i;

	for (i = 0; i < info->n_profiles; i++) {
		struct px_cache_profile *p = &info->profile[i];

		px_profile_key(p->id, key);
		k = px_val(key, sizeof(key));
		if (mdb_get(txn, c->dbi[PX_TABLE_META], &k, &v) == 0 &&
		    v.mv_size < sizeof(p->text))
			memcpy(p->text, v.mv_data, v.mv_size);
	}
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
		count_profile(&u, info);
	}
	return r == -ENOENT ? 0 : r;
}

int px_cache_info(struct px_cache *c, struct px_cache_info *ret)
{
	struct px_cache_info info = {.max_bytes = c->max_bytes};
	MDB_stat s = {0};
	struct stat st;
	MDB_txn *txn = NULL;
	int fd = -1;
	int r = px_cache_begin(c, MDB_RDONLY, &txn);

	if (r < 0)
		return r;
	r = sum_used(c, txn, &info);
	if (r == 0)
		r = px_cache_err(mdb_stat(txn, c->dbi[PX_TABLE_INDEX], &s));
	if (r == 0)
		r = px_cache_get_number(c, txn, "served", &info.n_served);
	if (r == 0)
		r = px_cache_get_number(c, txn, "added", &info.n_added);
	if (r == 0)
		name_profiles(c, txn, &info);
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
