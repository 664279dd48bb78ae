/* SPDX-License-Identifier: MIT */
/*
 * One function per request. Each shows every reply it can give; what has to
 * wait for a compile carries its request in a `parked` and is answered by the
 * function named after the op with `_known`.
 */
#include "fuse_i.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

/* 1980-01-01: zip archives cannot hold an earlier time. */
#define EARLIEST_MTIME 315532800

void px_parked_free(struct parked *p)
{
	if (!p)
		return;
	free(p->inode.path);
	free(p->name);
	free(p->source);
	free(p);
}

void px_inode_fini(struct px_inode *i)
{
	free(i->path);
}

mode_t px_fuse_type(enum px_kind kind)
{
	switch (kind) {
	case PX_KIND_DIR:
		return S_IFDIR;
	case PX_KIND_LINK:
		return S_IFLNK;
	case PX_KIND_FILE:
	case PX_KIND_MODULE:
		break;
	}
	return S_IFREG;
}

/* Times are whole seconds: builders round them, each in its own way. One link
 * each: two equal files of the source may be two different modules here. */
void px_fuse_attr(const struct px_stat *st, enum px_kind kind, uint64_t size,
		  uint64_t number, struct stat *ret)
{
	int64_t mtime = st->fp.mtime_ns / 1000000000;

	if (mtime < EARLIEST_MTIME)
		mtime = EARLIEST_MTIME;
	*ret = (struct stat){
		.st_ino = number,
		.st_mode = px_fuse_type(kind) | st->mode,
		.st_nlink = 1,
		.st_uid = st->uid,
		.st_gid = st->gid,
		.st_size = (off_t)size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
		.st_atim.tv_sec = mtime,
		.st_mtim.tv_sec = mtime,
		.st_ctim.tv_sec = mtime,
	};
}

/* Attributes of anything but a module. -ESTALE if it became something else. */
int px_fuse_stat(struct px_fuse *f, const char *path, enum px_kind kind,
		 uint64_t number, struct stat *ret)
{
	struct px_stat st;
	int r;

	r = kind == PX_KIND_FILE ? px_tree_stat_file(f->o.tree, path, &st)
				 : px_tree_stat(f->o.tree, path, &st);
	if (r < 0)
		return r;
	if ((kind == PX_KIND_DIR && st.type != PX_TYPE_DIR) ||
	    (kind == PX_KIND_LINK && st.type != PX_TYPE_LNK))
		return -ESTALE;
	px_fuse_attr(&st, kind, st.fp.size, number, ret);
	return 0;
}

/* A compile that was refused is an error of the file, not of the request. */
int px_fuse_module_errno(int err, const struct px_module *m)
{
	if (err < 0)
		return err;
	return m->kind == PX_BLOB_CODE ? 0 : -EIO;
}

/* The directory as it is now: the last view if nothing changed since. */
int px_fuse_view(struct px_fuse *f, const struct px_inode *dir,
		 struct px_view **ret)
{
	struct px_fingerprint fp;
	struct px_listing l;
	struct px_stat st;
	struct px_view *v;
	int r;

	if (px_inodes_get_view(f->inodes, dir->id, &v, &fp) == 0) {
		if (f->o.immutable ||
		    (px_tree_stat(f->o.tree, dir->path, &st) == 0 &&
		     px_fingerprint_equal(&st.fp, &fp))) {
			*ret = v;
			return 0;
		}
		px_view_unref(v);
	}
	r = px_tree_list(f->o.tree, dir->path, &l);
	if (r < 0)
		return r;
	r = px_view_new(&l, &v);
	if (r == 0) {
		px_content_notes(f->o.content, dir->path, v);
		if (f->o.immutable || !l.young)
			px_inodes_set_view(f->inodes, dir->id, v, &l.dir.fp);
		*ret = v;
	}
	px_listing_fini(&l);
	return r;
}

int px_fuse_dir(struct px_fuse *f, fuse_ino_t ino, struct px_inode *ret)
{
	int r = px_inodes_get(f->inodes, ino, ret);

	if (r == 0 && ret->kind != PX_KIND_DIR) {
		px_inode_fini(ret);
		return -ENOTDIR;
	}
	return r;
}

/* Counts a lookup and fills the entry the kernel gets. */
int px_fuse_enter(struct px_fuse *f, uint64_t parent, const struct px_entry *e,
		  struct fuse_entry_param *ret)
{
	uint64_t id;
	int r = px_inodes_enter(f->inodes, parent, e, &id);

	if (r < 0)
		return r;
	ret->ino = id;
	ret->attr_timeout = f->timeout;
	ret->entry_timeout = f->timeout;
	return 0;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* Plain READDIR where nobody wants attributes, or `ls` would pay for
	 * them. */
	conn->want |= conn->capable &
		      (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
		       FUSE_CAP_IOCTL_DIR | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_CACHE_SYMLINKS);
}

static void reply_absent(fuse_req_t req, const struct px_fuse *f)
{
	/* Import probes many names that are not there: let it be remembered. */
	const struct fuse_entry_param none = {.entry_timeout = f->timeout};

	fuse_reply_entry(req, &none);
}

static void lookup_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;
	struct px_fuse *f = p->f;
	const bool rejected = err == 0 && m->kind != PX_BLOB_CODE;
	const enum px_kind kind = rejected ? PX_KIND_FILE : PX_KIND_MODULE;
	const struct px_entry e = {p->name, p->source, kind};
	struct fuse_entry_param param = {0};

	if (rejected && f->o.on_error == PX_ON_ERROR_FAIL)
		err = -EIO;
	if (err == 0 && rejected == p->by_source) {
		px_fuse_attr(&m->st, kind, rejected ? m->st.fp.size : m->size,
			     px_inode_number(p->inode.number, p->name),
			     &param.attr);
		err = px_fuse_enter(f, p->inode.id, &e, &param);
		if (err == 0)
			fuse_reply_entry(p->req, &param);
		else
			fuse_reply_err(p->req, -err);
	} else if (err == 0) {
		reply_absent(p->req, f);
	} else {
		fuse_reply_err(p->req, -err);
	}
	px_parked_free(p);
}

/* Answers once the module behind `e` is known. */
static void park_lookup(fuse_req_t req, struct px_inode *dir, const char *name,
			const struct px_entry *e)
{
	struct parked *p = calloc(1, sizeof(*p));
	PX_AUTOFREE char *path = px_path_join(dir->path, e->source);

	if (p) {
		p->name = strdup(name);
		p->source = strdup(e->source);
	}
	if (!p || !path || !p->name || !p->source) {
		px_parked_free(p);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	p->req = req;
	p->f = self(req);
	p->inode = *dir;
	p->by_source = strcmp(name, e->name) != 0;
	dir->path = NULL;
	px_content_get(p->f->o.content, path, PX_WANT_SIZE, lookup_known, p);
}

/* 0 with `ret` filled and one lookup counted. */
static int lookup_plain(struct px_fuse *f, const struct px_inode *dir,
			const struct px_entry *e, struct fuse_entry_param *ret)
{
	PX_AUTOFREE char *path = px_path_join(dir->path, e->source);
	int r;

	if (!path)
		return -ENOMEM;
	r = px_fuse_stat(f, path, e->kind,
			 px_inode_number(dir->number, e->name), &ret->attr);
	return r < 0 ? r : px_fuse_enter(f, dir->id, e, ret);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode dir = {0};
	struct fuse_entry_param param = {0};
	const struct px_entry *e = NULL;
	struct px_view *v = NULL;
	int r;

	px_stats_add(f->o.stats, PX_COUNT_lookups, 1);
	r = px_fuse_dir(f, parent, &dir);
	if (r == 0)
		r = px_fuse_view(f, &dir, &v);
	if (r == 0)
		e = px_view_find(v, name);
	if (r == 0 && !e && f->o.on_error == PX_ON_ERROR_SOURCE)
		e = px_view_find_source(v, name);
	if (r == 0 && !e) {
		reply_absent(req, f);
	} else if (r == 0 && e->kind == PX_KIND_MODULE) {
		park_lookup(req, &dir, name, e);
	} else {
		if (r == 0)
			r = lookup_plain(f, &dir, e, &param);
		if (r == 0)
			fuse_reply_entry(req, &param);
		else
			fuse_reply_err(req, -r);
	}
	px_view_unref(v);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	px_inodes_forget(self(req)->inodes, ino, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		px_inodes_forget(self(req)->inodes, forgets[i].ino,
				 forgets[i].nlookup);
	fuse_reply_none(req);
}

static void getattr_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;
	struct stat st;

	err = px_fuse_module_errno(err, m);
	if (err == 0) {
		px_fuse_attr(&m->st, PX_KIND_MODULE, m->size, p->inode.number,
			     &st);
		fuse_reply_attr(p->req, &st, p->f->timeout);
	} else {
		fuse_reply_err(p->req, -err);
	}
	px_parked_free(p);
}

/* A parked request about an inode it takes over. NULL: ENOMEM. */
struct parked *px_park(fuse_req_t req, struct px_inode *inode)
{
	struct parked *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->req = req;
	p->f = self(req);
	p->inode = *inode;
	inode->path = NULL;
	return p;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	struct parked *p;
	struct stat st;
	int r;

	(void)fi;
	px_stats_add(f->o.stats, PX_COUNT_getattrs, 1);
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r == 0 && inode.kind == PX_KIND_MODULE) {
		p = px_park(req, &inode);
		if (p)
			px_content_get(f->o.content, p->inode.path,
				       PX_WANT_SIZE, getattr_known, p);
		else
			fuse_reply_err(req, ENOMEM);
		return;
	}
	if (r == 0)
		r = px_fuse_stat(f, inode.path, inode.kind, inode.number, &st);
	if (r == 0)
		fuse_reply_attr(req, &st, f->timeout);
	else
		fuse_reply_err(req, -r);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	PX_AUTOFREE char *target = NULL;
	int r;

	r = px_inodes_get(f->inodes, ino, &inode);
	if (r == 0)
		r = px_tree_readlink(f->o.tree, inode.path, &target);
	if (r == 0)
		fuse_reply_readlink(req, target);
	else
		fuse_reply_err(req, -r);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int r = px_tree_statfs(self(req)->o.tree, &st);

	(void)ino;
	if (r == 0)
		fuse_reply_statfs(req, &st);
	else
		fuse_reply_err(req, -r);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
		     struct fuse_file_info *fi, unsigned flags,
		     const void *in_buf, size_t in_size, size_t out_size)
{
	struct px_fuse *f = self(req);
	uint64_t counters[PX_N_COUNTERS];
	int i;

	(void)ino, (void)arg, (void)fi, (void)flags;
	(void)in_buf, (void)in_size;
	if (cmd == PX_IOC_FLUSH) {
		px_content_flush(f->o.content);
		fuse_reply_ioctl(req, 0, NULL, 0);
	} else if (cmd == PX_IOC_COUNTERS && out_size >= sizeof(counters)) {
		for (i = 0; i < PX_N_COUNTERS; i++)
			counters[i] =
				px_stats_get(f->o.stats, (enum px_counter)i);
		fuse_reply_ioctl(req, 0, counters, sizeof(counters));
	} else {
		fuse_reply_err(req, ENOTTY);
	}
}

const struct fuse_lowlevel_ops px_fuse_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.opendir = px_op_opendir,
	.readdir = px_op_readdir,
	.readdirplus = px_op_readdirplus,
	.releasedir = px_op_releasedir,
	.open = px_op_open,
	.read = px_op_read,
	.release = px_op_release,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
	/* No xattr operations: the kernel learns from the first ENOSYS that
	 * there are none and asks no more. */
};
