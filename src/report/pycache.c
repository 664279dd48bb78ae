/* SPDX-License-Identifier: MIT */
/*
 * What pip ships beside a source: the .pyc in its __pycache__. It is taken from
 * there if it is of this Python and this source; else a worker makes it.
 */
#include "others.h"

#include "pycfs/pool.h"
#include "pycfs/pyc.h"
#include "pycfs/source_hash.h"

#include <stdio.h>

/* Part of the keys of stored sizes: raise it when they are measured otherwise.
 */
#define NOTE_FORMAT 5
#define PYC_MAX	    (1u << 30) /* bytes of a .pyc that is there */

static void key_of(const struct px_report_options *o, const char *path,
		   const uint8_t source[PX_DIGEST_SIZE],
		   uint8_t ret[PX_DIGEST_SIZE])
{
	const char *version = o->python->version;
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "pycache", NOTE_FORMAT);
	px_digest_field(&d, "python", version, strlen(version));
	px_digest_u64(&d, "magic", o->python->magic);
	px_digest_field(&d, "name", path, strlen(path));
	px_digest_field(&d, "source", source, PX_DIGEST_SIZE);
	px_digest_final(&d, ret);
}

/* "a/__pycache__/b.cpython-312.pyc" of "a/b.py"; NULL: no memory. */
static char *name_of(const struct px_report_options *o, const char *source)
{
	const char *file = px_path_name(source);
	const int n_dir = (int)(file - source);
	const int n = (int)strlen(file) - 3;
	char *path;

	return asprintf(&path, "%.*s__pycache__/%.*s.%s.pyc", n_dir, source,
			n > 0 ? n : 0, file, o->python->cache_tag) < 0
		       ? NULL
		       : path;
}

/* Whether Python would take a .pyc with this header for that source
 * (Lib/importlib/_bootstrap_external.py, SourceLoader.get_code). */
static bool is_fresh(const struct px_report_options *o, const uint8_t *header,
		     const struct px_buf *source, const struct px_stat *st)
{
	const uint32_t flags = px_get_le32(header + 4);
	uint8_t hash[PX_SOURCE_HASH_SIZE];

	if (px_get_le32(header) != o->python->magic)
		return false;
	if (flags == 0)
		return px_get_le32(header + 8) ==
			       (uint32_t)(st->fp.mtime_ns / 1000000000) &&
		       px_get_le32(header + 12) == (uint32_t)source->size;
	px_source_hash(o->python->magic, source->data, source->size, hash);
	return memcmp(hash, header + 8, sizeof(hash)) == 0;
}

/* Opens what is there for the source: 1, its descriptor and its size. 0: it is
 * not there, or not fresh. -ENOMEM. */
static int open_there(const struct px_report_options *o, const char *path,
		      const struct px_buf *source, const struct px_stat *st,
		      int *ret_fd, uint64_t *ret_size)
{
	PX_AUTOFREE char *name = name_of(o, path);
	uint8_t header[PX_PYC_HEADER_SIZE];
	PX_AUTOCLOSE int fd = -1;
	struct px_stat there;

	if (!name)
		return -ENOMEM;
	if (px_tree_open_file(o->tree, name, &fd, &there) < 0 ||
	    px_read_full(fd, header, sizeof(header)) !=
		    (ssize_t)sizeof(header) ||
	    !is_fresh(o, header, source, st) || lseek(fd, 0, SEEK_SET) < 0)
		return 0;
	*ret_size = there.fp.size;
	*ret_fd = fd;
	fd = -1;
	return 1;
}

/* Compiles as Python itself does: 0 and a blob with its name, the caller's, or
 * NULL. */
static int compile(const struct px_report_options *o, const char *path,
		   const struct px_buf *source, struct px_blob **ret)
{
	struct px_blob *b;
	int r = px_report_work(o->baseline, path, source, 0, true, &b);

	if (r < 0 || !b) {
		*ret = NULL;
		return r;
	}
	*ret = px_blob_with_name(b, path);
	return *ret ? 0 : -ENOMEM;
}

int px_report_pycache(const struct px_report_options *o, const char *path,
		      const struct px_buf *source, const struct px_stat *st,
		      const uint8_t digest[PX_DIGEST_SIZE],
		      struct px_report_file *f)
{
	uint8_t key[PX_DIGEST_SIZE], note[8];
	PX_AUTOCLOSE int fd = -1;
	struct px_blob *b;
	int r = open_there(o, path, source, st, &fd, &f->pycache_bytes);

	if (r != 0)
		return r < 0 ? r : 0;
	key_of(o, path, digest, key);
	b = px_note_find(o->cache, key, sizeof(note));
	if (b) {
		f->pycache_bytes = px_get_le64(b->data);
		px_blob_unref(b);
		return 0;
	}
	r = compile(o, path, source, &b);
	if (r < 0)
		return r;
	/* The module compiled for the view, at its level, so it compiles at
	 * level 0, too; only the deadline can have passed. */
	if (!b)
		return 1;
	f->pycache_bytes = b->size;
	f->spooled_at = px_report_spool(o, b);
	px_blob_unref(b);
	px_put_le64(note, f->pycache_bytes);
	px_note_put(o->cache, key, note, sizeof(note));
	return 0;
}

int px_report_pycache_bytes(const struct px_report_options *o,
			    const struct px_report_file *f,
			    const struct px_buf *source,
			    const struct px_stat *st, struct px_buf *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_blob *b;
	uint64_t size;
	int r = open_there(o, f->source, source, st, &fd, &size);

	if (r < 0)
		return r;
	if (r == 1)
		return px_slurp(fd, ret);
	r = px_report_unspool(o, f->spooled_at, f->pycache_bytes, ret);
	if (r != -ENOENT)
		return r;
	r = compile(o, f->source, source, &b);
	if (r == 0 && b)
		r = px_buf_add(ret, b->data, b->size);
	px_blob_unref(b);
	return r;
}
