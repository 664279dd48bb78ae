/* SPDX-License-Identifier: MIT */
#include "sources.h"

#include "pycfs/pyc.h"

/* Bytes of a manifest: some millions of modules. */
#define MAX_MANIFEST (256u << 20)
/* Sources of the same bytes are to give an archive of the same bytes wherever
 * they lie, so that it has no times and modes of theirs. A zip cannot hold an
 * earlier time than 1980-01-01. */
#define ANY_TIME 315532800

struct px_sources {
	struct px_sink *sink;
	struct px_tree *tree;
	struct px_buf manifest;
};

int px_sources_new(struct px_sink *sink, struct px_tree *tree,
		   const struct px_manifest_head *head, struct px_sources **ret)
{
	struct px_sources *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->sink = sink;
	s->tree = tree;
	s->manifest.max = MAX_MANIFEST;
	r = px_manifest_add_head(&s->manifest, head);
	if (r < 0) {
		px_sources_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int put(struct px_sources *s, const char *path, const struct px_buf *b)
{
	const struct px_attr attr = {
		.kind = PX_KIND_FILE,
		.mode = 0644,
		.mtime = ANY_TIME,
		.size = b->size,
	};

	return px_sink_put(s->sink,
			   &(struct px_sink_entry){.path = path, .attr = &attr},
			   b->data);
}

bool px_sources_is_of(const uint8_t *header, const struct px_buf *b,
		      const struct px_stat *st, const uint8_t **ret_hash)
{
	const uint8_t *field = header + 8;
	uint8_t hash[PX_SOURCE_HASH_SIZE];

	if (px_get_le32(header + 4) == PX_PYC_TIMESTAMP) {
		*ret_hash = NULL;
		return px_get_le32(field) ==
			       (uint32_t)(st->fp.mtime_ns / 1000000000) &&
		       px_get_le32(field + 4) == (uint32_t)b->size;
	}
	*ret_hash = field;
	px_source_hash(px_get_le32(header), b->data, b->size, hash);
	return memcmp(hash, field, sizeof(hash)) == 0;
}

int px_sources_put(struct px_sources *s, const struct px_item *i)
{
	struct px_buf b = {.max = (size_t)i->source_size};
	const uint8_t *hash = NULL;
	struct px_stat st;
	int r;

	if (i->blob->size < PX_PYC_HEADER_SIZE)
		return -EBADMSG;
	r = px_tree_read(s->tree, i->source, &b, &st);
	if (r == -EFBIG ||
	    (r == 0 && !px_sources_is_of(i->blob->data, &b, &st, &hash)))
		r = -ESTALE;
	if (r == 0)
		r = px_manifest_add(&s->manifest, i->source, hash);
	if (r == 0)
		r = put(s, i->source, &b);
	px_buf_fini(&b);
	return r;
}

int px_sources_end(struct px_sources *s)
{
	return put(s, PX_MANIFEST_NAME, &s->manifest);
}

void px_sources_free(struct px_sources *s)
{
	if (!s)
		return;
	px_buf_fini(&s->manifest);
	free(s);
}
