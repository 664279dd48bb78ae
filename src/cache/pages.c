/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include "pycfs/io.h"

#include "page.h"

#include <sys/stat.h>

/* Another process's commit, or its lengthening of the file after one
 * (complete_file in db.c), may be under way when the file is read. */
#define SANE_TRIES   20
#define SANE_STEP_US 5000

struct walk {
	int fd;
	size_t page_size;
	size_t n_pages;
	size_t txnid;
	uint8_t *seen; /* a bit for each page */
};

/* The walk through one table. */
struct tree {
	struct walk *w;
	int (*value)(struct tree *t, const struct node *n);
	bool integer_key;
	unsigned depth;
	size_t entries;
	uint8_t last_key[KEY_MAX];
	unsigned last_size;
};

/* Marks `n` pages as used. -EUCLEAN if one of them already was. */
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

/* Reads `n` bytes from the beginning of a page on; they may end in a later one.
 * Not through a map: what is read only once need not stay in memory. */
static int read_pages(const struct walk *w, size_t pgno, void *ret, size_t n)
{
	const ssize_t got =
		px_pread_full(w->fd, ret, n, (off_t)(pgno * w->page_size));

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EUCLEAN;
}

/* The keys of a tree are in ascending order, none of them twice. */
static int check_order(struct tree *t, const struct node *n)
{
	bool ordered = t->entries == 0;

	if (t->integer_key && n->key_size != sizeof(size_t))
		return -EUCLEAN;
	if (!ordered && t->integer_key)
		ordered = px_page_word(n->key) > px_page_word(t->last_key);
	else if (!ordered)
		ordered = px_page_compare(n, t->last_key, t->last_size) > 0;
	memcpy(t->last_key, n->key, n->key_size);
	t->last_size = n->key_size;
	return ordered ? 0 : -EUCLEAN;
}

/* Marks the pages of a value that has its own. */
static int claim_value(struct walk *w, const struct node *n)
{
	return claim(w, px_page_word(n->value),
		     px_page_count_for(w->page_size, n->size));
}

/* Marks the pages of a list of free pages and reads them. Their number is what
 * the first one's header says, which LMDB goes by when it deletes the list, and
 * which may be more than its length needs. *ret begins with that header; the
 * caller frees it. */
static int claim_list(struct walk *w, const struct node *n, uint8_t **ret)
{
	const size_t pgno = px_page_word(n->value);
	struct page p;
	int r;

	if (pgno < N_METAS || pgno >= w->n_pages)
		return -EUCLEAN;
	r = read_pages(w, pgno, &p, sizeof(p));
	if (r < 0)
		return r;
	if (p.pgno != pgno || p.flags != PAGE_OVERFLOW ||
	    p.pages < px_page_count_for(w->page_size, n->size))
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
	if (!px_page_is_sane(&p, pgno, leaf, w->page_size) ||
	    leaf != (level == t->depth))
		return -EUCLEAN;
	for (size_t i = 0; i < px_page_n_nodes(&p); i++) {
		r = px_page_node(w->page_size, page, &p, i, &n);
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

/* Checks a value of one of the cache's tables. */
static int check_value(struct tree *t, const struct node *n)
{
	if (n->flags & NODE_TABLE)
		return -EUCLEAN;
	return n->flags & NODE_BIG ? claim_value(t->w, n) : 0;
}

/* Checks a value of the table of tables' names: it describes a table. */
static int check_name(struct tree *t, const struct node *n)
{
	struct tree sub = {.w = t->w, .value = check_value};
	struct table db;

	if (n->flags != NODE_TABLE || n->size != sizeof(db))
		return -EUCLEAN;
	memcpy(&db, n->value, sizeof(db));
	return db.flags == 0 ? walk_table(&sub, &db) : -EUCLEAN;
}

/* Checks a row of the table of free pages. Its key is the number of the
 * transaction that freed them, its value their count and then their numbers,
 * largest first (midl.h, MDB_IDL). */
static int check_free(struct tree *t, const struct node *n)
{
	PX_AUTOFREE uint8_t *large = NULL;
	const uint8_t *list = n->value;
	size_t count, last = SIZE_MAX;
	int r = 0;

	if (n->flags & NODE_TABLE || n->size < sizeof(size_t) ||
	    px_page_word(n->key) > t->w->txnid)
		return -EUCLEAN;
	if (n->flags & NODE_BIG) {
		r = claim_list(t->w, n, &large);
		if (r < 0)
			return r;
		list = large + sizeof(struct page);
	}
	count = px_page_word(list);
	if (count > n->size / sizeof(size_t) - 1)
		return -EUCLEAN;
	for (size_t i = 1; r == 0 && i <= count; i++) {
		const size_t pgno = px_page_word(list + i * sizeof(size_t));

		r = pgno < last ? claim(t->w, pgno, 1) : -EUCLEAN;
		last = pgno;
	}
	return r;
}

/* Transaction N writes the meta page N % 2, so that a file has those of its
 * last two transactions; in a new file both have the number 0. */
static bool are_successive(size_t even, size_t odd)
{
	if (even == 0 && odd == 0)
		return true;
	return even % 2 == 0 && (odd == even + 1 || even == odd + 1);
}

static int check_metas(int fd)
{
	size_t txnid[N_METAS];
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
		if (n != sizeof(m))
			return -EUCLEAN;
		if (i == 0 && px_meta_is_newer(&m))
			return -EPROTONOSUPPORT;
		if (!px_meta_is_sane(&m, (uint64_t)st.st_size))
			return -EUCLEAN;
		txnid[i] = m.txnid;
		offset = m.db[0].pad;
	}
	return are_successive(txnid[0], txnid[1]) ? 0 : -EUCLEAN;
}

int px_pages_check_metas(int fd)
{
	int r = check_metas(fd);

	for (int i = 1; i < SANE_TRIES && r == -EUCLEAN; i++) {
		usleep(SANE_STEP_US);
		r = check_metas(fd);
	}
	return r;
}

static int check_pages(int fd, uint64_t txnid, bool free_too)
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
	w.page_size = m.db[0].pad;
	if (r == 0 && txnid % N_METAS == 1)
		r = read_pages(&w, 1, &m, sizeof(m));
	if (r < 0)
		return r;
	if (m.txnid != txnid)
		return -EAGAIN;
	if (!px_meta_is_sane(&m, (uint64_t)st.st_size))
		return -EUCLEAN;
	w.page_size = m.db[0].pad;
	w.n_pages = m.last_pgno + 1;
	w.txnid = m.txnid;
	w.seen = seen = calloc(1, w.n_pages / 8 + 1);
	if (!seen)
		return -ENOMEM;
	/* Pages in use first, as a free page must not be one of them. */
	r = walk_table(&names, &m.db[1]);
	return r == 0 && free_too ? walk_table(&free_pages, &m.db[0]) : r;
}

int px_pages_check(int fd, uint64_t txnid)
{
	return check_pages(fd, txnid, true);
}

int px_pages_check_trees(int fd, uint64_t txnid)
{
	return check_pages(fd, txnid, false);
}
