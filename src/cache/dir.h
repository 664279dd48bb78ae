/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_DIR_H
#define PX_CACHE_DIR_H
/*
 * The directories of a cache: who may write there, and their names.
 *
 *   DIR                            what --cache names
 *   DIR/CACHEDIR.TAG               tells backups that this is a cache
 *   DIR/PX_CACHE_SUBDIR/data.mdb   the database
 *   DIR/PX_CACHE_SUBDIR/lock.mdb   LMDB's lock file
 *   DIR/PX_SHELF_DIR               files beside it (shelf.h)
 *   DIR/PX_CACHE_BAD               a damaged database about to be deleted
 *   DIR/PX_CACHE_NEW               a database about to take the other's place
 *
 * Who can write to a cache can put code into the image that is built from it.
 * So the directories must be ours alone.
 */

#include "pycfs/util.h"

/*
 * LMDB's lock file holds the C library's mutexes, so processes of different
 * libcs or machines (Alpine and Debian stages, arm64 beside amd64 under binfmt)
 * must not share one: in one cache mount each kind gets its own directory.
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
#define PX_CACHE_SUBDIR "v4-" PX_CACHE_MACHINE "-" PX_CACHE_LIBC
#define PX_CACHE_BAD	PX_CACHE_SUBDIR ".damaged"
#define PX_CACHE_NEW	PX_CACHE_SUBDIR ".new"
#define PX_CACHE_DATA	"data.mdb" /* lmdb.h, mdb_env_open */
#define PX_CACHE_LOCK	"lock.mdb"

/* Fails if everybody can put another directory in the place of `dir`. -EPERM
 * and a sentence that ends in `ways_out`; another -errno and a sentence. */
int px_cache_dir_check_ways(const char *dir, const char *ways_out,
			    struct px_why *why);

/* Opens the directory that mkdtemp has just made. -EPERM and a sentence if
 * somebody put another in its place: it is not ours, open to others, or has a
 * database in it. Another -errno and a sentence. */
int px_cache_dir_private(const char *path, int *ret_fd, struct px_why *why);

/* Opens DIR and makes it first if it is missing, and checks that nobody else
 * can write there. -errno and a sentence. */
int px_cache_dir_open(const char *path, int *ret_fd, struct px_why *why);

/* Opens the database's own directory, made if missing, and checks its files.
 * -errno and a sentence; -EUCLEAN: the database is damaged. */
int px_cache_dir_sub(int dir_fd, const char *path, int *ret_fd,
		     struct px_why *why);

/* Writes the lock file in full length if there is none. -errno. */
int px_cache_dir_lock_file(int sub_fd);

/* Renames the database's directory to PX_CACHE_BAD and deletes it. Does nothing
 * if it is not the directory open as `sub_fd`; with -1 that is not checked. */
void px_cache_dir_discard(int dir_fd, int sub_fd);

/* Makes a directory for another database, with an empty data file in it, which
 * *ret_fd is open for writing. What an earlier one left is deleted. -errno. */
int px_cache_dir_make_new(int dir_fd, int *ret_fd);

/* Puts that directory into the place of the database's, which is deleted;
 * whoever has that one open keeps it. -errno: it is as it was. */
int px_cache_dir_take_new(int dir_fd);

/* Deletes that directory. */
void px_cache_dir_drop_new(int dir_fd);

/* Between these two no other process opens or discards the database. Waits 5 s
 * at most and then goes on without. */
void px_cache_dir_acquire(int dir_fd);
void px_cache_dir_release(int dir_fd);

/* Removes the files of a directory with a database in it. */
void px_cache_dir_empty(int sub_fd);

#endif
