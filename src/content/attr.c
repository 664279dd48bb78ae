/* SPDX-License-Identifier: MIT */
#include "attr.h"

/* 1980-01-01: zip archives cannot hold an earlier time. */
#define EARLIEST_MTIME 315532800

/* In bytes. File systems give directories different sizes, and what is built
 * from a view must not depend on where its source lies. */
#define DIRECTORY_SIZE 4096

uint64_t px_content_source(const struct px_fingerprint *fp)
{
	const uint64_t source[] = {fp->dev, fp->ino};

	return px_hash64(1, source, sizeof(source)) | 1;
}

/* Of the source's permissions only the executable bit is shown where the user
 * asks for normal modes: the others come from a umask or a checkout. */
static uint32_t mode_of(const struct px_content_options *o, enum px_kind kind,
			uint32_t mode)
{
	if (!o->normal_modes || kind == PX_KIND_LINK)
		return mode;
	return px_kind_is_dir(kind) || (mode & 0111) ? 0755 : 0644;
}

void px_attr_fill(const struct px_content_options *o, const struct px_stat *st,
		  enum px_kind kind, uint64_t size, struct px_attr *ret)
{
	/* Image builders round times to seconds, each in its own way, so the
	 * view has whole seconds. */
	const int64_t mtime =
		o->mtime >= 0 ? o->mtime : st->fp.mtime_ns / 1000000000;

	*ret = (struct px_attr){
		.kind = kind,
		.source = px_content_source(&st->fp),
		.mode = mode_of(o, kind, st->mode),
		.uid = o->uid >= 0 ? (uint32_t)o->uid : st->uid,
		.gid = o->gid >= 0 ? (uint32_t)o->gid : st->gid,
		.mtime = mtime < EARLIEST_MTIME ? EARLIEST_MTIME : mtime,
		.size = px_kind_is_dir(kind) ? DIRECTORY_SIZE : size,
	};
}

int px_attr_get(const struct px_content_options *o, const char *path,
		const struct px_stat *st, enum px_kind kind,
		struct px_attr *ret)
{
	struct px_stat found;
	int r;

	if (st) {
		px_attr_fill(o, st, kind, st->fp.size, ret);
		return 0;
	}
	r = kind == PX_KIND_FILE ? px_tree_stat_file(o->tree, path, &found)
				 : px_tree_stat(o->tree, path, &found);
	if (r < 0)
		return r;
	if ((px_kind_is_dir(kind) && found.type != PX_TYPE_DIR) ||
	    (kind == PX_KIND_LINK && found.type != PX_TYPE_LNK))
		return -ESTALE;
	px_attr_fill(o, &found, kind, found.fp.size, ret);
	return 0;
}
