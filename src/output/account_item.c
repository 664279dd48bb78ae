/* SPDX-License-Identifier: MIT */
#include "account_item.h"
#include "sources.h"

#include "pycfs/pyc.h"
#include "pycfs/rules.h"

#include <sys/stat.h>

/* Computes the digest of the source of a file that was stripped, which has to
 * be the one that it was then. */
static int digest_unstripped(struct px_tree *t, const struct px_item *i,
			     uint8_t ret[PX_SHA256_SIZE])
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	int r = px_tree_open_file(t, i->source, &fd, &st);

	if (r == 0 &&
	    (st.fp.size != i->attr.unstripped ||
	     px_content_source(&st.fp) != i->attr.source ||
	     (i->st_known && !px_fingerprint_equal(&st.fp, &i->st.fp))))
		r = -ESTALE;
	if (r == 0)
		r = px_account_digest(fd, ret);
	return r < 0 ? r : px_account_unchanged(fd, &st);
}

/* Computes the digest of the source of a generated file. Of a module it has to
 * be the one that was compiled. */
static int digest_source(struct px_tree *t, const struct px_item *i,
			 struct px_account_file *ret)
{
	PX_AUTO(px_buf_fini) struct px_buf b = {.max = (size_t)i->source_size};
	const bool is_record = i->attr.kind == PX_KIND_RECORD;
	const uint8_t *unused;
	struct px_sha256 s;
	struct px_stat st;
	int r = px_tree_read(t, i->source, &b, &st);

	if (r < 0)
		return r == -EFBIG ? -ESTALE : r;
	if (!is_record && (i->blob->size < PX_PYC_HEADER_SIZE ||
			   !px_sources_is_of(i->blob->data, &b, &st, &unused)))
		return -ESTALE;
	px_sha256_init(&s);
	px_sha256_update(&s, b.data, b.size);
	px_sha256_final(&s, ret->source_sha256);
	ret->uses_docs = !is_record && px_uses_docs(b.data, b.size);
	return 0;
}

int px_account_item(struct px_account *a, struct px_tree *t, const char *path,
		    const struct px_item *i, int fd)
{
	struct px_account_file file = {
		.path = (char *)(uintptr_t)path,
		.source = i->source,
		.is_link = i->attr.kind == PX_KIND_LINK,
		.made = px_kind_is_made(i->attr.kind) || i->attr.unstripped > 0,
	};
	struct px_sha256 s;
	int r = 0;

	if (fd >= 0) {
		r = px_account_digest(fd, file.sha256);
		if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
			r = -errno;
	} else {
		px_sha256_init(&s);
		if (file.is_link)
			px_sha256_update(&s, i->target, strlen(i->target));
		else
			px_sha256_update(&s, i->blob->data, i->blob->size);
		px_sha256_final(&s, file.sha256);
	}
	if (r == 0 && i->attr.unstripped > 0)
		r = digest_unstripped(t, i, file.source_sha256);
	else if (r == 0 && file.made)
		r = digest_source(t, i, &file);
	return r < 0 ? r : px_account_add(a, &file);
}

int px_account_unchanged(int fd, const struct px_stat *was)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != was->fp.ino)
		return 0;
	return (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec ==
			       was->fp.ctime_ns
		       ? 0
		       : -ESTALE;
}
