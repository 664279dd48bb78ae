/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include "attr.h"
#include "mark.h"

#include "pycfs/log.h"

#include <stdio.h>

/* The bytes depend on the blob and on the name that is put in. Users of
 * px_module.tag take 0 for "no tag yet". */
static uint64_t tag_of(const uint8_t key[PX_DIGEST_SIZE], const char *name)
{
	return px_hash64(px_get_le64(key), name, strlen(name)) | 1;
}

void px_reply_fill(const struct px_content_options *o,
		   const struct px_module_id *id, const struct px_stat *st,
		   const struct px_cache_entry *e, struct px_module *ret)
{
	const uint64_t size =
		px_blob_size_with_name(e->size, e->nameless, id->name);

	*ret = (struct px_module){
		.kind = e->kind,
		.tag = tag_of(e->key, id->name),
		.source_size = st->fp.size,
	};
	memcpy(ret->key, e->key, sizeof(ret->key));
	px_attr_fill(o, st, id->kind, e->kind == PX_BLOB_CODE ? size : 0,
		     e->nameless ? px_mark_with_name(e->mark, id->name)
				 : e->mark,
		     &ret->attr);
}

struct px_cache_entry px_reply_entry(const struct px_blob *b,
				     const uint8_t key[PX_DIGEST_SIZE],
				     bool with_mark)
{
	struct px_cache_entry e = {
		.kind = b->kind,
		.nameless = b->name_at != 0,
		.size = b->size,
		.mark = with_mark ? px_mark_bytes(b->data, b->size) : 0,
	};

	memcpy(e.key, key, sizeof(e.key));
	return e;
}

void px_reply_blob(const struct px_content_options *o,
		   const struct px_module_id *id, const struct px_stat *st,
		   const uint8_t key[PX_DIGEST_SIZE], struct px_blob *b,
		   px_content_done done, void *arg)
{
	const struct px_cache_entry e =
		px_reply_entry(b, key, o->mtime_by_content);
	struct px_module m;

	px_reply_fill(o, id, st, &e, &m);
	m.blob = px_blob_with_name(b, id->name);
	if (m.blob)
		done(arg, 0, &m);
	else
		done(arg, -ENOMEM, NULL);
	px_blob_unref(m.blob);
}

void px_reply_log(const struct px_content_options *o, struct px_said *said,
		  const char *path, const uint8_t key[PX_DIGEST_SIZE],
		  const struct px_blob *b)
{
	const char *hint = "";
	char where[48] = "";

	if (b->kind == PX_BLOB_CODE || o->silent ||
	    !px_said_first_time(said, path, tag_of(key, path)))
		return;
	if (px_said_first_time(said, "", PX_SAID_ON_ERROR))
		hint = " [--on-error source ships such a file as it is, "
		       "--on-error omit leaves it out]";
	if (b->line > 0 && b->column > 0)
		snprintf(where, sizeof(where), ":%u:%u", b->line, b->column);
	else if (b->line > 0)
		snprintf(where, sizeof(where), ":%u", b->line);
	px_log(PX_LOG_WARNING, "%s%s: %.*s%s", path, where, px_blob_shown(b),
	       (const char *)b->data, hint);
}
