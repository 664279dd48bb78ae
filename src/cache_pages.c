/* SPDX-License-Identifier: MIT */
/*
 * What LMDB believes of its file. LMDB has no checksums and follows what it
 * reads: a wrong page number or offset is a wild read, one in the list of free
 * pages a write over live data. So all of it that leads anywhere is looked at
 * before LMDB is let loose: the meta pages before it opens the file, then every
 * page of every tree. Values are not read: each has a digest of its own.
 *
 * The form is that of mdb.c 0.9.24 (MDB_page, MDB_node, MDB_db, MDB_meta; data
 * version 1): structures of a little-endian machine.
 */
#include "cache_i.h"

#include <sys/stat.h>

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

/* A commit by another process, and the lengthening after it (cache.c,
 * complete_file), may be under way when the file is looked at. */
#define SANE_TRIES   20
#define SANE_STEP_US 5000

struct page {
	size_t pgno;
	uint16_t pad;
	uint16_t flags;
	union {
		struct {
			uint16_t lower; /* end of the offsets */
			uint16_t upper; /* begin of the nodes */
		};
		uint32_t pages; /* of an overflow page: how many follow on */
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

struct walk {
	int fd;
	size_t page_size;
	size_t n_pages;
	uint8_t *seen; /* a bit for each page */
};

/* One table's walk. */
struct tree {
	struct walk *w;
	int (*value)(struct tree *t, const struct node *n);
	bool integer_key;
	unsigned depth;
	size_t entries;
	uint8_t last_key[KEY_MAX];
	unsigned last_size;
};

/* mdb.c 0.9.24, OVPAGES. */
static size_t pages_for(size_t page_size, size_t value_size)
{
	return (sizeof(struct page) - 1 + value_size) / page_size + 1;
}

/* Marks pages as used, each once only. */
static int claim(struct walk *w, size_t pgno, size_t n)
{
	if (pgno < N_METAS || pgno >= w->n_pages || n > w->n_pages - pgno)
		return -EUCLEAN;
	for (; n > 0; n--, pgno++) {
		uint8_t *byte = &w->seen[pgno / 8];
		const uint8_t bit = (uint8_t)(1u << pgno % 8);

		if (*byte & bit)
			return -EUCLEAN;
		*byte |= bit;
	}
	return 0;
}

/* The first `n` bytes of a page and, if that is more, of those behind it. Not
 * a map: what is read once need not stay. */
static int read_pages(const struct walk *w, size_t pgno, void *ret, size_t n)
{
	const ssize_t got =
		px_pread_full(w->fd, ret, n, (off_t)(pgno * w->page_size));

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EUCLEAN;
}

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static size_t get_size(const uint8_t *p)
{
	size_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Node `i` of a page: its place, then its parts. */
static int read_node(size_t page_size, const uint8_t *page,
		     const struct page *p, size_t i, struct node *ret)
{
	const size_t at = get_u16(page + sizeof(*p) + 2 * i);
	size_t room, inside;

	if (at < p->upper || at % 2 != 0 || at + NODE_HEADER > page_size)
		return -EUCLEAN;
	ret->size = get_u16(page + at) | (size_t)get_u16(page + at + 2) << 16;
	ret->flags = get_u16(page + at + 4);
	ret->key_size = get_u16(page + at + 6);
	ret->key = page + at + NODE_HEADER;
	ret->value = ret->key + ret->key_size;
	room = page_size - at - NODE_HEADER;
	if (!(p->flags & PAGE_LEAF)) {
		/* The high bits of a page number take the place of flags. */
		ret->child = ret->size;
		if (sizeof(size_t) > 4)
			ret->child |= (size_t)ret->flags << 16 << 16;
		ret->size = 0;
		ret->flags = 0;
	}
	inside = ret->flags & NODE_BIG ? sizeof(size_t) : ret->size;
	if (ret->key_size > KEY_MAX || ret->key_size > room ||
	    inside > room - ret->key_size ||
	    (ret->flags & ~(unsigned)(NODE_BIG | NODE_TABLE)) != 0)
		return -EUCLEAN;
	return (int)((NODE_HEADER + ret->key_size + inside + 1) & ~1u);
}

static size_t n_nodes(const struct page *p)
{
	return (p->lower - sizeof(*p)) / 2;
}

static bool is_page_sane(const struct page *p, size_t pgno, bool leaf,
			 size_t page_size)
{
	return p->pgno == pgno &&
	       p->flags == (leaf ? PAGE_LEAF : PAGE_BRANCH) &&
	       p->lower % 2 == 0 && p->lower >= sizeof(*p) + (leaf ? 2 : 4) &&
	       p->lower <= p->upper && p->upper <= page_size;
}

/* As mdb_cmp_memn. */
static int compare_keys(const struct node *n, const void *key, size_t size)
{
	const int c =
		memcmp(n->key, key, n->key_size < size ? n->key_size : size);

	return c != 0 ? c : (n->key_size > size) - (n->key_size < size);
}

/* Keys of a tree come in order, none twice. */
static int check_order(struct tree *t, const struct node *n)
{
	bool ordered = t->entries == 0;

	if (t->integer_key && n->key_size != sizeof(size_t))
		return -EUCLEAN;
	if (!ordered && t->integer_key)
		ordered = get_size(n->key) > get_size(t->last_key);
	else if (!ordered)
		ordered = compare_keys(n, t->last_key, t->last_size) > 0;
	memcpy(t->last_key, n->key, n->key_size);
	t->last_size = n->key_size;
	return ordered ? 0 : -EUCLEAN;
}

/* The pages of a value that has its own: how many its length needs. */
static int claim_value(struct walk *w, const struct node *n)
{
	return claim(w, get_size(n->value), pages_for(w->page_size, n->size));
}

/* As many as their first one says, which may be more if it was written over.
 * LMDB believes that when it deletes them. *ret is what they hold, behind
 * their header; free() it. */
static int claim_list(struct walk *w, const struct node *n, uint8_t **ret)
{
	const size_t pgno = get_size(n->value);
	struct page p;
	int r;

	if (pgno < N_METAS || pgno >= w->n_pages)
		return -EUCLEAN;
	r = read_pages(w, pgno, &p, sizeof(p));
	if (r < 0)
		return r;
	if (p.pgno != pgno || p.flags != PAGE_OVERFLOW ||
	    p.pages < pages_for(w->page_size, n->size))
		return -EUCLEAN;
	r = claim(w, pgno, p.pages);
	if (r < 0)
		return r;
	*ret = malloc(sizeof(p) + n->size);
	return *ret ? read_pages(w, pgno, *ret, sizeof(p) + n->size) : -ENOMEM;
}

static int walk_page(struct tree *t, size_t pgno, unsigned level);

static int walk_node(struct tree *t, const struct node *n, bool leaf,
		     unsigned level)
{
	int r;

	if (!leaf)
		return walk_page(t, n->child, level + 1);
	r = check_order(t, n);
	if (r < 0)
		return r;
	t->entries++;
	return t->value(t, n);
}

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int walk_page(struct tree *t, size_t pgno, unsigned level)
{
	PX_AUTOFREE uint8_t *page = NULL;
	struct walk *w = t->w;
	struct page p;
	struct node n;
	size_t used = 0;
	bool leaf;
	int r = level > t->depth ? -EUCLEAN : claim(w, pgno, 1);

	if (r < 0)
		return r;
	page = malloc(w->page_size);
	r = page ? read_pages(w, pgno, page, w->page_size) : -ENOMEM;
	if (r < 0)
		return r;
	memcpy(&p, page, sizeof(p));
	leaf = p.flags == PAGE_LEAF;
	if (!is_page_sane(&p, pgno, leaf, w->page_size) ||
	    leaf != (level == t->depth))
		return -EUCLEAN;
	for (size_t i = 0; i < n_nodes(&p); i++) {
		r = read_node(w->page_size, page, &p, i, &n);
		if (r < 0)
			return r;
		used += (size_t)r;
		if (used > w->page_size - p.upper) /* two in one place */
			return -EUCLEAN;
		r = walk_node(t, &n, leaf, level);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_table(struct tree *t, const struct table *db)
{
	int r;

	if (db->root == NO_PAGE)
		return db->entries == 0 && db->depth == 0 ? 0 : -EUCLEAN;
	if (db->depth == 0 || db->depth > DEPTH_MAX)
		return -EUCLEAN;
	t->depth = db->depth;
	r = walk_page(t, db->root, 1);
	return r == 0 && t->entries != db->entries ? -EUCLEAN : r;
}

/* A value of one of our tables. */
static int check_value(struct tree *t, const struct node *n)
{
	if (n->flags & NODE_TABLE)
		return -EUCLEAN;
	return n->flags & NODE_BIG ? claim_value(t->w, n) : 0;
}

/* A value of the table of names. */
static int check_name(struct tree *t, const struct node *n)
{
	struct tree sub = {.w = t->w, .value = check_value};
	struct table db;

	if (n->flags != NODE_TABLE || n->size != sizeof(db))
		return -EUCLEAN;
	memcpy(&db, n->value, sizeof(db));
	return db.flags == 0 ? walk_table(&sub, &db) : -EUCLEAN;
}

/* A value of the table of free pages: how many, and their numbers, the largest
 * first (midl.h, MDB_IDL). */
static int check_free(struct tree *t, const struct node *n)
{
	PX_AUTOFREE uint8_t *large = NULL;
	const uint8_t *list = n->value;
	size_t count, last = SIZE_MAX;
	int r = 0;

	if (n->flags & NODE_TABLE || n->size < sizeof(size_t))
		return -EUCLEAN;
	if (n->flags & NODE_BIG) {
		r = claim_list(t->w, n, &large);
		if (r < 0)
			return r;
		list = large + sizeof(struct page);
	}
	count = get_size(list);
	if (count > n->size / sizeof(size_t) - 1)
		return -EUCLEAN;
	for (size_t i = 1; r == 0 && i <= count; i++) {
		const size_t pgno = get_size(list + i * sizeof(size_t));

		r = pgno < last ? claim(t->w, pgno, 1) : -EUCLEAN;
		last = pgno;
	}
	return r;
}

/* Other flags make LMDB look for structures that are not there, and abort. */
static bool is_root_sane(const struct meta *m, int db, uint16_t flags)
{
	return m->db[db].flags == flags && m->db[db].depth <= DEPTH_MAX &&
	       (m->db[db].root == NO_PAGE || m->db[db].root <= m->last_pgno);
}

static bool is_meta_sane(const struct meta *m, uint64_t file_bytes)
{
	const uint64_t psize = m->db[0].pad;
	uint64_t need;

	if (m->magic != META_MAGIC || m->version != META_VERSION ||
	    psize < META_PAGE_MIN || psize > META_PAGE_MAX ||
	    (psize & (psize - 1)) != 0 || !is_root_sane(m, 0, MDB_INTEGERKEY) ||
	    !is_root_sane(m, 1, 0))
		return false;
	return !__builtin_add_overflow((uint64_t)m->last_pgno, 1, &need) &&
	       !__builtin_mul_overflow(need, psize, &need) &&
	       need <= file_bytes;
}

static int check_metas_once(int fd)
{
	struct stat st;
	struct meta m;
	off_t offset = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	for (int i = 0; i < N_METAS; i++) {
		const ssize_t n = px_pread_full(fd, &m, sizeof(m), offset);

		if (n < 0)
			return (int)n;
		if (n != sizeof(m) || !is_meta_sane(&m, (uint64_t)st.st_size))
			return -EUCLEAN;
		offset = m.db[0].pad;
	}
	return 0;
}

int px_pages_check_metas(int fd)
{
	int r = check_metas_once(fd);

	for (int i = 1; i < SANE_TRIES && r == -EUCLEAN; i++) {
		usleep(SANE_STEP_US);
		r = check_metas_once(fd);
	}
	return r;
}

int px_pages_check(int fd, uint64_t txnid)
{
	PX_AUTOFREE uint8_t *seen = NULL;
	struct walk w = {.fd = fd};
	struct tree free_pages = {
		.w = &w, .value = check_free, .integer_key = true};
	struct tree names = {.w = &w, .value = check_name};
	struct meta m = {.magic = 0};
	struct stat st = {0};
	int r = read_pages(&w, 0, &m, sizeof(m));

	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	/* LMDB puts transaction N's meta page on page N % 2. */
	w.page_size = m.db[0].pad;
	if (r == 0 && txnid % N_METAS == 1)
		r = read_pages(&w, 1, &m, sizeof(m));
	if (r < 0)
		return r;
	if (m.txnid != txnid)
		return -EAGAIN;
	if (!is_meta_sane(&m, (uint64_t)st.st_size))
		return -EUCLEAN;
	w.page_size = m.db[0].pad;
	w.n_pages = m.last_pgno + 1;
	w.seen = seen = calloc(1, w.n_pages / 8 + 1);
	if (!seen)
		return -ENOMEM;
	/* What is in use first: a free page must be none of those. */
	r = walk_table(&names, &m.db[1]);
	return r == 0 ? walk_table(&free_pages, &m.db[0]) : r;
}

int px_pages_open(int fd, struct px_pages *ret)
{
	struct meta m[N_METAS];
	const struct meta *newest;
	int r = check_metas_once(fd);

	if (r < 0)
		return r;
	if (pread(fd, &m[0], sizeof(m[0]), 0) != sizeof(m[0]) ||
	    pread(fd, &m[1], sizeof(m[1]), m[0].db[0].pad) != sizeof(m[1]))
		return -EUCLEAN;
	newest = &m[m[1].txnid > m[0].txnid];
	if (!is_meta_sane(newest, UINT64_MAX))
		return -EUCLEAN;
	*ret = (struct px_pages){
		.fd = fd,
		.page_size = newest->db[0].pad,
		.n_pages = newest->last_pgno + 1,
		.names = {newest->db[1].root, newest->db[1].depth},
	};
	return 0;
}

/* The last node that is no greater than `key`; the first of a branch is less
 * than any. -ENOENT: none is. */
static int search_page(const struct px_pages *f, const uint8_t *page,
		       const struct page *p, const void *key, size_t size,
		       struct node *ret)
{
	size_t from = p->flags == PAGE_LEAF ? 0 : 1, to = n_nodes(p);
	int r;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		r = read_node(f->page_size, page, p, middle, ret);
		if (r < 0)
			return r;
		if (compare_keys(ret, key, size) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == 0)
		return -ENOENT;
	r = read_node(f->page_size, page, p, from - 1, ret);
	return r < 0 ? r : 0;
}

/* The node of a leaf whose key is `key`; *ret points into `page`. */
static int find_node(const struct px_pages *f, const struct px_pages_table *t,
		     const void *key, size_t size, uint8_t *page,
		     size_t *ret_pgno, struct node *ret)
{
	size_t pgno = t->root;
	int r = -ENOENT;

	if (t->root == NO_PAGE || t->depth > DEPTH_MAX)
		return t->root == NO_PAGE ? -ENOENT : -EUCLEAN;
	for (unsigned level = 1; level <= t->depth; level++) {
		const ssize_t want = (ssize_t)f->page_size;
		struct page p;

		if (pgno < N_METAS || pgno >= f->n_pages ||
		    px_pread_full(f->fd, page, f->page_size,
				  (off_t)(pgno * f->page_size)) != want)
			return -EUCLEAN;
		memcpy(&p, page, sizeof(p));
		if (!is_page_sane(&p, pgno, level == t->depth, f->page_size))
			return -EUCLEAN;
		*ret_pgno = pgno;
		r = search_page(f, page, &p, key, size, ret);
		if (r < 0)
			return r;
		pgno = ret->child;
	}
	return r < 0 || compare_keys(ret, key, size) != 0 ? -ENOENT : 0;
}

int px_pages_find_table(const struct px_pages *f, const char *name,
			struct px_pages_table *ret)
{
	PX_AUTOFREE uint8_t *page = malloc(f->page_size);
	struct table db;
	struct node n;
	size_t pgno;
	int r;

	if (!page)
		return -ENOMEM;
	r = find_node(f, &f->names, name, strlen(name), page, &pgno, &n);
	if (r < 0)
		return r;
	if (n.flags != NODE_TABLE || n.size != sizeof(db))
		return -EUCLEAN;
	memcpy(&db, n.value, sizeof(db));
	*ret = (struct px_pages_table){db.root, db.depth};
	return db.flags == 0 ? 0 : -EUCLEAN;
}

int px_pages_find(const struct px_pages *f, const struct px_pages_table *t,
		  const void *key, size_t size, off_t *ret_at, size_t *ret_size)
{
	PX_AUTOFREE uint8_t *page = malloc(f->page_size);
	size_t pgno, large;
	struct node n;
	int r;

	if (!page)
		return -ENOMEM;
	r = find_node(f, t, key, size, page, &pgno, &n);
	if (r < 0)
		return r;
	if (n.flags & NODE_TABLE)
		return -EUCLEAN;
	*ret_size = n.size;
	*ret_at = (off_t)(pgno * f->page_size + (size_t)(n.value - page));
	if (!(n.flags & NODE_BIG))
		return 0;
	large = get_size(n.value);
	if (large < N_METAS || large >= f->n_pages ||
	    pages_for(f->page_size, n.size) > f->n_pages - large)
		return -EUCLEAN;
	*ret_at = (off_t)(large * f->page_size + sizeof(struct page));
	return 0;
}

bool px_pages_is_value_sane(const void *data, size_t size, size_t page_size)
{
	/* mdb.c 0.9.24, me_nodemax: what is larger than half a page, less its
	 * offset, is not kept in it. */
	const size_t node_max =
		((page_size - sizeof(struct page)) / 2 & ~(size_t)1) -
		sizeof(uint16_t);
	struct page p;

	if (NODE_HEADER + PX_DIGEST_SIZE + size <= node_max)
		return true;
	memcpy(&p, (const uint8_t *)data - sizeof(p), sizeof(p));
	return (p.flags & ~PAGE_DIRTY) == PAGE_OVERFLOW &&
	       p.pages == pages_for(page_size, size);
}
