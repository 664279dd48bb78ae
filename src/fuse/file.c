/* SPDX-License-Identifier: MIT */
/*
 * Files: OPEN, READ and RELEASE. The handle of an open module holds its blob.
 *
 * The handle of an open source file holds a descriptor, so that a process that
 * has a shared library mapped gets no SIGBUS when the library is replaced. But
 * at most px_fuse.max_held are held, as all readers together may open more
 * files than this process may. Beyond that a file has no handle: each READ
 * opens it anew and checks that it still has the node's version.
 */
#include "file.h"
#include "handle.h"
#include "node.h"
#include "park.h"
#include "push.h"
#include "recent.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>

/* A hash of the file's size and mtime, which differ once its bytes were changed
 * in place, but not when the file is renamed or replaced. Never 0, except that
 * fstat failed. */
static uint32_t stamp_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	return (uint32_t)px_hash64((uint64_t)st.st_size, &st.st_mtim,
				   sizeof(st.st_mtim)) |
	       1;
}

/* Makes a handle for the descriptor and takes it over, unless too many are held
 * already. */
static void hold(struct px_fuse *f, int *fd, struct fuse_file_info *fi)
{
	const uint32_t stamp = stamp_of(*fd);
	struct handle *h = NULL;

	fi->fh = 0;
	if (stamp == 0)
		return;
	if (atomic_fetch_add(&f->n_held, 1) < f->max_held)
		h = px_handle_new(f);
	if (!h) {
		atomic_fetch_sub(&f->n_held, 1);
		return;
	}
	h->fd = px_steal_fd(fd);
	h->stamp = stamp;
	fi->fh = (uintptr_t)h;
}

/*
 * Opens node `id` if it stands for the version that `m` is. -ESTALE if not: the
 * kernel then looks the name up again (fs/namei.c, do_filp_open, with
 * LOOKUP_REVAL) and gets the node of the new version.
 */
static int open_version(struct px_fuse *f, uint64_t id,
			const struct px_module *m, struct fuse_file_info *fi)
{
	struct px_attr a = m->attr;
	struct handle *h;

	if (!px_inodes_update_attr(f->inodes, id, m->tag, &a))
		return -ESTALE;
	h = px_handle_new(f);
	if (!h)
		return -ENOMEM;
	h->blob = px_blob_ref(m->blob);
	fi->fh = (uintptr_t)h;
	fi->keep_cache = 1; /* cached pages are of the node's version */
	return 0;
}

static void open_done(void *arg, int err, const struct px_module *m)
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

/* Opens a source file if its version still is that of its node, else -ESTALE.
 */
static int open_source(struct px_fuse *f, const struct px_inode *inode,
		       int *ret_fd, struct px_stat *ret_st)
{
	PX_AUTOCLOSE int fd = -1;
	uint64_t size;
	int r;

	if (inode->kind != PX_KIND_FILE)
		return -EINVAL;
	r = px_content_open(f->o.content, inode->path, false, &fd, ret_st,
			    &size);
	if (r < 0)
		return r;
	if (!px_inodes_matches_version(f->inodes, inode->id,
				       px_content_source(&ret_st->fp)))
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
		px_inodes_update_tag(f->inodes, inode->id,
				     px_hash64(0, &st.fp, sizeof(st.fp))) ||
		f->o.immutable;
	return 0;
}

void px_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fuse *f = px_fuse_of(req);
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
				       p->inode.kind, PX_WANT_BYTES, open_done,
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
	int r = open_source(px_fuse_of(req), inode, &fd, &st);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_fd(req, fd, size, off);
}

static void read_done(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;

	if (!px_claim(p))
		return;
	err = px_fuse_module_errno(err, m);
	if (err == 0 &&
	    !px_inodes_matches_version(p->f->inodes, p->inode.id, m->tag))
		err = -ESTALE;
	if (err == 0) {
		/* Unless this was the last piece of the file. */
		if ((size_t)p->off + p->size < m->blob->size)
			px_recent_put(p->f->recent, p->inode.id, m->blob);
		reply_blob(p->req, m->blob, p->size, p->off);
	} else {
		fuse_reply_err(p->req, -err);
	}
	px_parked_free(p);
}

/* READ of a module or RECORD without a handle: its blob is among the recent
 * ones, or the content is asked for it. */
static void read_generated(fuse_req_t req, struct px_inode *inode, size_t size,
			   off_t off)
{
	struct px_fuse *f = px_fuse_of(req);
	struct px_blob *blob = px_recent_get(f->recent, inode->id);
	struct parked *p;

	if (blob) {
		if ((size_t)off + size >= blob->size)
			px_recent_drop(f->recent, inode->id);
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
		       PX_WANT_BYTES, read_done, p);
}

void px_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	struct px_fuse *f = px_fuse_of(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	const struct handle *h = px_handle_of(fi);
	struct px_blob *blob;
	int r;

	px_stats_add(f->o.stats, PX_COUNT_reads, 1);
	px_push_read(f->push, ino);
	if (h && h->blob) {
		/* The reader may close the file, which frees the handle, as
		 * soon as it has its reply, and writev(2) may still be running
		 * here; sanitizers then look at the blob's bytes. */
		blob = px_blob_ref(h->blob);
		reply_blob(req, blob, size, off);
		px_blob_unref(blob);
		return;
	}
	if (h) {
		/* A file that was overwritten in place: no reader may get
		 * some bytes of the old content and some of the new. */
		if (stamp_of(h->fd) == h->stamp)
			reply_fd(req, h->fd, size, off);
		else
			fuse_reply_err(req, ESTALE);
		return;
	}
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (px_kind_is_made(inode.kind))
		read_generated(req, &inode, size, off);
	else
		reply_source(req, &inode, size, off);
}

void px_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	px_handle_free(px_fuse_of(req), px_handle_of(fi));
	fuse_reply_err(req, 0);
}
