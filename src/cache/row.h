/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_ROW_H
#define PX_CACHE_ROW_H
/*
 * The stored form of the rows. Numbers are little-endian; whoever changes a
 * form changes PX_CACHE_SUBDIR (dir.h) as well.
 *
 *   table  key -> value
 *   blob   key -> a stored blob (blob.h)
 *   used   key -> le32 day, le64 bytes of the blob row, u8 kind, le32 profile
 *   index  index -> u8 kind, u8 nameless, le32 day, le64 size, le64 mark, key
 *   meta   "total" -> le64 bytes of all blob rows; "tick", "served",
 *          "added" -> le64; "p" and le32 profile -> the profile's text
 *
 * A key is the digest of source bytes and profile, an index the digest of a
 * file's fingerprint and the profile, PX_DIGEST_SIZE bytes each. A day is
 * CLOCK_REALTIME / 86400 s.
 *
 * A blob row and its `used` row are written and deleted in one transaction.
 * Every read checks that they agree, because LMDB has no checksums, and a wrong
 * length could lead a read past the end of the file (SIGBUS).
 */

#include "pycfs/cache.h"

#include "mdb.h"

#define PX_CACHE_USED_SIZE   17
#define PX_CACHE_INDEX_SIZE  (22 + PX_DIGEST_SIZE)
#define PX_CACHE_PROFILE_KEY 5

struct px_used {
	uint32_t day; /* of last use */
	uint64_t bytes;
	enum px_blob_kind kind;
	uint32_t profile;
};

/* Whether blobs of that kind may be in the database. */
bool px_cache_is_stored(unsigned kind);

/* 0, or -EUCLEAN if it is not the form of such a row. */
int px_used_decode(const MDB_val *v, struct px_used *ret);
void px_used_encode(const struct px_used *u, uint8_t ret[PX_CACHE_USED_SIZE]);

/* 0, or -ENOENT if it is not the form of such a row: an entry that cannot be
 * read is as good as none. *ret_day is the day it was written. */
int px_index_decode(const MDB_val *v, struct px_cache_entry *ret,
		    uint32_t *ret_day);
void px_index_encode(const struct px_cache_entry *e, uint32_t day,
		     uint8_t ret[PX_CACHE_INDEX_SIZE]);

/* The key of a profile's text in the table `meta`. */
void px_profile_key(uint32_t id, uint8_t ret[PX_CACHE_PROFILE_KEY]);

/* How much is damaged where a stored blob fails its checksum. `header` is what
 * it begins with, `kind` what its `used` row says. -EBADMSG: its payload alone,
 * so that the row can be deleted; -EUCLEAN: perhaps the trees that led to it,
 * and then what was read may belong to another row. */
int px_cache_damage(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind);

#endif
