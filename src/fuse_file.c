/* SPDX-License-Identifier: MIT */
/*
 * Files: a module's blob, or a descriptor of the source's own file, held from
 * OPEN to RELEASE.
 */
#include "fuse_i.h"

#include <fcntl.h>

struct handle {
	struct px_blob *blob; /* NULL: `fd` is the file's own */
	int fd;
};

static void handle_free(struct handle *h)
{
	if (!h)
		return;
	px_blob_unref(h->blob);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

/* Pages the kernel holds are kept exactly while the bytes are the same. */
static int handle_new(struct px_fuse *f, uint64_t ino, struct px_blob *blob,
		      int fd, uint64_t tag, struct fuse_file_info *fi)
{
	struct handle *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->blob = blob ? px_blob_ref(blob) : NULL;
	h->fd = fd;
	fi->fh = (uintptr_t)h;
	fi->keep_cache =
		px_inodes_same_tag(f->inodes, ino, tag) || f->o.immutable;
	return 0;
}

static void open_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;

	err = px_fuse_module_errno(err, m);
	if (err == 0)
		err = handle_new(p->f, p->inode.id, m->blob, -1, m->tag,
				 &p->fi);
	if (err < 0)
		fuse_reply_err(p->req, -err);
	else if (fuse_reply_open(p->req, &p->fi) != 0)
		handle_free((struct handle *)(uintptr_t)p->fi.fh);
	px_parked_free(p);
}

static bool is_pyc(const char *path)
{
	const size_t n = strlen(path);

	return n >= 4 && strcmp(path + n - 4, ".pyc") == 0;
}

static int open_plain(struct px_fuse *f, const struct px_inode *inode,
		      struct fuse_file_info *fi)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	int r;

	if (inode->kind != PX_KIND_FILE)
		return -EINVAL;
	r = px_tree_open_file(f->o.tree, inode->path, &fd, &st);
	if (r < 0)
		return r;
	if (is_pyc(inode->path))
		px_content_check_pyc(f->o.content, inode->path, fd);
	r = handle_new(f, inode->id, NULL, fd,
		       px_hash64(0, &st.fp, sizeof(st.fp)), fi);
	if (r == 0)
		px_steal_fd(&fd);
	return r;
}

void px_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	struct parked *p;
	int r;

	px_stats_add(f->o.stats, PX_COUNT_opens, 1);
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r == 0 && (fi->flags & O_ACCMODE) != O_RDONLY)
		r = -EROFS;
	if (r == 0 && inode.kind == PX_KIND_MODULE) {
		p = px_park(req, &inode);
		if (p) {
			p->fi = *fi;
			px_content_get(f->o.content, p->inode.path,
				       PX_WANT_BYTES, open_known, p);
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
		handle_free((struct handle *)(uintptr_t)fi->fh);
}

void px_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	const struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	struct fuse_bufvec file = FUSE_BUFVEC_INIT(size);
	size_t at = (size_t)off;

	(void)ino;
	px_stats_add(self(req)->o.stats, PX_COUNT_reads, 1);
	if (!h->blob) {
		file.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		file.buf[0].fd = h->fd;
		file.buf[0].pos = off;
		fuse_reply_data(req, &file, FUSE_BUF_SPLICE_MOVE);
		return;
	}
	if (at > h->blob->size)
		at = h->blob->size;
	if (size > h->blob->size - at)
		size = h->blob->size - at;
	fuse_reply_buf(req, (const char *)h->blob->data + at, size);
}

void px_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
