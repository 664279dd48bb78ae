/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_H
#define PX_CACHE_H
/*
 * The persistent cache, in LMDB. Its tables, beside one for sums:
 *
 *   index  digest of a file's fingerprint and the profile -> blob key, size
 *   blob   digest of source bytes and profile -> a stored blob (blob.h)
 *   used   blob key -> day of last use, bytes, profile
 *
 * A profile says how modules are compiled: by which Python, at which level.
 *
 * Reading never waits for a writer. What is put is queued, and one thread
 * commits it in batches; until then it is read from memory. Failures are not
 * the caller's concern: a get that fails is a miss, and a blob that cannot be
 * stored stays in memory as long as there is room; both are counted.
 *
 * Threads: any, between px_cache_open and px_cache_close. Not across fork: an
 * LMDB environment belongs to the process that opened it (lmdb.h 0.9.24,
 * "Caveats").
 * Owns: <lmdb.h>.
 */

#include "pycfs/blob.h"
#include "pycfs/stats.h"

struct px_cache;

/* What the index leads to. */
struct px_cache_entry {
	uint8_t key[PX_DIGEST_SIZE]; /* the blob's */
	enum px_blob_kind kind;
	bool nameless; /* px_blob.name_at is not 0 */
	uint64_t size; /* bytes of the blob's data */
	/* Of these bytes, as its writer makes it, to tell other bytes of the
	 * same size apart without reading the blob. */
	uint64_t mark;
};

struct px_cache_options {
	const char *dir;    /* made with mode 0700 if missing; NULL: a private
			     * temporary one that vanishes with the process */
	uint64_t max_bytes; /* of stored blobs; beyond it, blobs are evicted */
	struct px_stats *stats; /* borrowed until px_cache_close returns */
};

/*
 * Opens the cache. Returns 0, or with a sentence in `why`:
 *   -EADDRINUSE  a process with our PID, in another PID namespace, uses this
 *                cache: LMDB marks a reader by a file lock at offset PID
 *                (mdb.c 0.9.24, mdb_reader_pid). Fork and try again.
 *   -ETIMEDOUT   a lock in LMDB's lock file was not released for 5 s: its
 *                holder is stopped, or somebody wrote over the file
 *   -EPERM       it must not be used, because others than we and root can
 *                write to it
 *   -EACCES, -EROFS, -ENOSPC, -ENOTDIR, ...
 *                it cannot be used: it is not writable, belongs to root, or is
 *                no directory
 */
int px_cache_open(const struct px_cache_options *o, struct px_cache **ret,
		  struct px_why *why);

/* Whether px_cache_open started an empty database in place of the one that it
 * found. 0: no; -EUCLEAN: that was damaged, or is no database of LMDB's;
 * -EPROTONOSUPPORT: it is of a newer LMDB's format. */
int px_cache_was_rebuilt(const struct px_cache *c);

/*
 * Adds the cache in `dir` as a second place to look for blobs. It is only read;
 * what is found there is served and not copied. It may be on a read-only file
 * system and belong to root. What another process writes to it from now on may
 * be found or not. To be called once, before any get. 0, or with a sentence in
 * `why`:
 *   -EPERM    it must not be used, because others can write there
 *   -ENOENT   no cache is there, or one of another version of pycfs's format
 *   -EUCLEAN  it is damaged
 *   -EPROTONOSUPPORT  it is of a newer LMDB's format
 *   another -errno
 */
int px_cache_seed(struct px_cache *c, const char *dir, struct px_why *why);

/* Commits what is queued, which blocks for 5 s at most, and closes. What is not
 * committed by then is lost. NULL is fine. */
void px_cache_close(struct px_cache *c);

/* The entry for a file, if its blob is there as well. 0, or -ENOENT, also if
 * anything is wrong. */
int px_cache_index_get(struct px_cache *c, const uint8_t index[PX_DIGEST_SIZE],
		       struct px_cache_entry *ret);

/* A blob that was checked against its digest; the caller owns the reference in
 * *ret. Marks it as used today. -ENOENT, also if it is damaged (it is dropped
 * and counted then) or anything is wrong; -ENOMEM. */
int px_cache_get(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_blob **ret);

/* The number of the profile that `text` describes ("Python 3.12.1, level 2"),
 * for px_cache_put. px_cache_info has a sum for each profile. 0: there are too
 * many profiles; what is put with 0 is in none of those sums. */
uint32_t px_cache_profile(struct px_cache *c, const char *text);

/* Queues a blob, and the index entry that leads to it unless `index` is NULL.
 * `blob` may be NULL if it is stored already; else the cache takes a reference
 * of its own. A blob of kind PX_BLOB_FAILED is not stored, but can be read
 * until the cache is closed. Waits for no commit; failures are counted. */
void px_cache_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		  struct px_blob *blob, uint32_t profile, const uint8_t *index,
		  const struct px_cache_entry *entry);

/*
 * A note is a stored blob that is no module: what was found out about a file at
 * some cost, under a key that its reader made of the file's fingerprint. It is
 * evicted as modules are.
 */

/* Stores a note of `n` bytes; as px_cache_put. A failure is ignored. */
void px_note_put(struct px_cache *c, const uint8_t key[PX_DIGEST_SIZE],
		 const void *note, size_t n);
/* A note of at least `n` bytes, as a reference that the caller owns; NULL if
 * there is none. */
struct px_blob *px_note_find(struct px_cache *c,
			     const uint8_t key[PX_DIGEST_SIZE], size_t n);

/*
 * What is too large for a note lies in a file of its own beside the database,
 * named by the digest of its bytes. All such files together are at most
 * px_cache_options.max_bytes; the one that was not used for the longest time
 * goes first. A temporary cache keeps none.
 */

/* Stores what is open as `fd`, from its beginning on, whose position does not
 * change; *ret is its name. If it cannot be stored, it is not found later, and
 * that is no error. -errno: it cannot be read; -ENOMEM. Blocks. */
int px_cache_put_file(struct px_cache *c, int fd, uint8_t ret[PX_DIGEST_SIZE]);
/* The name that what is open as `fd` would have; as px_cache_put_file. */
int px_cache_name_file(int fd, uint8_t ret[PX_DIGEST_SIZE]);
/* Opens it for reading; the caller closes *ret_fd. What is open has the digest
 * that it is named by. -ENOENT: it is not there, or was damaged, which is
 * counted; -ENOMEM. Blocks. */
int px_cache_open_file(struct px_cache *c, const uint8_t name[PX_DIGEST_SIZE],
		       int *ret_fd);

/* Waits until all that was queued before is committed. -ETIMEDOUT after 5 s, or
 * the -errno of a commit that failed. */
int px_cache_flush(struct px_cache *c);

/* Bytes queued and not yet committed. */
uint64_t px_cache_queued(struct px_cache *c);

/* The most profiles that px_cache_info can tell apart. */
#define PX_CACHE_MAX_PROFILES 64
#define PX_CACHE_PROFILE_SIZE 128 /* of its text, with the NUL */
/* What stands in such a text before who signed its modules, at its end. */
#define PX_CACHE_SIGNED_BY ", signed by "

struct px_cache_profile {
	uint32_t id;
	char text[PX_CACHE_PROFILE_SIZE]; /* "" if the database has none */
	uint64_t n_blobs;
	uint64_t bytes;
};

struct px_cache_info {
	uint64_t n_blobs;
	uint64_t n_rejected; /* of them, modules that the compiler refused */
	uint64_t n_notes;    /* of them, notes: see px_note_put */
	uint64_t n_index;    /* entries of the index */
	uint64_t blob_bytes; /* of stored blobs */
	uint64_t file_bytes; /* of disk that the database takes */
	uint64_t n_kept;     /* files beside the database */
	uint64_t kept_bytes; /* of these */
	uint64_t max_bytes;
	uint32_t oldest_day; /* of last use, in days since 1970 */
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	size_t n_profiles;
	/* By all processes that ever used the cache: modules that were found,
	 * and modules that were put because they were not. */
	uint64_t n_served;
	uint64_t n_added;
};

/* Reads all rows of the table `used`. -errno. */
int px_cache_info(struct px_cache *c, struct px_cache_info *ret);

/* Deletes the blobs that were last used more than `max_age_days` days ago
 * (UINT32_MAX: none), and then the oldest until no more than `max_bytes` bytes
 * are left; and in the same way files beside the database. *ret_n blobs and
 * files of *ret_bytes bytes were deleted. The database's file keeps its
 * size, and new blobs use the room. Nothing may be put through `c` meanwhile.
 * -errno. */
int px_cache_gc(struct px_cache *c, uint32_t max_age_days, uint64_t max_bytes,
		uint64_t *ret_n, uint64_t *ret_bytes);

/* Deletes the modules whose profile says that `name` has signed them
 * (PX_CACHE_SIGNED_BY): *ret_n blobs of *ret_bytes bytes. Nothing may be put
 * through `c` meanwhile. -errno. */
int px_cache_clear_by(struct px_cache *c, const char *name, uint64_t *ret_n,
		      uint64_t *ret_bytes);

/* Reads all blobs and files and drops the damaged ones: *ret_damaged of *ret_n.
 * Those that another process evicts meanwhile are not counted. No blob is
 * marked as used. -errno. */
int px_cache_verify(struct px_cache *c, uint64_t *ret_n, uint64_t *ret_damaged);

/*
 * Writes the database anew, as small as it can be, and puts it into the place
 * of the old one; *ret_before and *ret_after are the bytes of disk that they
 * take. `c` and other processes that have the cache open go on with the old
 * one, and what they store from now on is lost with it. A temporary cache stays
 * as it is. -EUCLEAN: it is damaged; another -errno, and then it is as it was.
 */
int px_cache_compact(struct px_cache *c, uint64_t *ret_before,
		     uint64_t *ret_after);

/* Deletes everything, also what is queued. Other processes that use the cache
 * see it empty. Waits for writers of all processes. -errno. */
int px_cache_clear(struct px_cache *c);

#endif
