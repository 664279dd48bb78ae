/* SPDX-License-Identifier: MIT */
/*
 * Rows found in LMDB's file without LMDB: each page is read where it lies, and
 * looked at before it is believed. For a cache that is only read, of which LMDB
 * would want to write the lock file; and for every get, because a page that is
 * looked at through a map is a fault, stays in this process together with the
 * 64 KB around it, and can lead LMDB astray if somebody damages it meanwhile.
 */
#include "cache_pages_i.h"

/* Pages read last, of one transaction: in another, the same page may be of
 * something else. */
#define KEPT_PAGES 512

struct px_kept_pages {
	pthread_mutex_t lock;
	uint64_t txnid;
	size_t page_size;
	size_t pgno[KEPT_PAGES]; /* 0: none, that is a meta page */
	uint8_t *data;		 /* KEPT_PAGES of them */
};

struct px_kept_pages *px_kept_pages_new(size_t page_size)
{
	struct px_kept_pages *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->page_size = page_size;
	k->data = malloc(KEPT_PAGES * page_size);
	if (!k->data) {
		free(k);
		return NULL;
	}
	pthread_mutex_init(&k->lock, NULL);
	return k;
}

void px_kept_pages_free(struct px_kept_pages *k)
{
	if (!k)
		return;
	pthread_mutex_destroy(&k->lock);
	free(k->data);
	free(k);
}

static bool get_kept(const struct px_pages *f, size_t pgno, uint8_t *page)
{
	struct px_kept_pages *k = f->kept;
	const size_t at = pgno % KEPT_PAGES;
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

static void keep_page(const struct px_pages *f, size_t pgno,
		      const uint8_t *page)
{
	struct px_kept_pages *k = f->kept;
	const size_t at = pgno % KEPT_PAGES;

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

/* A page of a tree, into `page`. */
static int read_page(const struct px_pages *f, size_t pgno, bool leaf,
		     uint8_t *page)
{
	const off_t at = (off_t)(pgno * f->page_size);
	struct page p;

	if (pgno < N_METAS || pgno >= f->n_pages)
		return -EUCLEAN;
	if (!get_kept(f, pgno, page)) {
		if (px_pread_full(f->fd, page, f->page_size, at) !=
		    (ssize_t)f->page_size)
			return -EUCLEAN;
		keep_page(f, pgno, page);
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

/* LMDB puts transaction N's meta page on page N % 2. */
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
	/* It may be written just now, for the transaction after the next. */
	if (m.txnid != txnid || memcmp(&m, &again, sizeof(m)) != 0)
		return -EAGAIN;
	if (!px_meta_is_sane(&m, UINT64_MAX) || m.db[0].pad != page_size)
		return -EUCLEAN;
	open_meta(fd, &m, ret);
	return 0;
}

/* The last node that is no greater than `key`; the first of a branch is less
 * than any. -ENOENT: none is. */
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

/* ------------------------------------------------- what a transaction sees */

/* Another process may commit twice between a transaction's begin and the look
 * at its meta page. */
#define SNAPSHOT_TRIES 10

static int take_snapshot(struct px_cache *c, MDB_txn *txn,
			 struct px_snapshot *ret)
{
	MDB_stat st;
	int fd, r = 0;

	if (mdb_env_get_fd(c->env, &fd) || mdb_env_stat(c->env, &st))
		return -EIO;
	*ret = (struct px_snapshot){.txnid = mdb_txn_id(txn), .known = true};
	r = px_pages_open_at(fd, ret->txnid, st.ms_psize, &ret->file);
	ret->file.kept = c->kept_pages;
	for (int i = 0; i < PX_N_TABLES && r == 0; i++) {
		r = px_pages_find_table(&ret->file, px_table_names[i],
					&ret->table[i]);
		if (r == -ENOENT)
			r = -EUCLEAN;
	}
	return r;
}

static int find_snapshot(struct px_cache *c, MDB_txn *txn,
			 struct px_snapshot *ret)
{
	int r;

	pthread_mutex_lock(&c->lock);
	*ret = c->snapshot;
	pthread_mutex_unlock(&c->lock);
	if (ret->known && ret->txnid == mdb_txn_id(txn))
		return 0;
	r = take_snapshot(c, txn, ret);
	if (r == 0) {
		pthread_mutex_lock(&c->lock);
		c->snapshot = *ret;
		pthread_mutex_unlock(&c->lock);
	}
	return r;
}

int px_look_begin(struct px_cache *c, struct px_look *ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < SNAPSHOT_TRIES && r == -EAGAIN; i++) {
		r = px_cache_hold(c, MDB_RDONLY, &ret->txn);
		if (r < 0)
			return r;
		r = find_snapshot(c, ret->txn, &ret->seen);
		if (r < 0)
			px_cache_abort(c, ret->txn);
	}
	return r;
}

void px_look_end(struct px_cache *c, struct px_look *l)
{
	px_cache_abort(c, l->txn);
}

static int read_row(const struct px_look *l, enum px_cache_table t,
		    const uint8_t key[PX_DIGEST_SIZE], void *ret, size_t size)
{
	return px_pages_row(&l->seen.file, &l->seen.table[t], key,
			    PX_DIGEST_SIZE, ret, size);
}

int px_look_index(const struct px_look *l, const uint8_t index[PX_DIGEST_SIZE],
		  struct px_cache_entry *ret)
{
	uint8_t row[PX_CACHE_INDEX_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	uint32_t day;
	int r = read_row(l, PX_TABLE_INDEX, index, row, sizeof(row));

	if (r == -EBADMSG)
		return -ENOENT; /* as px_index_decode has it */
	return r < 0 ? r : px_index_decode(&v, ret, &day);
}

int px_look_used(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *ret)
{
	uint8_t row[PX_CACHE_USED_SIZE];
	MDB_val v = px_val(row, sizeof(row));
	int r = read_row(l, PX_TABLE_USED, key, row, sizeof(row));

	if (r == -EBADMSG)
		return -EUCLEAN;
	return r < 0 ? r : px_used_decode(&v, ret);
}

int px_look_blob(const struct px_look *l, const uint8_t key[PX_DIGEST_SIZE],
		 struct px_used *used, struct px_blob **ret)
{
	uint8_t header[PX_BLOB_STORED_HEADER];
	struct px_blob *b;
	size_t n = 0;
	off_t at = 0;
	int r = px_pages_find(&l->seen.file, &l->seen.table[PX_TABLE_BLOB], key,
			      PX_DIGEST_SIZE, &at, &n);

	*used = (struct px_used){0};
	if (r < 0)
		return r;
	r = px_look_used(l, key, used);
	if (r == -ENOENT ||
	    (r == 0 && (used->bytes != n || n < sizeof(header))))
		r = -EUCLEAN;
	if (r < 0)
		return r;
	b = px_blob_alloc(n - sizeof(header));
	if (!b)
		return -ENOMEM;
	r = px_pread2(l->seen.file.fd, header, sizeof(header), b->data, b->size,
		      at);
	if (r == 0)
		r = px_blob_check(b, key, header);
	if (r == -EBADMSG)
		r = px_cache_damage(header, used->kind);
	if (r < 0)
		px_blob_unref(b);
	else
		*ret = b;
	return r < 0 && r != -EBADMSG ? -EUCLEAN : r;
}
