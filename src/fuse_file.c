/* SPDX-License-Identifier: MIT */
/*
 * Files. An open module is a reference to its blob. An open file of the source
 * is a descriptor, as long as there are few: who has a shared library mapped
 * must not get SIGBUS when it is replaced. Of the many that a reader may have
 * open beyond that, nothing is held, so that descriptors do not run out with
 * the reader's: each read opens the file anew and checks that it is the same.
 */
#include "fuse_i.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>

/* Enough for a few readers at once; a large file is read in many requests. */
#define N_RECENT 8

struct px_recent {
	pthread_mutex_t lock;
	unsigned next; /* to be replaced */
	struct {
		uint64_t id;
		struct px_blob *blob;
	} slot[N_RECENT];
};

struct px_recent *px_recent_new(void)
{
	struct px_recent *r = calloc(1, sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

void px_recent_free(struct px_recent *r)
{
	unsigned i;

	if (!r)
		return;
	for (i = 0; i < N_RECENT; i++)
		px_blob_unref(r->slot[i].blob);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* A reference to the blob of node `id`; NULL: not among them. */
static struct px_blob *recent_get(struct px_recent *r, uint64_t id)
{
	struct px_blob *b = NULL;
	unsigned i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < N_RECENT && !b; i++)
		if (r->slot[i].id == id && r->slot[i].blob)
			b = px_blob_ref(r->slot[i].blob);
	pthread_mutex_unlock(&r->lock);
	return b;
}

/* Nobody reads on behind its end. */
static void recent_drop(struct px_recent *r, uint64_t id)
{
	struct px_blob *old = NULL;
	unsigned i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < N_RECENT && !old; i++)
		if (r->slot[i].id == id)
			old = PX_STEAL(r->slot[i].blob);
	pthread_mutex_unlock(&r->lock);
	px_blob_unref(old);
}

static void recent_put(struct px_recent *r, uint64_t id, struct px_blob *b)
{
	struct px_blob *old;

	pthread_mutex_lock(&r->lock);
	old = r->slot[r->next].blob;
	r->slot[r->next].id = id;
	r->slot[r->next].blob = px_blob_ref(b);
	r->next = (r->next + 1) % N_RECENT;
	pthread_mutex_unlock(&r->lock);
	px_blob_unref(old);
}

/* Of what changes when a file is written, and not when its name is given to
 * another. 0: it cannot be asked. */
static uint32_t tag_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	return (uint32_t)px_hash64((uint64_t)st.st_size, &st.st_mtim,
				   sizeof(st.st_mtim)) |
	       1;
}

/* Keeps the descriptor for who opened the file, if not too many are. */
static void hold(struct px_fuse *f, int *fd, struct fuse_file_info *fi)
{
	const uint32_t tag = tag_of(*fd);
	struct handle *h = NULL;

	fi->fh = 0;
	if (tag == 0)
		return;
	if (atomic_fetch_add(&f->n_held, 1) < f->max_held)
		h = px_handle_new(f);
	if (!h) {
		atomic_fetch_sub(&f->n_held, 1);
		return;
	}
	h->fd = px_steal_fd(fd);
	h->tag = tag;
	fi->fh = (uintptr_t)h;
}

/*
 * -ESTALE makes the kernel look the name up again (fs/namei.c,
 * do_filp_open, with LOOKUP_REVAL), which gives the new version's node.
 */
static int open_version(struct px_fuse *f, uint64_t id,
			const struct px_module *m, struct fuse_file_info *fi)
{
	struct px_attr a = m->attr;
	struct handle *h;

	if (!px_inodes_settle(f->inodes, id, m->tag, &a))
		return -ESTALE;
	h = px_handle_new(f);
	if (!h)
		return -ENOMEM;
	h->blob = px_blob_ref(m->blob);
	fi->fh = (uintptr_t)h;
	fi->keep_cache = 1; /* pages of a node are of its version */
	return 0;
}

static void open_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;

	if (!px_claim(p))
		return;
	err = px_fuse_module_errno(err, m);
	if (err == 0)
		err = open_version(p->f, p->inode.id, m, &p->fi);
	if (err < 0)
		fuse_reply_err(p->req, -err);
	else if (fuse_reply_open(p->req, &p->fi) != 0)
		px_handle_free(p->f, px_handle_of(&p->fi));
	px_parked_free(p);
}

/* The source's own file, if it still is the one that node `inode` is. */
static int open_source(struct px_fuse *f, const struct px_inode *inode,
		       int *ret_fd, struct px_stat *ret_st)
{
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (inode->kind != PX_KIND_FILE)
		return -EINVAL;
	r = px_tree_open_file(f->o.tree, inode->path, &fd, ret_st);
	if (r < 0)
		return r;
	if (!px_inodes_is(f->inodes, inode->id, px_content_source(&ret_st->fp)))
		return -ESTALE;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

static int open_plain(struct px_fuse *f, const struct px_inode *inode,
		      struct fuse_file_info *fi)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st = {0};
	int r = open_source(f, inode, &fd, &st);

	if (r < 0)
		return r;
	px_content_check_pyc(f->o.content, inode->path, fd);
	hold(f, &fd, fi);
	fi->keep_cache =
		px_inodes_same_tag(f->inodes, inode->id,
				   px_hash64(0, &st.fp, sizeof(st.fp))) ||
		f->o.immutable;
	return 0;
}

void px_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	struct parked *p;
	int r;

	if (f->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	px_stats_add(f->o.stats, PX_COUNT_opens, 1);
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r == 0 && (fi->flags & O_ACCMODE) != O_RDONLY)
		r = -EROFS;
	if (r == 0 && px_kind_is_made(inode.kind)) {
		p = px_park(req, &inode);
		if (p) {
			p->fi = *fi;
			px_content_get(f->o.content, p->inode.path, NULL,
				       p->inode.kind, PX_WANT_BYTES, open_known,
				       p);
		} else {
			fuse_reply_err(req, ENOMEM);
		}
		return;
	}
	if (r == 0)
		r = open_plain(f, &inode, fi);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_open(req, fi) != 0)
		px_handle_free(f, px_handle_of(fi));
}

static void reply_blob(fuse_req_t req, const struct px_blob *blob, size_t size,
		       off_t off)
{
	const size_t at = (size_t)off < blob->size ? (size_t)off : blob->size;

	if (size > blob->size - at)
		size = blob->size - at;
	fuse_reply_buf(req, (const char *)blob->data + at, size);
}

static void reply_fd(fuse_req_t req, int fd, size_t size, off_t off)
{
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);

	data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	data.buf[0].fd = fd;
	data.buf[0].pos = off;
	fuse_reply_data(req, &data, FUSE_BUF_SPLICE_MOVE);
}

static void reply_source(fuse_req_t req, const struct px_inode *inode,
			 size_t size, off_t off)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	int r = open_source(self(req), inode, &fd, &st);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_fd(req, fd, size, off);
}

static void read_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;

	if (!px_claim(p))
		return;
	err = px_fuse_module_errno(err, m);
	if (err == 0 && !px_inodes_is(p->f->inodes, p->inode.id, m->tag))
		err = -ESTALE;
	if (err == 0) {
		/* The last piece of a file is not followed by another. */
		if ((size_t)p->off + p->size < m->blob->size)
			recent_put(p->f->recent, p->inode.id, m->blob);
		reply_blob(p->req, m->blob, p->size, p->off);
	} else {
		fuse_reply_err(p->req, -err);
	}
	px_parked_free(p);
}

/* No open file holds the blob: the one of the last requests, or asked for. */
static void read_made(fuse_req_t req, struct px_inode *inode, size_t size,
		      off_t off)
{
	struct px_fuse *f = self(req);
	struct px_blob *blob = recent_get(f->recent, inode->id);
	struct parked *p;

	if (blob) {
		if ((size_t)off + size >= blob->size)
			recent_drop(f->recent, inode->id);
		reply_blob(req, blob, size, off);
		px_blob_unref(blob);
		return;
	}
	p = px_park(req, inode);
	if (!p) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	p->size = size;
	p->off = off;
	px_content_get(f->o.content, p->inode.path, NULL, p->inode.kind,
		       PX_WANT_BYTES, read_known, p);
}

void px_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	const struct handle *h = px_handle_of(fi);
	struct px_blob *blob;
	int r;

	px_stats_add(f->o.stats, PX_COUNT_reads, 1);
	px_push_read(f->push, ino);
	if (h && h->blob) {
		/* A reader that has its reply may close the file before
		 * writev(2) returns here; sanitizers look at the bytes then. */
		blob = px_blob_ref(h->blob);
		reply_blob(req, blob, size, off);
		px_blob_unref(blob);
		return;
	}
	if (h) {
		/* Of one that was written in its place nobody gets parts of
		 * both. */
		if (tag_of(h->fd) == h->tag)
			reply_fd(req, h->fd, size, off);
		else
			fuse_reply_err(req, ESTALE);
		return;
	}
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (px_kind_is_made(inode.kind))
		read_made(req, &inode, size, off);
	else
		reply_source(req, &inode, size, off);
}

void px_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	px_handle_free(self(req), px_handle_of(fi));
	fuse_reply_err(req, 0);
}
