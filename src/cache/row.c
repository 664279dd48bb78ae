/* SPDX-License-Identifier: MIT */
#include "row.h"

bool px_cache_is_stored(unsigned kind)
{
	return kind == PX_BLOB_CODE || kind == PX_BLOB_REJECTED ||
	       kind == PX_BLOB_NOTE;
}

void px_profile_key(uint32_t id, uint8_t ret[PX_CACHE_PROFILE_KEY])
{
	ret[0] = 'p';
	px_put_le32(ret + 1, id);
}

int px_used_decode(const MDB_val *v, struct px_used *ret)
{
	const uint8_t *p = v->mv_data;

	if (v->mv_size != PX_CACHE_USED_SIZE || !px_cache_is_stored(p[12]))
		return -EUCLEAN;
	ret->day = px_get_le32(p);
	ret->bytes = px_get_le64(p + 4);
	ret->kind = (enum px_blob_kind)p[12];
	ret->profile = px_get_le32(p + 13);
	return 0;
}

void px_used_encode(const struct px_used *u, uint8_t ret[PX_CACHE_USED_SIZE])
{
	px_put_le32(ret, u->day);
	px_put_le64(ret + 4, u->bytes);
	ret[12] = (uint8_t)u->kind;
	px_put_le32(ret + 13, u->profile);
}

int px_index_decode(const MDB_val *v, struct px_cache_entry *ret,
		    uint32_t *ret_day)
{
	const uint8_t *p = v->mv_data;

	if (v->mv_size != PX_CACHE_INDEX_SIZE || !px_cache_is_stored(p[0]) ||
	    p[1] > 1)
		return -ENOENT;
	ret->kind = (enum px_blob_kind)p[0];
	ret->nameless = p[1];
	*ret_day = px_get_le32(p + 2);
	ret->size = px_get_le64(p + 6);
	ret->mark = px_get_le64(p + 14);
	memcpy(ret->key, p + 22, PX_DIGEST_SIZE);
	return 0;
}

void px_index_encode(const struct px_cache_entry *e, uint32_t day,
		     uint8_t ret[PX_CACHE_INDEX_SIZE])
{
	ret[0] = (uint8_t)e->kind;
	ret[1] = e->nameless;
	px_put_le32(ret + 2, day);
	px_put_le64(ret + 6, e->size);
	px_put_le64(ret + 14, e->mark);
	memcpy(ret + 22, e->key, PX_DIGEST_SIZE);
}

int px_cache_damage(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind)
{
	/* Only where an intact header precedes the damaged payload is it sure
	 * that this is the row of that key. If the tree led to another row's
	 * pages, deleting the row would free pages that are in use. */
	return px_blob_begins(header, kind) ? -EBADMSG : -EUCLEAN;
}
