/* SPDX-License-Identifier: MIT */
#include "key.h"

#include "pycfs/marshal.h"

#include <stdio.h>

/* Part of every key: raise it when the same source and options would be
 * stored as other bytes. */
#define FORMAT 4

struct px_keys {
	const struct px_content_options *o;
	uint8_t profile[PX_DIGEST_SIZE]; /* of what all modules share */
	uint32_t cache_profiles[3];	 /* numbers of the cache, by level */
	bool nameless;
	bool ranges; /* columns are kept */
};

/* What `pycfs cache stat` counts apart. `by` is "", or who signed. */
static uint32_t make_profile(const struct px_keys *k, unsigned level,
			     const char *by)
{
	char version[32], text[PX_CACHE_PROFILE_SIZE];

	px_python_short(k->o->python, version, sizeof(version));
	snprintf(text, sizeof(text), "Python %s, level %u%s%s%s%s", version,
		 level, k->ranges ? ", debug ranges" : "",
		 k->o->canonical ? "" : ", marshal cpython",
		 *by ? PX_CACHE_SIGNED_BY : "", by);
	return px_cache_profile(k->o->cache, text);
}

static void name_cache_profiles(struct px_keys *k)
{
	for (unsigned i = 0; i < PX_ARRAY_LEN(k->cache_profiles); i++)
		k->cache_profiles[i] = make_profile(k, i, "");
}

int px_keys_new(const struct px_content_options *o, struct px_keys **ret)
{
	const struct px_python *py = o->python;
	/* Columns in line tables came with 3.11 (PEP 657). */
	const bool ranges = o->debug_ranges && py->hexversion >= 0x030b0000;
	struct px_keys *k = calloc(1, sizeof(*k));
	struct px_digest d;

	if (!k)
		return -ENOMEM;
	k->o = o;
	k->nameless = o->canonical && px_marshal_knows(py->magic);
	px_digest_init(&d);
	px_digest_u64(&d, "format", FORMAT);
	/* The first word of sys.version: two versions with one magic number
	 * compile some modules differently (3.11.2 and 3.11.7 do). What follows
	 * it, the date of the build, does not matter. */
	px_digest_field(&d, "python", py->version, strcspn(py->version, " "));
	px_digest_u64(&d, "free-threaded", py->free_threaded);
	px_digest_field(&d, "canary", py->canary, strlen(py->canary));
	px_digest_u64(&d, "magic", py->magic);
	px_digest_u64(&d, "ranges", ranges);
	px_digest_u64(&d, "canonical", o->canonical);
	/* Modules of a Python whose bytecode has no canonical form yet are
	 * stored as CPython wrote them. Once that form is added here, they must
	 * not be taken for modules in it. */
	px_digest_u64(&d, "known", px_marshal_knows(py->magic));
	px_digest_final(&d, k->profile);
	k->ranges = ranges;
	name_cache_profiles(k);
	*ret = k;
	return 0;
}

void px_keys_free(struct px_keys *k)
{
	free(k);
}

bool px_keys_need_name(const struct px_keys *k, const struct px_blob *b)
{
	return k->nameless && b->kind == PX_BLOB_CODE && b->name_at == 0;
}

uint32_t px_keys_cache_profile(const struct px_keys *k, unsigned level)
{
	return k->cache_profiles[level];
}

uint32_t px_keys_signed_profile(const struct px_keys *k, unsigned level,
				const char *name)
{
	return make_profile(k, level, name);
}

unsigned px_form_level(const struct px_form *f, const struct px_buf *source)
{
	return f->keep_docs && px_uses_docs(source->data, source->size)
		       ? 1
		       : f->optimize;
}

uint32_t px_form_header_mtime(const struct px_form *f, const struct px_stat *st)
{
	if (f->mode != PX_PYC_TIMESTAMP)
		return 0;
	return (uint32_t)(st->fp.mtime_ns / 1000000000);
}

/* Begins a key with what does not depend on the file's bytes and times. `tag`
 * keeps the two sorts of keys apart. */
static void begin_key(const struct px_keys *k, const struct px_module_id *id,
		      const char *tag, unsigned level, struct px_digest *d)
{
	px_digest_init(d);
	px_digest_field(d, tag, k->profile, sizeof(k->profile));
	px_digest_u64(d, "optimize", level);
	px_digest_u64(d, "mode", id->form.mode);
	if (!k->nameless)
		px_digest_field(d, "name", id->name, strlen(id->name));
}

static void make_index(const struct px_keys *k, const struct px_module_id *id,
		       const struct px_fingerprint *fp,
		       uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	begin_key(k, id, "index", id->form.optimize, &d);
	if (id->form.keep_docs)
		px_digest_u64(&d, "keep-docs", true);
	px_fingerprint_add(&d, fp);
	px_digest_final(&d, ret);
}

void px_module_id_index(const struct px_keys *k, const struct px_module_id *id,
			const struct px_fingerprint *fp,
			uint8_t ret[PX_DIGEST_SIZE])
{
	if (px_fingerprint_equal(fp, &id->fp))
		memcpy(ret, id->index, PX_DIGEST_SIZE);
	else
		make_index(k, id, fp, ret);
}

void px_module_id_blob(const struct px_keys *k, const struct px_module_id *id,
		       unsigned level, const struct px_buf *source,
		       const struct px_stat *st, uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	begin_key(k, id, "blob", level, &d);
	px_digest_u64(&d, "mtime", px_form_header_mtime(&id->form, st));
	px_digest_field(&d, "source", source->data, source->size);
	px_digest_final(&d, ret);
}

bool px_module_id_named(const struct px_keys *k, const struct px_module_id *id,
			const uint8_t key[PX_DIGEST_SIZE],
			uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	if (!k->nameless)
		return false;
	px_digest_init(&d);
	px_digest_field(&d, "named", key, PX_DIGEST_SIZE);
	px_digest_field(&d, "name", id->name, strlen(id->name));
	px_digest_final(&d, ret);
	return true;
}

char *px_module_name(const struct px_content_options *o, const char *path)
{
	const size_t n = strlen(o->prefix);
	const char *slash = n > 0 && o->prefix[n - 1] != '/' ? "/" : "";
	char *name = malloc(n + 1 + strlen(path) + 1);

	if (name)
		stpcpy(stpcpy(stpcpy(name, o->prefix), slash), path);
	return name;
}

int px_module_id_init(const struct px_keys *k, const char *path,
		      enum px_kind kind, const struct px_fingerprint *fp,
		      struct px_module_id *ret)
{
	char *name = px_module_name(k->o, path);
	unsigned level;
	bool keep_docs;

	if (!name)
		return -ENOMEM;
	level = px_rules_level(k->o->rules, path, k->o->optimize, &keep_docs);
	*ret = (struct px_module_id){
		.name = name,
		.path = name + strlen(name) - strlen(path),
		.kind = kind,
		.form.optimize = level,
		.form.keep_docs = keep_docs && level > 1,
		/* The .pyc of a source that is kept stands beside it, so
		 * Python must not compare it with the source's time. */
		.form.mode = kind == PX_KIND_KEPT ? PX_PYC_UNCHECKED_HASH
						  : k->o->mode,
		.fp = *fp,
	};
	make_index(k, ret, fp, ret->index);
	return 0;
}

void px_module_id_fini(struct px_module_id *id)
{
	free(id->name);
	id->name = NULL;
	id->path = NULL;
}
