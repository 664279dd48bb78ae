/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_SHELF_H
#define PX_CACHE_SHELF_H
/*
 * Files beside the database, each named by the digest of its bytes: what is too
 * large for rows, and is handed on as a descriptor.
 *
 *   DIR/PX_SHELF_DIR/DIGEST   64 hexadecimal digits
 *   DIR/PX_SHELF_DIR/.NAME    one that is being written
 *
 * Their atime is the time of their last use, to within a day; nothing else
 * changes it, as each is opened with O_NOATIME. What is not written whole, or
 * is damaged, has another digest than its name says, which is seen when a
 * process opens it for the first time.
 *
 * Threads: any. They block while the file system does.
 */

#include "pycfs/digest.h"
#include "pycfs/set.h"

#define PX_SHELF_DIR "files-v1"

struct px_shelf {
	int parent; /* of the cache's directory, borrowed; -1: there is none */
	_Atomic int fd; /* of the directory; -1: there is none yet */
	uint64_t max_bytes;
	pthread_mutex_t lock;
	struct px_set seen; /* under lock: files whose digest was right */
};

/* What px_shelf_sum and the like count. */
struct px_shelf_sum {
	uint64_t n, bytes;
	uint64_t damaged;
};

/* Opens the directory below the cache's own, `dir_fd`, which stays open until
 * px_shelf_close. It is made when the first file is put there; if that fails,
 * or dir_fd is -1, nothing can be put there and nothing is found. */
void px_shelf_open(struct px_shelf *s, int dir_fd, uint64_t max_bytes);
void px_shelf_close(struct px_shelf *s);

/* As px_cache_name_file, px_cache_put_file and px_cache_open_file. */
int px_shelf_name(int fd, uint8_t ret[PX_DIGEST_SIZE]);
int px_shelf_put(struct px_shelf *s, int fd, uint8_t ret[PX_DIGEST_SIZE]);
int px_shelf_find(struct px_shelf *s, const uint8_t name[PX_DIGEST_SIZE],
		  int *ret_fd);

/* All that is there. -errno. */
int px_shelf_count(struct px_shelf *s, struct px_shelf_sum *ret);
/* Deletes files that were last used more than `max_age_days` ago (UINT32_MAX:
 * none), and then the oldest until no more than `max_bytes` are left; *ret is
 * what was deleted. -errno. */
int px_shelf_trim(struct px_shelf *s, uint32_t max_age_days, uint64_t max_bytes,
		  struct px_shelf_sum *ret);
/* Reads all files and deletes the damaged ones. *ret has them all. -errno. */
int px_shelf_check(struct px_shelf *s, struct px_shelf_sum *ret);

#endif
