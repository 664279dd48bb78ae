/* SPDX-License-Identifier: MIT */
#ifndef PX_CACHE_PAGE_H
#define PX_CACHE_PAGE_H
/*
 * LMDB's pages as they lie in its file, for pages.c, which checks all of them.
 *
 * The form is that of mdb.c 0.9.24 (MDB_page, MDB_node, MDB_db, MDB_meta; data
 * version 1): C structures of a little-endian machine.
 */

#include "pycfs/util.h"

#define META_MAGIC    0xBEEFC0DEu
#define META_VERSION  1
#define META_PAGE_MIN 256u   /* MIN_PAGESIZE */
#define META_PAGE_MAX 65536u /* MAX_PAGESIZE is 0x8000, or the system's */
#define N_METAS	      2

#define PAGE_BRANCH   0x01 /* P_BRANCH */
#define PAGE_LEAF     0x02 /* P_LEAF */
#define PAGE_OVERFLOW 0x04 /* P_OVERFLOW */
#define PAGE_DIRTY    0x10 /* P_DIRTY: not in the file yet */

#define NODE_BIG      0x01 /* F_BIGDATA: the value is on pages of its own */
#define NODE_TABLE    0x02 /* F_SUBDATA: the value is a struct table */

#define NODE_HEADER   8	       /* offsetof(MDB_node, mn_data) */
#define KEY_MAX	      511      /* MDB_MAXKEYSIZE */
#define DEPTH_MAX     32       /* CURSOR_STACK */
#define NO_PAGE	      SIZE_MAX /* P_INVALID: the root of an empty table */

/* LMDB gives the next transaction the newest one's number plus one, and to it
 * the largest number means "no transaction" (mdb.c 0.9.24, mdb_txn_renew0,
 * mdb_find_oldest). No file gets near that number by commits. */
#define TXNID_MAX (SIZE_MAX / 2)

struct page {
	size_t pgno;
	uint16_t pad;
	uint16_t flags;
	union {
		struct {
			uint16_t lower; /* end of the offsets */
			uint16_t upper; /* begin of the nodes */
		};
		uint32_t
			pages; /* of an overflow page: how many the value has */
	};
};

struct table {
	uint32_t pad; /* of the first: the page size */
	uint16_t flags;
	uint16_t depth;
	size_t branch;
	size_t leaf;
	size_t overflow;
	size_t entries;
	size_t root;
};

struct meta {
	struct page page;
	uint32_t magic;
	uint32_t version;
	void *address;
	size_t map_size;
	struct table db[2]; /* the free pages; the names of tables */
	size_t last_pgno;
	size_t txnid;
};

struct node {
	size_t size; /* of the value */
	size_t child;
	unsigned flags;
	unsigned key_size;
	const uint8_t *key;
	const uint8_t *value; /* as it is in the page */
};

/* The pages that a value of that size takes (mdb.c 0.9.24, OVPAGES). */
static inline size_t px_page_count_for(size_t page_size, size_t value_size)
{
	return (sizeof(struct page) - 1 + value_size) / page_size + 1;
}

static inline size_t px_page_n_nodes(const struct page *p)
{
	return (p->lower - sizeof(*p)) / 2;
}

/* The size_t at `p`, which need not be aligned. */
size_t px_page_word(const uint8_t *p);

/* Reads node `i` of a page into *ret, which points into the page. Returns the
 * bytes that the node takes, or -EUCLEAN if it is not all inside the page. */
int px_page_node(size_t page_size, const uint8_t *page, const struct page *p,
		 size_t i, struct node *ret);

/* Whether the header is that of a leaf or branch page number `pgno`. */
bool px_page_is_sane(const struct page *p, size_t pgno, bool leaf,
		     size_t page_size);

/* Compares a node's key to `key` in LMDB's order (mdb_cmp_memn). */
int px_page_compare(const struct node *n, const void *key, size_t size);

bool px_meta_is_sane(const struct meta *m, uint64_t file_bytes);

/* Whether the file that begins with this page is of a later data version. */
bool px_meta_is_newer(const struct meta *m);

#endif
