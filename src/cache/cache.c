/* SPDX-License-Identifier: MIT */
#include "handle.h"

uint32_t px_cache_profile(struct px_cache *c, const char *text)
{
	return px_counts_profile(&c->counts, text);
}

/* From this cache's database, or the seed's. */
static int get_stored(struct px_db *db, const uint8_t key[PX_DIGEST_SIZE],
		      struct px_used *used, struct px_blob **ret)
{
	MDB_txn *txn;
	int r = px_db_begin(db, MDB_RDONLY, &txn);

	if (r < 0)
		return r;
	r = px_table_get_blob(db, txn, key, used, ret);
	px_db_abort(db, txn);
	return r;
}

/* Counts what get_stored failed with, and drops what is damaged. */
static void get_failed(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		       int r)
{
	if (r == -EBADMSG && px_writer_mark(c->writer, PX_ITEM_DROP, key))
		px_counts_add(&c->counts, PX_COUNT_cache_damaged, 1);
	if (r == -EUCLEAN)
		px_counts_add(&c->counts, PX_COUNT_cache_damaged, 1);
	if (r != -EBADMSG && r != -ENOENT && r != -ESHUTDOWN)
		px_db_failed(c->db, r);
}

int px_cache_check_stored(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_blob *b = NULL;
	struct px_used used;
	int r = get_stored(c->db, key, &used, &b);

	if (r == 0)
		px_blob_unref(b);
	else
		get_failed(c, key, r);
	return r;
}

static int get_seeded(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		      struct px_blob **ret)
{
	struct px_used used;
	int r = c->seed ? get_stored(c->seed, key, &used, ret) : -ENOENT;

	if (r == 0) {
		px_counts_add(&c->counts, PX_COUNT_seeded, 1);
		px_counts_served(&c->counts, *ret);
	}
	return r < 0 && r != -ENOMEM ? -ENOENT : r;
}

/* The `used` row of a blob of the seed. -ENOENT, also if anything is wrong. */
static int find_seeded(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		       struct px_used *ret)
{
	MDB_txn *txn;
	int r = c->seed ? px_db_begin(c->seed, MDB_RDONLY, &txn) : -ENOENT;

	if (r < 0)
		return -ENOENT;
	r = px_table_get_used(c->seed, txn, key, ret);
	px_db_abort(c->seed, txn);
	return r < 0 ? -ENOENT : 0;
}

int px_cache_get(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_blob **ret)
{
	struct px_blob *blob = px_writer_find_blob(c->writer, key);
	struct px_used used = {0};
	int r;

	if (blob) {
		*ret = blob;
		px_counts_served(&c->counts, blob);
		return 0;
	}
	/* Memory first, then the database: an item leaves memory only after its
	 * commit, so that one of the two has it. */
	r = get_stored(c->db, key, &used, ret);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		get_failed(c, key, r);
		return get_seeded(c, key, ret);
	}
	px_counts_served(&c->counts, *ret);
	/* Another day, not only a later one: clocks are set back. */
	if (used.day != px_cache_today(&c->tuning))
		px_writer_mark(c->writer, PX_ITEM_TOUCH, key);
	return 0;
}

/* Fills *e from the database unless `has_entry`, and checks that its blob is
 * stored, here or in the seed: that is, has a `used` row. */
static int find_stored(struct px_cache *c, const uint8_t *index, bool has_entry,
		       struct px_cache_entry *e)
{
	struct px_used used = {0};
	MDB_txn *txn;
	int r = px_db_begin(c->db, MDB_RDONLY, &txn);

	if (r < 0)
		return r;
	if (!has_entry)
		r = px_table_get_index(c->db, txn, index, e);
	if (r == 0)
		r = px_table_get_used(c->db, txn, e->key, &used);
	px_db_abort(c->db, txn);
	if (r == -ENOENT && e->kind != 0)
		r = find_seeded(c, e->key, &used);
	if (r == 0 && (used.bytes != e->size + PX_BLOB_STORED_HEADER ||
		       used.kind != e->kind))
		return -ENOENT;
	return r;
}

int px_cache_index_get(struct px_cache *c, const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret)
{
	struct px_cache_entry e = {.size = 0};
	const bool has_entry = px_writer_find_entry(c->writer, index, &e);
	int r = 0;

	if (!has_entry || !px_writer_has_blob(c->writer, &e))
		r = find_stored(c, index, has_entry, &e);
	/* An entry from the database, whose blob is in memory only. */
	if (r == -ENOENT && e.kind != 0 && px_writer_has_blob(c->writer, &e))
		r = 0;
	if (r == 0) {
		*ret = e;
		return 0;
	}
	if (r != -ENOENT && r != -ESHUTDOWN)
		px_db_failed(c->db, r);
	return -ENOENT;
}

void px_cache_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		  struct px_blob *blob, uint32_t profile, const uint8_t *index,
		  const struct px_cache_entry *entry)
{
	px_writer_put(c->writer, key, blob, profile, index, entry);
}

int px_cache_put_file(struct px_cache *c, int fd, uint8_t ret[PX_DIGEST_SIZE])
{
	return px_shelf_put(&c->shelf, fd, ret);
}

int px_cache_name_file(int fd, uint8_t ret[PX_DIGEST_SIZE])
{
	return px_shelf_name(fd, ret);
}

int px_cache_open_file(struct px_cache *c, const uint8_t name[PX_DIGEST_SIZE],
		       int *ret_fd)
{
	int r = px_shelf_find(&c->shelf, name, ret_fd);

	if (r != -EBADMSG)
		return r;
	px_counts_add(&c->counts, PX_COUNT_cache_damaged, 1);
	return -ENOENT;
}

int px_cache_flush(struct px_cache *c)
{
	return px_writer_flush(c->writer);
}

uint64_t px_cache_queued(struct px_cache *c)
{
	return px_writer_queued(c->writer);
}

int px_cache_was_rebuilt(const struct px_cache *c)
{
	return c->rebuilt;
}
