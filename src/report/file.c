/* SPDX-License-Identifier: MIT */
/*
 * The figures of one file. They are stored in the cache under a key made of the
 * source's fingerprint, so that a second report reads no source and compresses
 * nothing.
 */
#include "others.h"

#include <pthread.h>

/* Part of every key of a stored note: raise it when the form of a note changes,
 * or how anything in it is measured.
 *
 *   note ::= le64 number * N_NUMBERS, digest of the shipped bytes, digest of
 * the source, findings
 */
#define NOTE_FORMAT 8
#define N_NUMBERS   8
#define NOTE_SIZE   (N_NUMBERS * 8 + 2 * PX_DIGEST_SIZE)

/* --------------------------------------------------------------- stored */

static void key_of(const struct px_report_options *o, const struct px_item *i,
		   uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "report", NOTE_FORMAT);
	px_digest_u64(&d, "kind", i->attr.kind);
	px_digest_field(&d, "risks", o->version,
			o->analyser ? strlen(o->version) : 0);
	px_digest_u64(&d, "tag", i->tag);
	px_digest_u64(&d, "level",
		      px_rules_optimize(o->rules, i->source, o->optimize));
	px_digest_u64(&d, "docs", px_rules_keep_docs(o->rules, i->source));
	px_digest_u64(&d, "stripped", i->attr.tag);
	px_fingerprint_add(&d, &i->st.fp);
	px_digest_final(&d, ret);
}

/* Fills `f` from the note in the cache. False: there is none. */
static bool find_stored(const struct px_report_options *o,
			const uint8_t key[PX_DIGEST_SIZE],
			struct px_report_file *f)
{
	uint64_t *const to[N_NUMBERS] = {
		&f->deflate_bytes,     &f->zstd_bytes,
		&f->source_bytes,      &f->source_deflate_bytes,
		&f->source_zstd_bytes, &f->pycache.bytes,
		&f->recipe.bytes,      &f->uses_docs,
	};
	struct px_blob *b = px_note_find(o->cache, key, NOTE_SIZE);
	size_t k;

	if (!b)
		return false;
	for (k = 0; k < N_NUMBERS; k++)
		*to[k] = px_get_le64(b->data + 8 * k);
	memcpy(f->digest, b->data + 8 * N_NUMBERS, PX_DIGEST_SIZE);
	memcpy(f->source_digest, b->data + 8 * N_NUMBERS + PX_DIGEST_SIZE,
	       PX_DIGEST_SIZE);
	if (b->size > NOTE_SIZE)
		f->findings = strndup((const char *)b->data + NOTE_SIZE,
				      b->size - NOTE_SIZE);
	px_blob_unref(b);
	return true;
}

static void store(const struct px_report_options *o,
		  const uint8_t key[PX_DIGEST_SIZE],
		  const struct px_report_file *f)
{
	const uint64_t numbers[N_NUMBERS] = {
		f->deflate_bytes,	 f->zstd_bytes,	       f->source_bytes,
		f->source_deflate_bytes, f->source_zstd_bytes, f->pycache.bytes,
		f->recipe.bytes,	 f->uses_docs,
	};
	const size_t n = f->findings ? strlen(f->findings) : 0;
	PX_AUTOFREE uint8_t *note = malloc(NOTE_SIZE + n);
	size_t k;

	if (!note)
		return;
	for (k = 0; k < N_NUMBERS; k++)
		px_put_le64(note + 8 * k, numbers[k]);
	memcpy(note + 8 * N_NUMBERS, f->digest, PX_DIGEST_SIZE);
	memcpy(note + 8 * N_NUMBERS + PX_DIGEST_SIZE, f->source_digest,
	       PX_DIGEST_SIZE);
	if (n > 0)
		memcpy(note + NOTE_SIZE, f->findings, n);
	px_note_put(o->cache, key, note, NOTE_SIZE + n);
}

/* ------------------------------------------------------------- measured */

/* The finding of a module whose analysis crashed or took too long; a line as in
 * px_pool_options.analyse, without a remedy. */
static const char not_analysed[] =
	"2\t0\tnot-analysed\tcould not be looked at: it took too long, or "
	"ended the process\t\t";

/* *ret are the lines of what in this source may break when it is shipped as
 * bytecode, the caller's, or NULL. 1: the analysis failed, and *ret says so.
 * -errno. */
static int analyse(struct px_pool *pool, const char *path,
		   const struct px_buf *source, char **ret)
{
	struct px_blob *found;
	int r = px_report_work(pool, path, source, 0, false, &found);

	if (r == 0 && !found) {
		*ret = strdup(not_analysed);
		return *ret ? 1 : -ENOMEM;
	}
	if (r == 0 && found->size > 0) {
		*ret = strndup((const char *)found->data, found->size);
		r = *ret ? 0 : -ENOMEM;
	}
	px_blob_unref(found);
	return r;
}

/* Bytes. Each thread of a report has a source and the frame made of it in
 * memory; sources that are larger than this are measured one at a time. */
#define LARGE (8u << 20)

/* Measures the source of a module. 1: something of it failed that may work the
 * next time, so the figures are not stored. */
static int read_source(const struct px_report_options *o,
		       struct px_meter *meter, const char *source,
		       struct px_report_file *f)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = o->max_source};
	struct px_measure sum = {0};
	struct px_stat st = {0};
	int unknown = 0, late = 0;
	int r = px_tree_read(o->tree, source, &text, &st);

	if (r == 0)
		r = px_meter_bytes(meter, text.data, text.size, &sum,
				   f->source_digest);
	f->uses_docs = px_uses_docs(text.data, text.size);
	if (r == 0)
		r = unknown = px_report_pycache(o, source, &text, &st,
						f->source_digest, f);
	if (r >= 0)
		r = late =
			px_report_recipe(o, source, &text, f->source_digest, f);
	if (r >= 0 && o->analyser)
		r = analyse(o->analyser, source, &text, &f->findings);
	/* A source that a rule keeps is shipped as a file of its own, which has
	 * its own figures. */
	if (f->kind == PX_KIND_KEPT)
		sum = (struct px_measure){0};
	if (r < 0)
		return r;
	f->source_bytes = f->kind == PX_KIND_KEPT ? 0 : st.fp.size;
	f->source_deflate_bytes = sum.deflate_bytes;
	f->source_zstd_bytes = sum.zstd_bytes;
	return r | unknown | late;
}

static int measure_source(const struct px_report_options *o,
			  struct px_meter *meter, pthread_mutex_t *one_large,
			  const struct px_item *i, struct px_report_file *f)
{
	const bool large = i->source_size > LARGE;
	int r;

	if (large)
		pthread_mutex_lock(one_large);
	r = read_source(o, meter, i->source, f);
	if (large)
		pthread_mutex_unlock(one_large);
	return r;
}

/* Measures the bytes that are shipped. */
static int measure_shipped(const struct px_report_options *o,
			   struct px_meter *meter, const struct px_item *i,
			   struct px_report_file *f)
{
	struct px_blob *blob = NULL;
	PX_AUTOCLOSE int fd = -1;
	struct px_measure sum = {0};
	struct px_stat st = {0};
	uint64_t size;
	int r;

	if (px_kind_is_made(f->kind)) {
		r = px_report_ask(o->content, i->source, f->kind, &blob);
		if (r == 0 && !blob)
			r = -ESTALE;
		if (r == 0)
			r = px_meter_bytes(meter, blob->data, blob->size, &sum,
					   f->digest);
		px_blob_unref(blob);
	} else {
		r = px_content_open(o->content, i->source, false, &fd, &st,
				    &size);
		if (r == 0)
			r = px_meter_fd(meter, fd, i->attr.size, &sum,
					f->digest);
	}
	if (r < 0)
		return r;
	f->recipe.bytes = px_ends_in(i->source, ".py") ? 0 : i->attr.size;
	f->deflate_bytes = f->source_deflate_bytes = sum.deflate_bytes;
	f->zstd_bytes = f->source_zstd_bytes = sum.zstd_bytes;
	return 0;
}

int px_report_measure(const struct px_report_options *o, struct px_meter *meter,
		      pthread_mutex_t *one_large, const struct px_item *i,
		      struct px_report_file *f)
{
	/* A RECORD depends on more than its source, and the fingerprint of a
	 * file that was changed just now does not identify its bytes. */
	const bool is_storable = i->st_known && f->kind != PX_KIND_RECORD &&
				 !px_tree_young(&i->st.fp, px_wall_ns());
	uint8_t key[PX_DIGEST_SIZE];
	int r;

	if (is_storable) {
		key_of(o, i, key);
		if (find_stored(o, key, f))
			return 0;
	}
	r = measure_shipped(o, meter, i, f);
	if (r == 0 && (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT))
		r = measure_source(o, meter, one_large, i, f);
	if (r == 0 && is_storable)
		store(o, key, f);
	return r < 0 ? r : 0;
}
