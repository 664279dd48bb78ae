/* SPDX-License-Identifier: MIT */
/*
 * What the layer is compared with that others make by hand: compileall -o 2 -b,
 * and then every .py deleted. Its modules are those of the layer but for the
 * ones that rules or options compile at another level, or whose source they
 * keep; these are compiled once more. What is not of Python is the same.
 */
#include "others.h"

#include "pycfs/pool.h"

/* Part of the keys of stored sizes: raise it when they are measured otherwise.
 */
#define NOTE_FORMAT 1
#define LEVEL	    2

bool px_report_is_as_recipe(const struct px_report_options *o,
			    const struct px_report_file *f, const char *source)
{
	return f->kind == PX_KIND_MODULE &&
	       px_rules_optimize(o->rules, source, o->optimize) == LEVEL;
}

static void key_of(const struct px_report_options *o, const char *path,
		   const uint8_t source[PX_DIGEST_SIZE],
		   uint8_t ret[PX_DIGEST_SIZE])
{
	const char *version = o->python->version;
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "recipe", NOTE_FORMAT);
	px_digest_field(&d, "python", version, strlen(version));
	px_digest_u64(&d, "magic", o->python->magic);
	px_digest_field(&d, "name", path, strlen(path));
	px_digest_field(&d, "source", source, PX_DIGEST_SIZE);
	px_digest_final(&d, ret);
}

/* 0 and a blob with its name, the caller's, or NULL. */
static int compile(const struct px_report_options *o, const char *path,
		   const struct px_buf *source, struct px_blob **ret)
{
	struct px_blob *b;
	int r = px_report_work(o->recipe, path, source, LEVEL, true, &b);

	*ret = NULL;
	if (r < 0 || !b)
		return r;
	*ret = px_blob_with_name(b, path);
	return *ret ? 0 : -ENOMEM;
}

int px_report_recipe(const struct px_report_options *o, const char *path,
		     const struct px_buf *source,
		     const uint8_t digest[PX_DIGEST_SIZE],
		     struct px_report_file *f)
{
	uint8_t key[PX_DIGEST_SIZE], note[8];
	struct px_blob *b;
	int r;

	if (px_report_is_as_recipe(o, f, path)) {
		f->recipe_bytes = f->bytes;
		return 0;
	}
	key_of(o, path, digest, key);
	b = px_note_find(o->cache, key, sizeof(note));
	if (b) {
		f->recipe_bytes = px_get_le64(b->data);
		px_blob_unref(b);
		return 0;
	}
	r = compile(o, path, source, &b);
	if (r < 0 || !b)
		return r < 0 ? r : 1;
	f->recipe_bytes = b->size;
	f->recipe_at = px_report_spool(o, b);
	px_blob_unref(b);
	px_put_le64(note, f->recipe_bytes);
	px_note_put(o->cache, key, note, sizeof(note));
	return 0;
}

int px_report_recipe_bytes(const struct px_report_options *o,
			   const struct px_report_file *f,
			   const struct px_buf *source, struct px_buf *ret)
{
	struct px_blob *b;
	int r = px_report_unspool(o, f->recipe_at, f->recipe_bytes, ret);

	if (r != -ENOENT)
		return r;
	r = compile(o, f->source, source, &b);
	if (r == 0 && b)
		r = px_buf_add(ret, b->data, b->size);
	px_blob_unref(b);
	return r;
}
