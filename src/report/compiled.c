/* SPDX-License-Identifier: MIT */
/*
 * Modules that are compiled to be compared with, and not shipped. Their sizes
 * are kept in the cache, and their bytes, as long as the report is made, in its
 * spool: they are wanted twice.
 */
#include "others.h"

#include "pycfs/pool.h"

static void key_of(const struct px_report_options *o,
		   const struct px_report_way *w, const char *path,
		   const uint8_t source[PX_DIGEST_SIZE],
		   uint8_t ret[PX_DIGEST_SIZE])
{
	const char *version = o->python->version;
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, w->name, w->format);
	px_digest_field(&d, "python", version, strlen(version));
	px_digest_u64(&d, "magic", o->python->magic);
	px_digest_field(&d, "name", path, strlen(path));
	px_digest_field(&d, "source", source, PX_DIGEST_SIZE);
	px_digest_final(&d, ret);
}

/* 0 and a blob with its name, the caller's, or NULL. */
static int compile(const struct px_report_way *w, const char *path,
		   const struct px_buf *source, struct px_blob **ret)
{
	struct px_blob *b;
	int r = px_report_work(w->pool, path, source, w->level, true, &b);

	*ret = NULL;
	if (r < 0 || !b)
		return r;
	*ret = px_blob_with_name(b, path);
	return *ret ? 0 : -ENOMEM;
}

static int64_t spool(const struct px_report_options *o, const struct px_blob *b)
{
	int64_t at;

	if (o->spool < 0)
		return -1;
	at = atomic_fetch_add(o->spool_end, (int64_t)b->size);
	return pwrite(o->spool, b->data, b->size, at) == (ssize_t)b->size ? at
									  : -1;
}

/* Appends the bytes of `c` that are in the spool. -ENOENT; -ENOMEM. */
static int unspool(const struct px_report_options *o,
		   const struct px_report_compiled *c, struct px_buf *ret)
{
	int r = c->at < 0 ? -ENOENT : px_buf_reserve(ret, (size_t)c->bytes);

	if (r < 0)
		return r;
	if (px_pread_full(o->spool, ret->data + ret->size, (size_t)c->bytes,
			  c->at) != (ssize_t)c->bytes)
		return -ENOENT;
	ret->size += (size_t)c->bytes;
	return 0;
}

int px_report_compile(const struct px_report_options *o,
		      const struct px_report_way *w, const char *path,
		      const struct px_buf *source,
		      const uint8_t digest[PX_DIGEST_SIZE],
		      struct px_report_compiled *ret)
{
	uint8_t key[PX_DIGEST_SIZE], note[8];
	struct px_blob *b;
	int r;

	key_of(o, w, path, digest, key);
	b = px_note_find(o->cache, key, sizeof(note));
	if (b) {
		ret->bytes = px_get_le64(b->data);
		px_blob_unref(b);
		return 0;
	}
	r = compile(w, path, source, &b);
	/* The module compiled for the view, so it compiles at any level; only
	 * the deadline can have passed. */
	if (r < 0 || !b)
		return r < 0 ? r : 1;
	ret->bytes = b->size;
	ret->at = spool(o, b);
	px_blob_unref(b);
	px_put_le64(note, ret->bytes);
	px_note_put(o->cache, key, note, sizeof(note));
	return 0;
}

int px_report_compiled_bytes(const struct px_report_options *o,
			     const struct px_report_way *w, const char *path,
			     const struct px_buf *source,
			     const struct px_report_compiled *c,
			     struct px_buf *ret)
{
	struct px_blob *b;
	int r = unspool(o, c, ret);

	if (r != -ENOENT)
		return r;
	r = compile(w, path, source, &b);
	if (r == 0 && b)
		r = px_buf_add(ret, b->data, b->size);
	px_blob_unref(b);
	return r;
}
