/* SPDX-License-Identifier: MIT */
/*
 * What decides a module's bytes, and the keys made of it.
 */
#include "content_i.h"

#include "pycfs/marshal.h"

#include <stdio.h>

/* Part of every key: raise it when the same source and options would be
 * stored as other bytes. */
#define FORMAT 3

char *px_content_co_filename(const struct px_content *c, const char *path)
{
	const char *prefix = c->o.prefix;
	const size_t n = strlen(prefix);
	char *name;

	if (n == 0)
		return strdup(path);
	if (asprintf(&name, "%s%s%s", prefix, prefix[n - 1] == '/' ? "" : "/",
		     path) < 0)
		return NULL;
	return name;
}

/* What `pycfs cache stat` tells apart. */
static void name_profiles(struct px_content *c, bool ranges)
{
	char version[32], text[PX_CACHE_PROFILE_SIZE];
	unsigned level;

	px_python_short(c->o.python, version, sizeof(version));
	for (level = 0; level < PX_ARRAY_LEN(c->profile_id); level++) {
		snprintf(text, sizeof(text), "Python %s, level %u%s%s", version,
			 level, ranges ? ", debug ranges" : "",
			 c->o.canonical ? "" : ", marshal cpython");
		c->profile_id[level] = px_cache_profile(c->o.cache, text);
	}
}

void px_content_make_profile(struct px_content *c)
{
	const struct px_python *py = c->o.python;
	/* Columns in line tables came with 3.11 (PEP 657). */
	const bool ranges = c->o.debug_ranges && py->hexversion >= 0x030b0000;
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "format", FORMAT);
	px_digest_field(&d, "python", py->version, strlen(py->version));
	px_digest_u64(&d, "magic", py->magic);
	px_digest_u64(&d, "ranges", ranges);
	px_digest_u64(&d, "canonical", c->o.canonical);
	/* What was stored for a Python before its form was known is CPython's,
	 * and must not be taken for the form. */
	px_digest_u64(&d, "known", px_marshal_knows(py->magic));
	px_digest_final(&d, c->profile);
	name_profiles(c, ranges);
}

struct px_form px_content_form(const struct px_content *c, const char *path,
			       enum px_kind kind)
{
	return (struct px_form){
		.optimize = px_rules_optimize(c->o.rules, path, c->o.optimize),
		/* Beside its source, where another time must not matter. */
		.mode = kind == PX_KIND_KEPT ? PX_PYC_UNCHECKED_HASH
					     : c->o.mode,
	};
}

void px_content_index_key(const struct px_content *c, const struct px_form *f,
			  const char *name, const struct px_fingerprint *fp,
			  uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "index", c->profile, sizeof(c->profile));
	px_digest_u64(&d, "optimize", f->optimize);
	px_digest_u64(&d, "mode", f->mode);
	px_digest_field(&d, "name", name, strlen(name));
	px_fingerprint_add(&d, fp);
	px_digest_final(&d, ret);
}

uint32_t px_content_header_mtime(const struct px_form *f,
				 const struct px_stat *st)
{
	if (f->mode != PX_PYC_TIMESTAMP)
		return 0;
	return (uint32_t)(st->fp.mtime_ns / 1000000000);
}

void px_content_blob_key(const struct px_content *c, const struct px_form *f,
			 const char *name, const struct px_buf *source,
			 const struct px_stat *st, uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "blob", c->profile, sizeof(c->profile));
	px_digest_u64(&d, "optimize", f->optimize);
	px_digest_u64(&d, "mode", f->mode);
	px_digest_field(&d, "name", name, strlen(name));
	px_digest_u64(&d, "mtime", px_content_header_mtime(f, st));
	px_digest_field(&d, "source", source->data, source->size);
	px_digest_final(&d, ret);
}
