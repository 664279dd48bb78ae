/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_I_H
#define PX_CACHE_I_H
/*
 * The inside of the cache, shared by src/cache*.c and its unit test.
 *
 *   cache.c          get, put, flush, errors
 *   cache_open.c     the LMDB environment: open, rebuild, close
 *   cache_dir.c      the directory it lies in: who may write there
 *   cache_pages.c    the pages of LMDB's file, checked before LMDB is let in
 *   cache_page.c     one such page
 *   cache_look.c     rows found in them without LMDB
 *   cache_pending.c  what is queued or cannot be stored, readable from memory
 *   cache_writer.c   the thread that commits batches
 *   cache_evict.c    the size bound, gc, verify, clear
 *   cache_info.c     what there is
 *   cache_row.c      rows as bytes
 *   cache_seed.c     another cache that is only read
 *   cache_bus.c      pages of the map that cannot be read
 *
 * Stored forms, numbers little-endian (a change needs a new PX_CACHE_SUBDIR):
 *
 *   blob   key -> a stored blob (blob.h)
 *   used   key -> le32 day, le64 bytes of the blob row, u8 kind, le32
 *          profile
 *   index  index -> u8 kind, le32 day, le64 size, key
 *   meta   "total" -> le64 bytes of all blob rows; "tick", "served",
 *          "added" -> le64; "p" and le32 profile -> its text
 *
 * A day is CLOCK_REALTIME / 86400 s. A blob row and its `used` row are
 * written and deleted in one transaction; that they agree is checked at every
 * read, because LMDB has no checksums and a wrong length could lead a read
 * past the end of the file (SIGBUS).
 *
 * Lock order: map_lock, LMDB's writer mutex, lock.
 */

#include "pycfs/cache.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * LMDB's lock file holds the C library's mutexes, so processes of another
 * libc or machine (Alpine and Debian stages, arm64 beside amd64 under binfmt)
 * must not meet on one: with one cache mount each gets its own directory.
 */
#if defined(__x86_64__)
#define PX_CACHE_MACHINE "x86_64"
#elif defined(__aarch64__)
#define PX_CACHE_MACHINE "aarch64"
#else
#define PX_CACHE_MACHINE "other"
#endif
#if defined(__GLIBC__)
#define PX_CACHE_LIBC "gnu"
#else
#define PX_CACHE_LIBC "other"
#endif
#define PX_CACHE_SUBDIR	    "v3-" PX_CACHE_MACHINE "-" PX_CACHE_LIBC
#define PX_CACHE_BAD	    PX_CACHE_SUBDIR ".damaged"
#define PX_CACHE_DATA	    "data.mdb" /* lmdb.h, mdb_env_open */
#define PX_CACHE_LOCK	    "lock.mdb"

#define PX_CACHE_USED_SIZE  17
#define PX_CACHE_INDEX_SIZE (13 + PX_DIGEST_SIZE)

enum px_cache_table {
	PX_TABLE_INDEX,
	PX_TABLE_BLOB,
	PX_TABLE_USED,
	PX_TABLE_META,
	PX_N_TABLES
};

/* For tests; zero means the default. */
struct px_cache_tuning {
	uint64_t map_bytes;	/* LMDB's map: the largest database */
	uint64_t kept_bytes;	/* of what could not be stored */
	uint64_t pending_bytes; /* queued and not yet committed */
	unsigned delay_ms;	/* before a small batch is committed */
	unsigned give_up_ms;	/* flush and close */
	const _Atomic uint32_t *today;
};

/* ---- cache_pending.c: everything here is under the cache's lock ---- */

enum px_item_kind {
	PX_ITEM_BLOB,
	PX_ITEM_INDEX,
	PX_ITEM_TOUCH, /* mark a blob as used today */
	PX_ITEM_DROP,  /* delete a damaged blob */
};

enum px_item_place {
	PX_PLACE_QUEUED, /* waits for the writer, oldest first */
	PX_PLACE_BUSY,	 /* in the writer's transaction */
	PX_PLACE_KEPT,	 /* cannot be stored; least recently used first */
	PX_PLACE_PINNED, /* not to be stored; stays until the cache closes */
	PX_N_PLACES
};

struct px_item {
	struct px_item *chain; /* same bucket */
	struct px_item *prev;  /* same place */
	struct px_item *next;
	enum px_item_kind kind;
	enum px_item_place place;
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *blob;	     /* BLOB */
	uint32_t profile;	     /* BLOB */
	struct px_cache_entry entry; /* INDEX */
	uint64_t seq;
	int64_t queued_ms;
	uint64_t cost;
	bool forgotten; /* by a clear, while BUSY: in no bucket */
	bool evicted;	/* the writer's: its row did not stay */
};

struct px_item_list {
	struct px_item *first;
	struct px_item *last;
	uint64_t bytes;
};

struct px_pending {
	struct px_item **bucket;
	size_t n_buckets; /* a power of two */
	size_t n_items;
	struct px_item_list place[PX_N_PLACES];
	uint64_t last_seq;
	uint64_t kept_max;
};

int px_pending_init(struct px_pending *p, uint64_t kept_max);
void px_pending_fini(struct px_pending *p);
struct px_item *px_pending_find(const struct px_pending *p,
				enum px_item_kind kind,
				const uint8_t key[PX_DIGEST_SIZE]);
/* Adds an item that is not there yet; takes its own reference of `blob`.
 * NULL: no memory. */
struct px_item *px_pending_add(struct px_pending *p, enum px_item_kind kind,
			       const uint8_t key[PX_DIGEST_SIZE],
			       struct px_blob *blob,
			       const struct px_cache_entry *entry,
			       enum px_item_place place);
/* Moves to the end of a place. What KEPT no longer holds is freed, but never
 * the last one that came. */
void px_pending_move(struct px_pending *p, struct px_item *it,
		     enum px_item_place place);
/* Removes and frees. */
void px_pending_remove(struct px_pending *p, struct px_item *it);
/* For an item that will not be stored: kept, pinned or freed by its kind. */
void px_pending_give_up(struct px_pending *p, struct px_item *it);
/* Takes a BUSY item out of its bucket: it is freed once its batch is done. */
void px_pending_unlist(struct px_pending *p, struct px_item *it);
/* Frees all but the BUSY items, which no longer can be found. */
void px_pending_forget(struct px_pending *p);
/* The sequence number of the oldest item QUEUED or BUSY, or UINT64_MAX. */
uint64_t px_pending_oldest(const struct px_pending *p);

/* ---- cache_look.c: rows found without LMDB ---- */

struct px_pages_table {
	size_t root;
	unsigned depth;
};

struct px_kept_pages;

struct px_pages {
	int fd; /* not ours */
	uint64_t txnid;
	struct px_kept_pages *kept; /* not ours; NULL: none are */
	size_t page_size;
	size_t n_pages;
	struct px_pages_table names;
};

/* What one transaction sees. */
struct px_snapshot {
	bool known;
	uint64_t txnid;
	struct px_pages file;
	struct px_pages_table table[PX_N_TABLES];
};

/* ---- the cache ---- */

struct px_cache {
	MDB_env *env;
	MDB_dbi dbi[PX_N_TABLES];
	int dir_fd; /* DIR; -1 if temporary */
	int sub_fd; /* DIR/PX_CACHE_SUBDIR; -1 if temporary */
	uint64_t max_bytes;
	struct px_cache_tuning tuning;
	struct px_seed *seed; /* NULL: none */
	struct px_readers *readers;
	int bus;		     /* px_bus_watch's, or -1 */
	_Atomic uint64_t file_bytes; /* the longest that it was seen */
	bool rebuilt;
	/* Damaged or without a map: memory only from now on. */
	atomic_bool broken;
	/* Read-locked around every transaction, because mdb_env_set_mapsize
	 * must not run beside one. Only ever try-locked for writing: a writer
	 * may wait for another process while it holds this. */
	pthread_rwlock_t map_lock;

	pthread_mutex_t lock;
	pthread_cond_t wake; /* the writer; CLOCK_MONOTONIC */
	pthread_cond_t done; /* a batch, or the writer, ended;
			      * CLOCK_MONOTONIC */
	/* under lock: */
	struct px_stats *stats; /* NULL once the caller is gone */
	struct px_pending pending;
	struct px_cache_profile profile[PX_CACHE_MAX_PROFILES];
	size_t n_profiles;
	uint64_t served, added;		  /* not yet in the database's sums */
	struct px_kept_pages *kept_pages; /* has its own lock; may be NULL */
	struct px_snapshot snapshot;	  /* the last that was looked at */
	uint64_t flush_to;		  /* commit up to this number at once */
	uint64_t failed_seq; /* the last item of the last batch given up */
	int failed_err;
	bool stop;
	bool ended; /* the writer */

	bool has_thread;
	pthread_t thread;
};

/* ---- cache_row.c ---- */

struct px_used {
	uint32_t day;
	uint64_t bytes;
	enum px_blob_kind kind;
	uint32_t profile;
};

/* Whether blobs of that kind may be in the database. */
bool px_cache_is_stored(unsigned kind);
/* -EUCLEAN */
int px_used_decode(const MDB_val *v, struct px_used *ret);
void px_used_encode(const struct px_used *u, uint8_t ret[PX_CACHE_USED_SIZE]);
/* -ENOENT */
int px_index_decode(const MDB_val *v, struct px_cache_entry *ret,
		    uint32_t *ret_day);
/* What is wrong with a blob that is damaged: -EBADMSG, its bytes; -EUCLEAN, the
 * way to it, and what is there may be another's. */
int px_cache_damage(const uint8_t header[PX_BLOB_STORED_HEADER],
		    enum px_blob_kind kind);
/* The key of a profile's text. */
#define PX_CACHE_PROFILE_KEY 5
void px_profile_key(uint32_t id, uint8_t ret[PX_CACHE_PROFILE_KEY]);

/* ---- cache.c ---- */

/* LMDB's and the system's positive codes to -errno. */
int px_cache_err(int rc);
void px_cache_count(struct px_cache *c, enum px_counter counter, uint64_t n);
void px_cache_count_locked(struct px_cache *c, enum px_counter counter,
			   uint64_t n);
/* Counts an error; -EUCLEAN also ends the use of the database and removes
 * it. Returns r. */
int px_cache_failed(struct px_cache *c, int r);
uint32_t px_cache_today(const struct px_cache *c);

/* A transaction with the map held in place. -errno. */
int px_cache_begin(struct px_cache *c, unsigned flags, MDB_txn **ret);
/* The same, in which LMDB must not be asked for anything but its number. */
int px_cache_hold(struct px_cache *c, unsigned flags, MDB_txn **ret);
void px_cache_abort(struct px_cache *c, MDB_txn *txn);
int px_cache_commit(struct px_cache *c, MDB_txn *txn);

static inline MDB_val px_val(const void *data, size_t n)
{
	MDB_val v;

	v.mv_size = n;
	/* LMDB writes through no pointer it is given as a key or value. */
	memcpy(&v.mv_data, &data, sizeof(data));
	return v;
}

/* One row; -ENOENT, -EUCLEAN if its form is wrong. */
int px_cache_read_used(struct px_cache *c, MDB_txn *txn,
		       const uint8_t key[PX_DIGEST_SIZE], struct px_used *ret);
/* The blob row of `key` and its `used` row. -ENOENT; -EBADMSG: the payload is
 * damaged; -EUCLEAN: the database is; -ENOMEM; -EIO. `ret` may be NULL: not
 * decoded. */
int px_cache_read_blob(struct px_cache *c, MDB_txn *txn,
		       const uint8_t key[PX_DIGEST_SIZE], struct px_used *used,
		       struct px_blob **ret);

/* Whether a blob is in the database and sound; who asks does not use it. 0;
 * -ENOENT: it is not (any more); -EBADMSG, -EUCLEAN: it was damaged, and is
 * dropped, alone or with the database; -ESHUTDOWN: the database has been;
 * -ENOMEM; errors as px_look_begin. */
int px_cache_check_stored(struct px_cache *c,
			  const uint8_t key[PX_DIGEST_SIZE]);

/* ---- cache_open.c ---- */

extern const char *const px_table_names[PX_N_TABLES];

int px_cache_open_tuned(const struct px_cache_options *o,
			const struct px_cache_tuning *tuning,
			struct px_cache **ret, struct px_why *why);
/* Takes in that another process has made the map larger. -errno. */
int px_cache_remap(struct px_cache *c);

/* ---- cache_dir.c ---- */

/* -EPERM and a sentence, which ends in `ways_out`, if everybody can put another
 * in place of `dir`. */
int px_cache_dir_check_ways(const char *dir, const char *ways_out,
			    struct px_why *why);
/* Opens the directory that mkdtemp has just made. -EPERM and a sentence if it
 * is not that any more: not ours, open to others, or with a database in it;
 * -errno and a sentence. */
int px_cache_dir_private(const char *path, int *ret_fd, struct px_why *why);
/* Opens DIR, made if missing. -errno and a sentence. */
int px_cache_dir_open(const char *path, int *ret_fd, struct px_why *why);
/* Opens the database's own directory, made if missing, and checks what is in
 * it: -errno and a sentence; -EUCLEAN: damaged. */
int px_cache_dir_sub(int dir_fd, const char *path, int *ret_fd,
		     struct px_why *why);
/* Allocates the lock file if it is missing. -errno. */
int px_cache_dir_lock_file(int sub_fd);
/* Puts the database's directory aside and deletes it, if it still is the one
 * that `sub_fd` (or -1: any) has open. */
void px_cache_dir_discard(int dir_fd, int sub_fd);
/* Keeps others from opening or discarding meanwhile, 5 s at most. */
void px_cache_dir_acquire(int dir_fd);
void px_cache_dir_release(int dir_fd);
/* Removes the files of a directory with a database in it. */
void px_cache_dir_empty(int sub_fd);

/* ---- cache_pages.c ---- */

/* The two meta pages of a file that may be in use. 0 (also if it is empty),
 * -EUCLEAN, or -errno. */
int px_pages_check_metas(int fd);
/* Of a file that nobody writes. */
int px_pages_check_metas_once(int fd);
/*
 * Every page of the file that transaction `txnid` can reach. The transaction
 * must be open: it keeps its pages from being written to. Large values are not
 * looked at. 0; -EUCLEAN: do not use it; -EAGAIN: two commits went by since the
 * transaction began, begin another; -ENOMEM.
 */
int px_pages_check(int fd, uint64_t txnid);
/* Whether the value of a key of PX_DIGEST_SIZE has as many pages of its own, if
 * any, as LMDB will free when it is deleted. */
bool px_pages_is_value_sane(const void *data, size_t size, size_t page_size);

/* ---- cache_look.c ---- */

/* What the newest transaction sees. -EUCLEAN, -errno. */
int px_pages_open(int fd, struct px_pages *ret);
/* -ENOENT, -EUCLEAN, -ENOMEM. */
int px_pages_find_table(const struct px_pages *f, const char *name,
			struct px_pages_table *ret);
/* Where the value of `key` lies in the file: *ret_at bytes from its begin,
 * *ret_size bytes, both within what the file says it has. Errors as above. */
int px_pages_find(const struct px_pages *f, const struct px_pages_table *t,
		  const void *key, size_t size, off_t *ret_at,
		  size_t *ret_size);
/* A small value; -EBADMSG: it has not just `size` bytes. */
int px_pages_row(const struct px_pages *f, const struct px_pages_table *t,
		 const void *key, size_t key_size, void *ret, size_t size);
/* Pages of trees in memory, for any thread. NULL: ENOMEM, and is fine. */
struct px_kept_pages *px_kept_pages_new(size_t page_size);
void px_kept_pages_free(struct px_kept_pages *k);
/* What transaction `txnid` sees, which must be open. -EAGAIN: two commits went
 * by since it began, begin another; -EUCLEAN. */
int px_pages_open_at(int fd, uint64_t txnid, size_t page_size,
		     struct px_pages *ret);

/* A transaction that keeps the pages it sees from being written to. */
struct px_look {
	MDB_txn *txn;
	struct px_snapshot seen;
};

/* Errors as px_cache_begin; -EAGAIN: somebody commits all the time. */
int px_look_begin(struct px_cache *c, struct px_look *ret);
void px_look_end(struct px_cache *c, struct px_look *l);
/* -ENOENT, also if its form is wrong; -EUCLEAN: the database is damaged;
 * -ENOMEM. */
int px_look_index(const struct px_look *l, const uint8_t index[PX_DIGEST_SIZE],
		  struct px_cache_entry *ret);
int px_look_used(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret);
/* As px_cache_read_blob. */
int px_look_blob(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *used, struct px_blob **ret);

/* ---- cache_seed.c ---- */

void px_seed_close(struct px_seed *s);
/* The `used` row of a blob. -ENOENT: unknown, or anything wrong. */
int px_seed_find(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret);
/* As px_cache_get. */
int px_seed_get(const struct px_seed *s, const uint8_t key[PX_DIGEST_SIZE],
		struct px_blob **ret);

/* ---- cache_readers.c ---- */

struct px_readers;

/* Begins the reading transactions; `env` is of MDB_NOTLS. Waits `give_up_ms` at
 * most: -ETIMEDOUT, and then *ret and `env` are used for ever. -EAGAIN,
 * -EACCES: another process has our PID; -errno. Close *ret, if it is set, in
 * any case. */
int px_readers_open(MDB_env *env, unsigned give_up_ms, struct px_readers **ret);
/* Ends and frees them, when none is taken. False: one is being begun, still;
 * `env` must not be closed. NULL is fine. */
bool px_readers_close(struct px_readers *rs);
/* One of them, begun anew; waits until another thread puts one back if there is
 * none. LMDB's codes. */
int px_readers_take(struct px_readers *rs, MDB_txn **ret);
/* Ends it, to be taken again. False: it is none of them, nothing was done. */
bool px_readers_put(struct px_readers *rs, MDB_txn *txn);
/* It is the caller's from now on, who commits it, which frees it. */
void px_readers_forget(struct px_readers *rs, const MDB_txn *txn);

/* ---- cache_bus.c ---- */

/* From now on a page of this map that cannot be read is one of zeros. What to
 * give to px_bus_forget before it is unmapped; -1: it cannot be done. */
int px_bus_watch(MDB_env *env);
void px_bus_forget(int slot);
/* Takes the map's pages out of this process, as it does with each page what
 * lies around it; they come back when looked at. The map must stay where it is
 * meanwhile. */
void px_bus_let_go(int slot);
/* Whether there was one. */
bool px_bus_hit(int slot);

/* ---- cache_writer.c ---- */

#define PX_CACHE_BATCH_BYTES (4u << 20) /* that wake the writer */

int px_writer_start(struct px_cache *c);
/* Joins the thread; false if it is stuck. */
bool px_writer_stop(struct px_cache *c);
/* Forgets everything that is in memory, and waits until the batch that is being
 * written has ended: whatever it commits is in the database then. */
void px_writer_clear(struct px_cache *c);
int px_cache_get_number(struct px_cache *c, MDB_txn *txn, const char *name,
			uint64_t *ret);
int px_cache_set_number(struct px_cache *c, MDB_txn *txn, const char *name,
			uint64_t v);

/* ---- cache_evict.c ---- */

/* The bound that holds: max_bytes, or less if the map is small. */
uint64_t px_cache_bound(struct px_cache *c);
/* Deletes blobs, longest unused first, until *total <= target; the running
 * batch's last. Sets *total to the true sum and adds to *ret_n. */
int px_cache_evict(struct px_cache *c, MDB_txn *txn, uint64_t target,
		   uint64_t *total, uint64_t *ret_n);
/* Deletes one row; 0 also if there is none. -EUCLEAN: the row is damaged. */
int px_cache_delete(struct px_cache *c, MDB_txn *txn, enum px_cache_table table,
		    const uint8_t key[PX_DIGEST_SIZE]);
/* Drops the oldest index rows if there are far more than blobs. */
int px_cache_prune_index(struct px_cache *c, MDB_txn *txn);
/* After a commit failed for want of room: makes some. -errno. */
int px_cache_make_room(struct px_cache *c);

#endif
