/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_FIND_H
#define PX_CACHE_FIND_H
/*
 * Rows found in LMDB's file without LMDB: each page is read where it lies, and
 * checked before it is used. This serves a cache that is only read (LMDB would
 * want to write to its lock file), and every get: a page that is looked at
 * through a map costs a fault, stays in this process together with the 64 KB
 * around it, and can lead LMDB astray if somebody damages it meanwhile.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

struct px_pages_table {
	size_t root;
	unsigned depth;
};

struct px_page_cache;

/* The file as one transaction sees it. */
struct px_pages {
	int fd; /* borrowed */
	uint64_t txnid;
	struct px_page_cache *cache; /* borrowed; NULL: pages are read anew */
	size_t page_size;	     /* bytes */
	size_t n_pages;
	struct px_pages_table names; /* of the tables */
};

/* The file as its newest transaction left it. -EUCLEAN, -errno. */
int px_pages_open(int fd, struct px_pages *ret);

/* The file as transaction `txnid` sees it, which must be open. -EAGAIN: two
 * commits were made since it began, so begin another; -EUCLEAN. */
int px_pages_open_at(int fd, uint64_t txnid, size_t page_size,
		     struct px_pages *ret);

/* -ENOENT, -EUCLEAN, -ENOMEM. */
int px_pages_find_table(const struct px_pages *f, const char *name,
			struct px_pages_table *ret);

/* Where the value of `key` lies: *ret_size bytes at offset *ret_at of the file,
 * all of them on pages that the file says it has. -ENOENT, -EUCLEAN, -ENOMEM.
 */
int px_pages_find(const struct px_pages *f, const struct px_pages_table *t,
		  const void *key, size_t size, off_t *ret_at,
		  size_t *ret_size);

/* Copies the value of `key`, which must be one of `size` bytes: -EBADMSG if it
 * has another size. -ENOENT, -EUCLEAN, -ENOMEM. */
int px_pages_row(const struct px_pages *f, const struct px_pages_table *t,
		 const void *key, size_t key_size, void *ret, size_t size);

/* Some of the trees' pages in memory, for all threads. NULL: no memory, and
 * then one does without. */
struct px_page_cache *px_page_cache_new(size_t page_size);
void px_page_cache_free(struct px_page_cache *k); /* NULL is fine */

#endif
