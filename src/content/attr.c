/* SPDX-License-Identifier: MIT */
#include "attr.h"

#include "mark.h"

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

static int64_t time_of(const struct px_content_options *o,
		       const struct px_stat *st, uint64_t mark)
{
	/* Image builders round times to seconds, each in its own way, so the
	 * view has whole seconds. */
	const int64_t mtime =
		o->mtime >= 0 ? o->mtime : st->fp.mtime_ns / 1000000000;

	if (o->mtime_by_content)
		return px_mark_time(o, mark);
	return mtime < PX_ATTR_EARLIEST ? PX_ATTR_EARLIEST : mtime;
}

void px_attr_fill(const struct px_content_options *o, const struct px_stat *st,
		  enum px_kind kind, uint64_t size, uint64_t mark,
		  struct px_attr *ret)
{
	*ret = (struct px_attr){
		.kind = kind,
		.source = px_content_source(&st->fp),
		.mode = mode_of(o, kind, st->mode),
		.uid = o->uid >= 0 ? (uint32_t)o->uid : st->uid,
		.gid = o->gid >= 0 ? (uint32_t)o->gid : st->gid,
		.mtime = time_of(o, st, mark),
		.size = px_kind_is_dir(kind) ? DIRECTORY_SIZE : size,
	};
}

/* The state of the source of something of that kind. */
static int stat_source(const struct px_content_options *o, const char *path,
		       enum px_kind kind, struct px_stat *ret)
{
	const bool is_file = kind == PX_KIND_FILE || px_kind_is_made(kind);
	int r = is_file ? px_tree_stat_file(o->tree, path, ret)
			: px_tree_stat(o->tree, path, ret);

	if (r < 0)
		return r;
	if ((px_kind_is_dir(kind) && ret->type != PX_TYPE_DIR) ||
	    (kind == PX_KIND_LINK && ret->type != PX_TYPE_LNK))
		return -ESTALE;
	return 0;
}

int px_attr_get(const struct px_content_options *o, struct px_strips *strips,
		const char *path, const struct px_stat *st, enum px_kind kind,
		struct px_attr *ret)
{
	struct px_shipped shipped = {0};
	struct px_stat found;
	uint64_t mark = 0;
	int r = 0;

	if (st)
		found = *st;
	else
		r = stat_source(o, path, kind, &found);
	if (r == 0 && kind == PX_KIND_FILE)
		r = px_strips_get(strips, path, &found, &shipped);
	if (r == 0 && o->mtime_by_content && kind == PX_KIND_FILE &&
	    !shipped.stripped)
		r = px_mark_file(o, path, &found, &mark);
	if (r < 0)
		return r;
	if (!shipped.stripped) {
		px_attr_fill(o, &found, kind, found.fp.size, mark, ret);
		return 0;
	}
	px_attr_fill(o, &found, kind, shipped.size, shipped.mark, ret);
	ret->tag = px_get_le64(shipped.name) | 1;
	ret->unstripped = found.fp.size;
	return 0;
}
