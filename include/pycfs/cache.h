/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_H
#define PX_CACHE_H
/*
 * The persistent cache, in LMDB. Three tables:
 *
 *   index  digest of a file's fingerprint and the profile -> blob key, size
 *   blob   digest of source bytes and profile -> a stored blob (blob.h)
 *   used   blob key -> day of last use, bytes, profile
 *
 * Reads take a read transaction and never wait for a writer. Writes are
 * queued; one thread commits them in batches, and what is queued can already
 * be read. Nothing that goes wrong here is the reader's trouble: a get that
 * fails is a miss, a put that fails is forgotten and counted.
 *
 * Threads: any, after px_cache_open. Not across fork: an LMDB environment
 * belongs to the process that opened it (lmdb.h 0.9.24, "Caveats").
 * Owns: <lmdb.h>.
 */

#include "pycfs/blob.h"
#include "pycfs/stats.h"

struct px_cache;

/* What the index knows of a file. */
struct px_cache_entry {
	uint8_t key[PX_DIGEST_SIZE]; /* of its blob */
	enum px_blob_kind kind;
	uint64_t size; /* bytes of the blob's data */
};

struct px_cache_options {
	const char *dir;    /* made with mode 0700 if missing; NULL: a private
			     * temporary one that vanishes with the process */
	uint64_t max_bytes; /* of stored blobs; eviction keeps below it */
	struct px_stats *stats;
};

/*
 * Opens the cache. Returns 0, or with a sentence in `why`:
 *   -EADDRINUSE  a process with our PID, in another PID namespace, uses this
 *                cache: LMDB marks a reader by a file lock at offset PID
 *                (mdb.c 0.9.24, mdb_reader_pid). Fork and try again.
 *   -ETIMEDOUT   a lock in LMDB's lock file is not let go: its holder is
 *                stopped, or somebody wrote over the file (5 s)
 *   -EPERM       it must not be used: somebody else than root could write it
 *   -EACCES, -EROFS, -ENOSPC, -ENOTDIR, ...
 *                it cannot be used: not writable, root's, no directory
 */
int px_cache_open(const struct px_cache_options *o, struct px_cache **ret,
		  struct px_why *why);

/* Whether the database found at open was damaged or of another format, and a
 * fresh one was started in its place. Worth a warning. */
bool px_cache_was_rebuilt(const struct px_cache *c);

/*
 * Also takes what the cache in `dir` has, which is only read: found there, a
 * blob is served as if it were here, and not copied. It may be on a read-only
 * file system and belong to root; it must not be written meanwhile (what is,
 * is not found). Once, before any get. 0, or with a sentence in `why`:
 *   -EPERM    others can write there: it must not be used
 *   -ENOENT   no cache is there, or one of another format
 *   -EUCLEAN  it is damaged; or another -errno
 */
int px_cache_seed(struct px_cache *c, const char *dir, struct px_why *why);

/* Commits what is queued (5 s at most) and closes. NULL is fine. */
void px_cache_close(struct px_cache *c);

/* 0, or -ENOENT: unknown, or anything wrong. */
int px_cache_index_get(struct px_cache *c, const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret);

/* One reference in *ret, checked against its digest. -ENOENT: unknown, damaged
 * (dropped and counted), or anything wrong; -ENOMEM. Marks it as used. */
int px_cache_get(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_blob **ret);

/* A number for `text`, which says how modules are compiled, "Python 3.12.1,
 * level 2"; what is put under it is told apart by px_cache_info. 0: none, also
 * when there are too many. */
uint32_t px_cache_profile(struct px_cache *c, const char *text);

/* Queues a blob, and the index entry that leads to it unless `index` is NULL.
 * `blob` may be NULL if it is stored already. Takes its own reference. A blob
 * of kind PX_BLOB_FAILED is readable until the cache is closed, but not
 * stored. Never blocks; failures are counted. */
void px_cache_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		  struct px_blob *blob, uint32_t profile, const uint8_t *index,
		  const struct px_cache_entry *entry);

/* Waits until all that was queued before is committed, 5 s at most. */
int px_cache_flush(struct px_cache *c);

/* Bytes queued and not yet committed. */
uint64_t px_cache_queued(struct px_cache *c);

/* Profiles told apart in px_cache_info. */
#define PX_CACHE_MAX_PROFILES 64
#define PX_CACHE_PROFILE_SIZE 80 /* of its text, with the NUL */

struct px_cache_profile {
	uint32_t id;
	char text[PX_CACHE_PROFILE_SIZE]; /* "" if it is not known any more */
	uint64_t n_blobs;
	uint64_t bytes;
};

struct px_cache_info {
	uint64_t n_blobs;
	uint64_t n_rejected;
	uint64_t n_notes; /* of reports */
	uint64_t n_index;
	uint64_t blob_bytes; /* of stored blobs */
	uint64_t file_bytes; /* of disk used by the database */
	uint64_t max_bytes;
	uint32_t oldest_day; /* of last use, in days since 1970 */
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	size_t n_profiles;
	uint64_t n_served; /* blobs found, by all that used the cache */
	uint64_t n_added;  /* blobs that were not, and were put */
};

/* Reads every `used` row; -errno. */
int px_cache_info(struct px_cache *c, struct px_cache_info *ret);

/* Forgets what was last used more than so many days ago (UINT32_MAX: nothing
 * is), and then the oldest until no more than `max_bytes` are left. What went:
 * *ret_n blobs of *ret_bytes. The file keeps its size; others will use it.
 * Nothing may be put through `c` meanwhile. */
int px_cache_gc(struct px_cache *c, uint32_t max_age_days, uint64_t max_bytes,
		uint64_t *ret_n, uint64_t *ret_bytes);

/* Reads all of it and drops what is damaged. What is evicted meanwhile is not
 * counted, and nothing counts as used by this. -errno. */
int px_cache_verify(struct px_cache *c, uint64_t *ret_n, uint64_t *ret_damaged);

/* Forgets everything. Other processes using the cache see it empty. */
int px_cache_clear(struct px_cache *c);

#endif
