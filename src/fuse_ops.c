/* SPDX-License-Identifier: MIT */
/*
 * One function per request. Each shows every reply it can give; what has to
 * wait for a compile carries its request in a `parked` and is answered by the
 * function named after the op with `_known`.
 */
#include "fuse_i.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

void px_inode_fini(struct px_inode *i)
{
	free(i->path);
}

mode_t px_fuse_type(enum px_kind kind)
{
	switch (kind) {
	case PX_KIND_DIR:
	case PX_KIND_PYCACHE:
		return S_IFDIR;
	case PX_KIND_LINK:
		return S_IFLNK;
	case PX_KIND_FILE:
	case PX_KIND_MODULE:
	case PX_KIND_RECORD:
	case PX_KIND_KEPT:
		break;
	}
	return S_IFREG;
}

/* One link each: two equal files of the source may be two different modules
 * here. */
void px_fuse_stat(const struct px_attr *a, uint64_t number, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = number,
		.st_mode = px_fuse_type(a->kind) | a->mode,
		.st_nlink = 1,
		.st_uid = a->uid,
		.st_gid = a->gid,
		.st_size = (off_t)a->size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((a->size + 511) / 512),
		.st_atim.tv_sec = a->mtime,
		.st_mtim.tv_sec = a->mtime,
		.st_ctim.tv_sec = a->mtime,
	};
}

int px_fuse_module_errno(int err, const struct px_module *m)
{
	if (err < 0)
		return err;
	return m->kind == PX_BLOB_CODE ? 0 : -EIO;
}

int px_fuse_view(struct px_fuse *f, const struct px_inode *dir,
		 struct px_view **ret)
{
	struct px_fingerprint fp;
	struct px_stat st;
	struct px_view *v;
	bool stable;
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
	r = px_content_view(f->o.content, dir->path, dir->kind, &v, &fp,
			    &stable);
	if (r < 0)
		return r;
	if (f->o.immutable || stable)
		px_inodes_set_view(f->inodes, dir->id, v, &fp);
	*ret = v;
	return 0;
}

int px_fuse_dir(struct px_fuse *f, fuse_ino_t ino, struct px_inode *ret)
{
	int r = px_inodes_get(f->inodes, ino, ret);

	if (r == 0 && !px_kind_is_dir(ret->kind)) {
		px_inode_fini(ret);
		return -ENOTDIR;
	}
	return r;
}

int px_fuse_enter(struct px_fuse *f, const struct px_inode *dir,
		  const struct px_entry *e, uint64_t version,
		  const struct px_attr *a, struct fuse_entry_param *ret)
{
	struct px_attr attr = *a;
	uint64_t id;
	int r = px_inodes_enter(f->inodes, dir->id, e, version, &id);

	if (r < 0)
		return r;
	if (version != 0)
		px_inodes_settle(f->inodes, id, version, &attr);
	px_fuse_stat(&attr, px_inode_number(dir->number, e->name), &ret->attr);
	ret->ino = id;
	ret->attr_timeout = f->timeout;
	ret->entry_timeout = f->timeout;
	return 0;
}

/*
 * A module nobody has compiled yet. The kernel holds the directory's lock
 * until a LOOKUP is answered, so it is answered now, with attributes that are
 * void at once: GETATTR and OPEN wait for the compile and hold nothing. Not
 * so for a name that has a version: its size must not become 0 under a reader.
 */
static int enter_unknown(struct px_fuse *f, const struct px_inode *dir,
			 const struct px_entry *e, const char *path,
			 struct fuse_entry_param *ret)
{
	struct px_attr a;
	int r;

	if (e->kind != PX_KIND_MODULE || f->o.on_error != PX_ON_ERROR_FAIL ||
	    px_inodes_version(f->inodes, dir->id, e->name) != 0)
		return -EINPROGRESS;
	r = px_content_attr(f->o.content, path, e->st, PX_KIND_FILE, &a);
	a.size = 0;
	if (r == 0)
		r = px_fuse_enter(f, dir, e, 0, &a, ret);
	ret->attr_timeout = 0;
	return r;
}

int px_fuse_enter_known(struct px_fuse *f, const struct px_inode *dir,
			const struct px_entry *e, struct fuse_entry_param *ret)
{
	PX_AUTOFREE char *path = px_path_join(dir->path, e->source);
	struct px_module m;
	struct px_attr a;
	int r;

	if (!path)
		return -ENOMEM;
	if (px_kind_is_made(e->kind)) {
		r = px_content_peek(f->o.content, path, e->st, e->kind,
				    PX_WANT_SIZE, &m);
		if (r == 0 && m.kind == PX_BLOB_CODE)
			return px_fuse_enter(f, dir, e, m.tag, &m.attr, ret);
		return enter_unknown(f, dir, e, path, ret);
	}
	r = px_content_attr(f->o.content, path, e->st, e->kind, &a);
	if (r < 0)
		return r;
	return px_fuse_enter(f, dir, e, e->kind == PX_KIND_FILE ? a.source : 0,
			     &a, ret);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct px_fuse *f = userdata;

	conn->want |= conn->capable &
		      (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
		       FUSE_CAP_IOCTL_DIR | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_CACHE_SYMLINKS);
	if (!f->o.immutable)
		return;
	/* What is known of a name stays true: it may as well come with every
	 * listing. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	f->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	/* A directory that must be settled is, when it is opened. */
	f->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) &&
			!px_content_unsettled(f->o.content, PX_KIND_DIR) &&
			!f->o.has_rules;
}

static void reply_absent(fuse_req_t req, const struct px_fuse *f)
{
	/* Import probes many names that are not there: let it be remembered. */
	const struct fuse_entry_param none = {.entry_timeout = f->timeout};

	fuse_reply_entry(req, &none);
}

/* What a rejected module is: -EIO, -ENOENT, or 0 and in *e its source. */
static int rejected_entry(const struct px_fuse *f, struct px_entry *e)
{
	if (e->kind == PX_KIND_KEPT || f->o.on_error == PX_ON_ERROR_OMIT)
		return -ENOENT;
	if (f->o.on_error == PX_ON_ERROR_FAIL)
		return -EIO;
	e->kind = PX_KIND_FILE;
	return 0;
}

static void lookup_known(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;
	struct px_fuse *f = p->f;
	const bool rejected = err == 0 && m->kind != PX_BLOB_CODE;
	struct px_entry e = {p->name, p->source, p->kind, NULL};
	struct fuse_entry_param param = {0};
	struct px_attr a;

	if (!px_claim(p))
		return;
	if (rejected)
		err = rejected_entry(f, &e);
	/* X.py exists if X.pyc does not, and the other way round. */
	if (err == 0 && rejected != p->by_source)
		err = -ENOENT;
	if (err == 0) {
		a = m->attr;
		if (rejected)
			a.size = m->source_size;
		err = px_fuse_enter(f, &p->inode, &e,
				    rejected ? a.source : m->tag, &a, &param);
	}
	if (err == 0)
		fuse_reply_entry(p->req, &param);
	else if (err == -ENOENT)
		reply_absent(p->req, f);
	else
		fuse_reply_err(p->req, -err);
	px_parked_free(p);
}

/* Answers once the module behind `e` is known. */
static void park_lookup(fuse_req_t req, struct px_inode *dir, const char *name,
			const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir->path, e->source);
	PX_AUTOFREE char *copy = strdup(name);
	PX_AUTOFREE char *source = strdup(e->source);
	struct parked *p;

	p = path && copy && source ? px_park(req, dir) : NULL;
	if (!p) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	p->name = PX_STEAL(copy);
	p->source = PX_STEAL(source);
	p->kind = e->kind;
	p->by_source = strcmp(name, e->name) != 0;
	px_content_get(p->f->o.content, path, NULL, e->kind, PX_WANT_SIZE,
		       lookup_known, p);
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
	} else if (r == 0) {
		/* By its source's name it exists only if it is rejected. */
		r = strcmp(e->name, name) != 0
			    ? -EINPROGRESS
			    : px_fuse_enter_known(f, &dir, e, &param);
		if (r == 0)
			fuse_reply_entry(req, &param);
		else if (r == -EINPROGRESS)
			park_lookup(req, &dir, name, e);
	}
	if (r < 0 && r != -EINPROGRESS)
		fuse_reply_err(req, -r);
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
	struct px_attr a = {0};
	struct stat st;

	if (!px_claim(p))
		return;
	err = px_fuse_module_errno(err, m);
	if (err == 0)
		a = m->attr;
	/* A node whose version is gone stays what it was, for who has it open;
	 * its name leads elsewhere as soon as it is looked up again. */
	if (err == 0)
		px_inodes_settle(p->f->inodes, p->inode.id, m->tag, &a);
	else if (px_inodes_get_attr(p->f->inodes, p->inode.id, &a))
		err = 0;
	px_fuse_stat(&a, p->inode.number, &st);
	if (err == 0)
		fuse_reply_attr(p->req, &st, p->f->timeout);
	else
		fuse_reply_err(p->req, -err);
	px_parked_free(p);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct px_fuse *f = self(req);
	PX_AUTO(px_inode_fini) struct px_inode inode = {0};
	struct px_attr a = {0};
	struct parked *p;
	struct stat st;
	int r;

	(void)fi;
	px_stats_add(f->o.stats, PX_COUNT_getattrs, 1);
	r = px_inodes_get(f->inodes, ino, &inode);
	if (r == 0 && px_kind_is_made(inode.kind)) {
		p = px_park(req, &inode);
		if (p)
			px_content_get(f->o.content, p->inode.path, NULL,
				       p->inode.kind, PX_WANT_SIZE,
				       getattr_known, p);
		else
			fuse_reply_err(req, ENOMEM);
		return;
	}
	if (r == 0)
		r = px_content_attr(f->o.content, inode.path, NULL, inode.kind,
				    &a);
	if (r == 0 && inode.kind == PX_KIND_FILE)
		px_inodes_settle(f->inodes, ino, a.source, &a);
	else if (r < 0 && px_inodes_get_attr(f->inodes, ino, &a))
		r = 0;
	px_fuse_stat(&a, inode.number, &st);
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
		px_op_flush(req);
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
