/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_PAGES_H
#define PX_CACHE_PAGES_H
/*
 * The check of LMDB's file. LMDB has no checksums and follows what it reads: a
 * wrong page number or offset is a wild read, and one in the list of free pages
 * a write over live data. So everything in the file that leads anywhere is
 * checked before LMDB uses it: the meta pages before it opens the file, then
 * each page of each tree. Values are not read, as each has its own checksum.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

/* Checks the two meta pages of a file that other processes may be writing. 0,
 * also if the file is empty; -EPROTONOSUPPORT: it is of a newer LMDB's format;
 * -EUCLEAN, or another -errno. */
int px_pages_check_metas(int fd);

/*
 * Checks every page of the file that transaction `txnid` can reach, but for
 * values that have pages of their own. The transaction must be open: that keeps
 * others from using its pages again. 0; -EUCLEAN: do not use the file; -EAGAIN:
 * two commits were made since the transaction began, so begin another; -ENOMEM.
 */
int px_pages_check(int fd, uint64_t txnid);

/* The same without the list of free pages, which only a writer uses. */
int px_pages_check_trees(int fd, uint64_t txnid);

/* Whether LMDB, when it deletes this value of a key of PX_DIGEST_SIZE bytes,
 * will free as many pages as a value of that size takes. `data` points into
 * LMDB's map. */
bool px_pages_is_value_sane(const void *data, size_t size, size_t page_size);

#endif
