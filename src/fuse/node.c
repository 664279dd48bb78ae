/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <sys/stat.h>

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

/* st_nlink is always 1: hard links of one source file may be different modules
 * here, as co_filename is part of their bytes. */
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
