/* SPDX-License-Identifier: MIT */
#include "find.h"

#include "pycfs/io.h"

#include "page.h"
#include "pages.h"

#define CACHED_PAGES 512

/* The pages that were read last, all of them as one transaction sees them: in
 * another the same page may hold something else. Page N is at N % CACHED_PAGES.
 */
struct px_page_cache {
	pthread_mutex_t lock;
	uint64_t txnid;
	size_t page_size;
	size_t pgno[CACHED_PAGES]; /* 0, a meta page's number: nothing */
	uint8_t *data;		   /* CACHED_PAGES pages */
};

struct px_page_cache *px_page_cache_new(size_t page_size)
{
	struct px_page_cache *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->page_size = page_size;
	k->data = malloc(CACHED_PAGES * page_size);
	if (!k->data) {
		free(k);
		return NULL;
	}
	pthread_mutex_init(&k->lock, NULL);
	return k;
}

void px_page_cache_free(struct px_page_cache *k)
{
	if (!k)
		return;
	pthread_mutex_destroy(&k->lock);
	free(k->data);
	free(k);
}

static bool get_cached(const struct px_pages *f, size_t pgno, uint8_t *page)
{
	struct px_page_cache *k = f->cache;
	const size_t at = pgno % CACHED_PAGES;
	bool found;

	if (!k)
		return false;
	pthread_mutex_lock(&k->lock);
	found = k->txnid == f->txnid && k->pgno[at] == pgno;
	if (found)
		memcpy(page, k->data + at * k->page_size, k->page_size);
	pthread_mutex_unlock(&k->lock);
	return found;
}

static void remember_page(const struct px_pages *f, size_t pgno,
			  const uint8_t *page)
{
	struct px_page_cache *k = f->cache;
	const size_t at = pgno % CACHED_PAGES;

	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	if (k->txnid < f->txnid) {
		k->txnid = f->txnid;
		memset(k->pgno, 0, sizeof(k->pgno));
	}
	if (k->txnid == f->txnid) {
		k->pgno[at] = pgno;
		memcpy(k->data + at * k->page_size, page, k->page_size);
	}
	pthread_mutex_unlock(&k->lock);
}

/* Reads a page of a tree into `page` and checks its header. */
static int read_page(const struct px_pages *f, size_t pgno, bool leaf,
		     uint8_t *page)
{
	const off_t at = (off_t)(pgno * f->page_size);
	struct page p;

	if (pgno < N_METAS || pgno >= f->n_pages)
		return -EUCLEAN;
	if (!get_cached(f, pgno, page)) {
		if (px_pread_full(f->fd, page, f->page_size, at) !=
		    (ssize_t)f->page_size)
			return -EUCLEAN;
		remember_page(f, pgno, page);
	}
	memcpy(&p, page, sizeof(p));
	return px_page_is_sane(&p, pgno, leaf, f->page_size) ? 0 : -EUCLEAN;
}

static void open_meta(int fd, const struct meta *m, struct px_pages *ret)
{
	*ret = (struct px_pages){
		.fd = fd,
		.txnid = m->txnid,
		.page_size = m->db[0].pad,
		.n_pages = m->last_pgno + 1,
		.names = {m->db[1].root, m->db[1].depth},
	};
}

int px_pages_open(int fd, struct px_pages *ret)
{
	struct meta m[N_METAS];
	const struct meta *newest;
	int r = px_pages_check_metas_once(fd);

	if (r < 0)
		return r;
	if (pread(fd, &m[0], sizeof(m[0]), 0) != sizeof(m[0]) ||
	    pread(fd, &m[1], sizeof(m[1]), m[0].db[0].pad) != sizeof(m[1]))
		return -EUCLEAN;
	newest = &m[m[1].txnid > m[0].txnid];
	if (!px_meta_is_sane(newest, UINT64_MAX))
		return -EUCLEAN;
	open_meta(fd, newest, ret);
	return 0;
}

/* Transaction N writes the meta page N % 2. */
static int read_meta(int fd, uint64_t txnid, size_t page_size, struct meta *ret)
{
	const off_t at = (off_t)(txnid % N_METAS * page_size);

	return pread(fd, ret, sizeof(*ret), at) == sizeof(*ret) ? 0 : -EUCLEAN;
}

int px_pages_open_at(int fd, uint64_t txnid, size_t page_size,
		     struct px_pages *ret)
{
	struct meta m = {.magic = 0}, again = {.magic = 0};
	int r = read_meta(fd, txnid, page_size, &m);

	if (r == 0)
		r = read_meta(fd, txnid, page_size, &again);
	if (r < 0)
		return r;
	/* It may be written at this moment, for transaction `txnid` + 2. */
	if (m.txnid != txnid || memcmp(&m, &again, sizeof(m)) != 0)
		return -EAGAIN;
	if (!px_meta_is_sane(&m, UINT64_MAX) || m.db[0].pad != page_size)
		return -EUCLEAN;
	open_meta(fd, &m, ret);
	return 0;
}

/* The last node of a page that is not greater than `key`. A branch's first node
 * has no key and counts as less than any. -ENOENT: all are greater. */
static int search_page(const struct px_pages *f, const uint8_t *page,
		       const struct page *p, const void *key, size_t size,
		       struct node *ret)
{
	size_t from = p->flags == PAGE_LEAF ? 0 : 1, to = px_page_n_nodes(p);
	int r;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		r = px_page_node(f->page_size, page, p, middle, ret);
		if (r < 0)
			return r;
		if (px_page_compare(ret, key, size) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == 0)
		return -ENOENT;
	r = px_page_node(f->page_size, page, p, from - 1, ret);
	return r < 0 ? r : 0;
}

/* The node with that key. Its leaf page, number *ret_pgno, is read into `page`,
 * and *ret points into it. */
static int find_node(const struct px_pages *f, const struct px_pages_table *t,
		     const void *key, size_t size, uint8_t *page,
		     size_t *ret_pgno, struct node *ret)
{
	size_t pgno = t->root;
	int r = -ENOENT;

	if (t->root == NO_PAGE || t->depth > DEPTH_MAX)
		return t->root == NO_PAGE ? -ENOENT : -EUCLEAN;
	for (unsigned level = 1; level <= t->depth; level++) {
		struct page p;

		r = read_page(f, pgno, level == t->depth, page);
		if (r < 0)
			return r;
		memcpy(&p, page, sizeof(p));
		*ret_pgno = pgno;
		r = search_page(f, page, &p, key, size, ret);
		if (r < 0)
			return r;
		pgno = ret->child;
	}
	return r < 0 || px_page_compare(ret, key, size) != 0 ? -ENOENT : 0;
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
	large = px_page_word(n.value);
	if (large < N_METAS || large >= f->n_pages ||
	    px_page_count_for(f->page_size, n.size) > f->n_pages - large)
		return -EUCLEAN;
	*ret_at = (off_t)(large * f->page_size + sizeof(struct page));
	return 0;
}

int px_pages_row(const struct px_pages *f, const struct px_pages_table *t,
		 const void *key, size_t key_size, void *ret, size_t size)
{
	PX_AUTOFREE uint8_t *page = malloc(f->page_size);
	struct node n;
	size_t pgno;
	int r;

	if (!page)
		return -ENOMEM;
	r = find_node(f, t, key, key_size, page, &pgno, &n);
	if (r < 0)
		return r;
	if (n.flags != 0)
		return -EUCLEAN;
	if (n.size != size)
		return -EBADMSG;
	memcpy(ret, n.value, size);
	return 0;
}
