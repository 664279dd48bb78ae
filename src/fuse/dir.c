/* SPDX-License-Identifier: MIT */
/*
 * Directories: OPENDIR, READDIR and READDIRPLUS. The latter also looks up each
 * entry as far as that is possible without compiling.
 */
#include "dir.h"
#include "handle.h"
#include "lookup.h"
#include "node.h"
#include "park.h"
#include "push.h"

#include <sys/stat.h>

/* Takes dir->path over and its own reference to `v`. 0 with fi->fh set. */
static int open_dir(struct px_fuse *f, struct px_inode *dir, struct px_view *v,
		    struct fuse_file_info *fi)
{
	struct handle *h = px_handle_new(f);

	if (!h)
		return -ENOMEM;
	h->dir = *dir;
	dir->path = NULL;
	h->view = px_view_ref(v);
	fi->fh = (uintptr_t)h;
	fi->cache_readdir = f->o.immutable;
	fi->keep_cache = f->o.immutable;
	return 0;
}

static void opendir_done(void *arg, int err, struct px_view *shown)
{
	struct parked *p = arg;

	if (!px_claim(p))
		return;
	if (err == 0)
		err = open_dir(p->f, &p->inode, shown, &p->fi);
	if (err < 0)
		fuse_reply_err(p->req, -err);
	else if (fuse_reply_open(p->req, &p->fi) != 0)
		px_handle_free(p->f, px_handle_of(&p->fi));
	px_parked_free(p);
}

void px_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct px_fuse *f = px_fuse_of(req);
	PX_AUTO(px_inode_fini) struct px_inode dir = {0};
	struct px_view *v = NULL;
	struct parked *p = NULL;
	int r;

	if (f->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	r = px_fuse_dir(f, ino, &dir);
	if (r == 0)
		r = px_fuse_view(f, &dir, &v);
	if (r == 0 && px_content_needs_verdicts(f->o.content, dir.kind)) {
		p = px_park(req, &dir);
		if (p) {
			p->fi = *fi;
			px_content_apply_verdicts(f->o.content, p->inode.path,
						  v, opendir_done, p);
		}
		r = -ENOMEM;
	} else if (r == 0) {
		r = open_dir(f, &dir, v, fi);
	}
	px_view_unref(v);
	if (p)
		return;
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_open(req, fi) != 0)
		px_handle_free(f, px_handle_of(fi));
}

/* Looks up entry `e`; where that would have to wait for a compile, only gives
 * its type, with ret->ino 0, which tells the kernel that nothing was looked up.
 */
static void describe(struct px_fuse *f, const struct handle *d,
		     const struct px_entry *e, struct fuse_entry_param *ret)
{
	if (px_fuse_enter_cached(f, &d->dir, e, ret) == 0)
		return;
	*ret = (struct fuse_entry_param){
		.attr = {.st_ino = px_inode_number(d->dir.number, e->name),
			 .st_mode = px_fuse_type(e->kind)},
	};
}

/* Appends entry `i` (0 and 1 are . and ..). Returns the bytes that it took, or
 * 0 if there is too little room. */
static size_t add_entry(fuse_req_t req, const struct handle *d, size_t i,
			bool plus, char *buf, size_t room)
{
	struct fuse_entry_param param = {
		.attr = {.st_ino = d->dir.number, .st_mode = S_IFDIR},
	};
	const struct px_entry *e = NULL;
	const char *name = i == 0 ? "." : "..";
	size_t need;

	if (i >= 2) {
		e = px_view_at(d->view, i - 2);
		name = e->name;
		param.attr.st_ino = px_inode_number(d->dir.number, name);
		param.attr.st_mode = px_fuse_type(e->kind);
	}
	if (!plus) {
		need = fuse_add_direntry(req, buf, room, name, &param.attr,
					 (off_t)i + 1);
		return need <= room ? need : 0;
	}
	/* Before the lookup is counted, as the kernel takes back only those
	 * that it receives. */
	need = fuse_add_direntry_plus(req, NULL, 0, name, NULL, 0);
	if (need > room)
		return 0;
	if (e)
		describe(px_fuse_of(req), d, e, &param);
	return fuse_add_direntry_plus(req, buf, room, name, &param,
				      (off_t)i + 1);
}

/* Fills `buf` from entry `off` on. Returns the bytes used. */
static size_t list(fuse_req_t req, const struct handle *d, off_t off, bool plus,
		   char *buf, size_t size)
{
	const size_t n = px_view_count(d->view) + 2;
	size_t used = 0, took, i;

	for (i = (size_t)off; i < n; i++) {
		took = add_entry(req, d, i, plus, buf + used, size - used);
		if (took == 0)
			break;
		used += took;
	}
	return used;
}

/* What is listed. Where the kernel sends no OPENDIR, each request makes a
 * handle of its own; offsets stay valid as the source is immutable. The caller
 * frees ret->dir and ret->view if fi->fh is 0. */
static int find_dir(struct px_fuse *f, fuse_ino_t ino,
		    const struct fuse_file_info *fi, struct handle *ret)
{
	int r;

	if (fi->fh != 0) {
		*ret = *px_handle_of(fi);
		return 0;
	}
	r = px_fuse_dir(f, ino, &ret->dir);
	if (r == 0)
		r = px_fuse_view(f, &ret->dir, &ret->view);
	return r;
}

static bool has_files(const struct px_view *v)
{
	size_t i;

	for (i = 0; i < px_view_count(v); i++)
		if (px_fuse_type(px_view_at(v, i)->kind) == S_IFREG)
			return true;
	return false;
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     const struct fuse_file_info *fi, bool plus)
{
	struct px_fuse *f = px_fuse_of(req);
	struct handle d = {.fd = -1};
	PX_AUTOFREE char *buf = malloc(size);
	int r = buf ? find_dir(f, ino, fi, &d) : -ENOMEM;

	px_stats_add(f->o.stats, PX_COUNT_readdirs, 1);
	/* It asks for what follows the last entry: it has all others. */
	if (r == 0 && f->push && (size_t)off == px_view_count(d.view) + 2 &&
	    (ino == PX_INODE_ROOT || has_files(d.view)))
		px_push_listed(f->push, ino);
	if (r == 0)
		fuse_reply_buf(req, buf, list(req, &d, off, plus, buf, size));
	else
		fuse_reply_err(req, -r);
	if (fi->fh == 0) {
		px_inode_fini(&d.dir);
		px_view_unref(d.view);
	}
}

void px_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, false);
}

void px_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, true);
}

void px_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	px_handle_free(px_fuse_of(req), px_handle_of(fi));
	fuse_reply_err(req, 0);
}
