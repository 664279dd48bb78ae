/* SPDX-License-Identifier: MIT */
/*
 * What a name leads to, and what the node behind it is: LOOKUP, FORGET, GETATTR
 * and READLINK. A request that has to wait for a compile is parked; the
 * function named after it with `_done` answers it.
 */
#include "lookup.h"
#include "node.h"
#include "park.h"

#include <sys/stat.h>

/* Counts one lookup of entry `e` and describes it. `version` is that of `a`;
 * 0: not known. */
static int enter(struct px_fuse *f, const struct px_inode *dir,
		 const struct px_entry *e, uint64_t version,
		 const struct px_attr *a, struct fuse_entry_param *ret)
{
	struct px_attr attr = *a;
	uint64_t id;
	int r = px_inodes_enter(f->inodes, dir->id, e, version, &id);

	if (r < 0)
		return r;
	if (version != 0)
		px_inodes_update_attr(f->inodes, id, version, &attr);
	px_fuse_stat(&attr, px_inode_number(dir->number, e->name), &ret->attr);
	ret->ino = id;
	ret->attr_timeout = f->timeout;
	ret->entry_timeout = f->timeout;
	return 0;
}

/*
 * A module that is not compiled yet. The kernel holds the directory's lock
 * until a LOOKUP is answered, so it is answered now, with size 0 and attributes
 * that expire at once: GETATTR and OPEN will wait for the compile, and they
 * hold no lock. -EINPROGRESS where the answer itself depends on the compile.
 * That is so for a name whose node has a version already, too: the size must
 * not become 0 for a reader that has it open.
 */
static int enter_uncompiled(struct px_fuse *f, const struct px_inode *dir,
			    const struct px_entry *e, const char *path,
			    struct fuse_entry_param *ret)
{
	struct px_attr a;
	int r;

	if (e->kind != PX_KIND_MODULE || f->o.on_error != PX_ON_ERROR_FAIL ||
	    px_inodes_version(f->inodes, dir->id, e->name) != 0)
		return -EINPROGRESS;
	r = px_content_attr(f->o.content, path, e->st, e->kind, &a);
	a.size = 0;
	if (r == 0)
		r = enter(f, dir, e, 0, &a, ret);
	ret->attr_timeout = 0;
	return r;
}

int px_fuse_enter_cached(struct px_fuse *f, const struct px_inode *dir,
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
			return enter(f, dir, e, m.tag, &m.attr, ret);
		return enter_uncompiled(f, dir, e, path, ret);
	}
	r = px_content_attr(f->o.content, path, e->st, e->kind, &a);
	if (r < 0)
		return r;
	return enter(f, dir, e, e->kind == PX_KIND_FILE ? a.source : 0, &a,
		     ret);
}

/* Tells the kernel that the name does not exist and lets it cache that: an
 * import tries many names that are not there. */
static void reply_absent(fuse_req_t req, const struct px_fuse *f)
{
	const struct fuse_entry_param none = {.entry_timeout = f->timeout};

	fuse_reply_entry(req, &none);
}

/* How a module that does not compile is shown: -EIO, -ENOENT (not at all), or 0
 * with *e changed to its source file. */
static int rejected_entry(const struct px_fuse *f, struct px_entry *e)
{
	if (e->kind == PX_KIND_KEPT || f->o.on_error == PX_ON_ERROR_OMIT)
		return -ENOENT;
	if (f->o.on_error == PX_ON_ERROR_FAIL)
		return -EIO;
	e->kind = PX_KIND_FILE;
	return 0;
}

/* The attributes of the source file that is shown for a module that does not
 * compile. */
static int source_attr(const struct parked *p, struct px_attr *ret)
{
	PX_AUTOFREE char *path = px_path_join(p->inode.path, p->source);

	if (!path)
		return -ENOMEM;
	return px_content_attr(p->f->o.content, path, NULL, PX_KIND_FILE, ret);
}

static void lookup_done(void *arg, int err, const struct px_module *m)
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
	/* Either X.pyc exists or, if that does not compile, X.py. */
	if (err == 0 && rejected != p->by_source)
		err = -ENOENT;
	if (err == 0 && rejected)
		err = source_attr(p, &a);
	else if (err == 0)
		a = m->attr;
	if (err == 0)
		err = enter(f, &p->inode, &e, rejected ? a.source : m->tag, &a,
			    &param);
	if (err == 0)
		fuse_reply_entry(p->req, &param);
	else if (err == -ENOENT)
		reply_absent(p->req, f);
	else
		fuse_reply_err(p->req, -err);
	px_parked_free(p);
}

/* LOOKUP of `e`, answered once its module is compiled or read. */
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
		       lookup_done, p);
}

void px_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct px_fuse *f = px_fuse_of(req);
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
		/* Asked for as X.py: that exists only if X.pyc does not,
		 * because it does not compile. */
		r = strcmp(e->name, name) != 0
			    ? -EINPROGRESS
			    : px_fuse_enter_cached(f, &dir, e, &param);
		if (r == 0)
			fuse_reply_entry(req, &param);
		else if (r == -EINPROGRESS)
			park_lookup(req, &dir, name, e);
	}
	if (r < 0 && r != -EINPROGRESS)
		fuse_reply_err(req, -r);
	px_view_unref(v);
}

void px_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	px_inodes_forget(px_fuse_of(req)->inodes, ino, n);
	fuse_reply_none(req);
}

void px_op_forget_multi(fuse_req_t req, size_t count,
			struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		px_inodes_forget(px_fuse_of(req)->inodes, forgets[i].ino,
				 forgets[i].nlookup);
	fuse_reply_none(req);
}

static void getattr_done(void *arg, int err, const struct px_module *m)
{
	struct parked *p = arg;
	struct px_attr a = {0};
	struct stat st;

	if (!px_claim(p))
		return;
	err = px_fuse_module_errno(err, m);
	if (err == 0)
		a = m->attr;
	/* A node whose version is outdated keeps its attributes, for readers
	 * that have it open; the next lookup of its name gives a new node. */
	if (err == 0)
		px_inodes_update_attr(p->f->inodes, p->inode.id, m->tag, &a);
	else if (px_inodes_get_attr(p->f->inodes, p->inode.id, &a))
		err = 0;
	px_fuse_stat(&a, p->inode.number, &st);
	if (err == 0)
		fuse_reply_attr(p->req, &st, p->f->timeout);
	else
		fuse_reply_err(p->req, -err);
	px_parked_free(p);
}

void px_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fuse *f = px_fuse_of(req);
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
				       getattr_done, p);
		else
			fuse_reply_err(req, ENOMEM);
		return;
	}
	if (r == 0)
		r = px_content_attr(f->o.content, inode.path, NULL, inode.kind,
				    &a);
	if (r == 0 && inode.kind == PX_KIND_FILE)
		px_inodes_update_attr(f->inodes, ino, a.source, &a);
	else if (r < 0 && px_inodes_get_attr(f->inodes, ino, &a))
		r = 0;
	px_fuse_stat(&a, inode.number, &st);
	if (r == 0)
		fuse_reply_attr(req, &st, f->timeout);
	else
		fuse_reply_err(req, -r);
}

void px_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct px_fuse *f = px_fuse_of(req);
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
