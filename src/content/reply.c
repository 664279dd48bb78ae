/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include "attr.h"

#include "pycfs/log.h"

#include <stdio.h>

/* Users of px_module.tag take 0 for "no tag yet". */
static uint64_t tag_of(const uint8_t key[PX_DIGEST_SIZE])
{
	return px_get_le64(key) | 1;
}

void px_reply_fill(const struct px_content_options *o, enum px_kind kind,
		   const struct px_stat *st, const struct px_cache_entry *e,
		   struct px_module *ret)
{
	*ret = (struct px_module){
		.kind = e->kind,
		.tag = tag_of(e->key),
		.source_size = st->fp.size,
	};
	memcpy(ret->key, e->key, sizeof(ret->key));
	px_attr_fill(o, st, kind, e->kind == PX_BLOB_CODE ? e->size : 0,
		     e->mark, &ret->attr);
}

void px_reply_blob(const struct px_content_options *o, enum px_kind kind,
		   const struct px_stat *st, const struct px_cache_entry *e,
		   struct px_blob *b, px_content_done done, void *arg)
{
	struct px_module m;

	px_reply_fill(o, kind, st, e, &m);
	m.blob = b;
	done(arg, 0, &m);
}

void px_reply_log(const struct px_content_options *o, struct px_said *said,
		  const char *path, const uint8_t key[PX_DIGEST_SIZE],
		  const struct px_blob *b)
{
	const char *hint = "";
	char where[48] = "";

	if (b->kind == PX_BLOB_CODE || o->silent ||
	    !px_said_first_time(said, path, tag_of(key)))
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
