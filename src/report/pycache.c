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

#define PYC_MAX (1u << 30) /* bytes of a .pyc that is there */

static struct px_report_way way(const struct px_report_options *o)
{
	return (struct px_report_way){
		.name = "pycache",
		.format = 5,
		.pool = o->baseline,
		.level = 0,
	};
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

int px_report_pycache(const struct px_report_options *o, const char *path,
		      const struct px_buf *source, const struct px_stat *st,
		      const uint8_t digest[PX_DIGEST_SIZE],
		      struct px_report_file *f)
{
	const struct px_report_way w = way(o);
	PX_AUTOCLOSE int fd = -1;
	int r = open_there(o, path, source, st, &fd, &f->pycache.bytes);

	if (r != 0)
		return r < 0 ? r : 0;
	return px_report_compile(o, &w, path, source, digest, &f->pycache);
}

int px_report_pycache_bytes(const struct px_report_options *o,
			    const struct px_report_file *f,
			    const struct px_buf *source,
			    const struct px_stat *st, struct px_buf *ret)
{
	const struct px_report_way w = way(o);
	PX_AUTOCLOSE int fd = -1;
	uint64_t size;
	int r = open_there(o, f->source, source, st, &fd, &size);

	if (r < 0)
		return r;
	return r == 1 ? px_slurp(fd, ret)
		      : px_report_compiled_bytes(o, &w, f->source, source,
						 &f->pycache, ret);
}
