/* SPDX-License-Identifier: MIT */
/*
 * One file's figures: remembered under what its source looks like from
 * outside, so that a second report reads nothing, or measured.
 */
#include "report_i.h"

#include "pycfs/answer.h"
#include "pycfs/pool.h"

#include <pthread.h>

/* Of what is remembered: a change of it, or of how anything is measured, needs
 * a new number. */
#define NOTE_FORMAT 2
#define N_NUMBERS   6
#define NOTE_SIZE   (N_NUMBERS * 8 + PX_DIGEST_SIZE)

/* ---------------------------------------------------------- remembering */

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
	px_fingerprint_add(&d, &i->st.fp);
	px_digest_final(&d, ret);
}

static bool recall(const struct px_report_options *o,
		   const uint8_t key[PX_DIGEST_SIZE], struct px_report_file *f)
{
	uint64_t *const to[N_NUMBERS] = {
		&f->deflate_bytes,     &f->zstd_bytes,
		&f->source_bytes,      &f->source_deflate_bytes,
		&f->source_zstd_bytes, &f->pycache_bytes,
	};
	struct px_blob *b = px_note_find(o->cache, key, NOTE_SIZE);
	size_t k;

	if (!b)
		return false;
	for (k = 0; k < N_NUMBERS; k++)
		*to[k] = px_get_le64(b->data + 8 * k);
	memcpy(f->digest, b->data + 8 * N_NUMBERS, PX_DIGEST_SIZE);
	if (b->size > NOTE_SIZE)
		f->findings = strndup((const char *)b->data + NOTE_SIZE,
				      b->size - NOTE_SIZE);
	px_blob_unref(b);
	return true;
}

static void remember(const struct px_report_options *o,
		     const uint8_t key[PX_DIGEST_SIZE],
		     const struct px_report_file *f)
{
	const uint64_t numbers[N_NUMBERS] = {
		f->deflate_bytes,	 f->zstd_bytes,	       f->source_bytes,
		f->source_deflate_bytes, f->source_zstd_bytes, f->pycache_bytes,
	};
	const size_t n = f->findings ? strlen(f->findings) : 0;
	PX_AUTOFREE uint8_t *note = malloc(NOTE_SIZE + n);
	size_t k;

	if (!note)
		return;
	for (k = 0; k < N_NUMBERS; k++)
		px_put_le64(note + 8 * k, numbers[k]);
	memcpy(note + 8 * N_NUMBERS, f->digest, PX_DIGEST_SIZE);
	if (n > 0)
		memcpy(note + NOTE_SIZE, f->findings, n);
	px_note_keep(o->cache, key, note, NOTE_SIZE + n);
}

/* Of the size of what Python itself writes for this source. */
static void pycache_key(const struct px_report_options *o, const char *path,
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

/* ------------------------------------------------------------ measuring */

/* The bytes that were asked for; NULL: the source does not compile. */
struct bytes {
	struct px_answer answer;
	int err;
	struct px_blob *blob;
};

static void on_module(void *arg, int err, const struct px_module *m)
{
	struct bytes *b = arg;

	b->err = err;
	if (err == 0 && m->kind == PX_BLOB_CODE && m->blob)
		b->blob = px_blob_ref(m->blob);
	px_answer_came(&b->answer);
}

/* 0 and its bytes, the caller's, if it compiles; else NULL. -errno. */
static int ask(struct px_content *c, const char *path, enum px_kind kind,
	       struct px_blob **ret)
{
	struct bytes b = {.answer = PX_ANSWER_INIT};

	px_content_get(c, path, NULL, kind, PX_WANT_BYTES, on_module, &b);
	px_answer_wait(&b.answer);
	*ret = b.blob;
	return b.err;
}

static void on_result(void *arg, int err, struct px_blob *result)
{
	struct bytes *b = arg;

	b->err = err;
	if (err == 0 && result->kind == PX_BLOB_CODE)
		b->blob = px_blob_ref(result);
	px_answer_came(&b->answer);
}

/* What a module that crashes the analysis, or takes too long, is said to have;
 * as px_pool_options.analyse, without a remedy. */
static const char not_analysed[] =
	"2\t0\tnot-analysed\tcould not be looked at: it took too long, or "
	"ended the process\t\t";

/* 0 and what a worker makes of a source, the caller's; NULL: nothing. -errno.
 */
static int work(struct px_pool *pool, const char *path,
		const struct px_buf *source, struct px_blob **ret)
{
	struct bytes b = {.answer = PX_ANSWER_INIT};
	const struct px_frame_compile task = {
		.mode = PX_PYC_UNCHECKED_HASH,
		.canonical = true,
		.co_filename = {(const uint8_t *)path, strlen(path)},
		.source = {source->data, source->size},
	};
	int r = px_pool_submit(pool, &task, PX_PRIORITY_WAITED, on_result, &b,
			       NULL);

	/* A job that the pool refuses is not answered. */
	if (r < 0)
		px_answer_came(&b.answer);
	px_answer_wait(&b.answer);
	*ret = b.blob;
	return r < 0 ? r : b.err;
}

/* What in this source may break. 1: that is not known. -errno. */
static int analyse(struct px_pool *pool, const char *path,
		   const struct px_buf *source, char **ret)
{
	struct px_blob *found;
	int r = work(pool, path, source, &found);

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

/* The size of what Python itself writes for this source. Only that is kept:
 * the bytes are nothing that anybody ships. 1: that is not known. -errno. */
static int measure_pycache(const struct px_report_options *o, const char *path,
			   const struct px_buf *source,
			   const uint8_t digest[PX_DIGEST_SIZE], uint64_t *ret)
{
	uint8_t key[PX_DIGEST_SIZE], note[8];
	struct px_blob *b;
	int r;

	pycache_key(o, path, digest, key);
	b = px_note_find(o->cache, key, sizeof(note));
	if (b) {
		*ret = px_get_le64(b->data);
		px_blob_unref(b);
		return 0;
	}
	r = work(o->baseline, path, source, &b);
	if (r < 0)
		return r;
	/* What compiles at level 2 does at 0, given time. */
	if (!b)
		return 1;
	*ret = b->size;
	px_blob_unref(b);
	px_put_le64(note, *ret);
	px_note_keep(o->cache, key, note, sizeof(note));
	return 0;
}

/* Each thread has a source in memory, and its frame: those that are larger than
 * this, in bytes, are measured one after the other. */
#define LARGE (8u << 20)

/* 1: done, but not worth remembering. */
static int read_source(const struct px_report_options *o,
		       struct px_meter *meter, const char *source,
		       struct px_report_file *f)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = o->max_source};
	uint8_t digest[PX_DIGEST_SIZE];
	struct px_measure sum = {0};
	struct px_stat st = {0};
	int unknown = 0;
	int r = px_tree_read(o->tree, source, &text, &st);

	if (r == 0)
		r = px_meter_bytes(meter, text.data, text.size, &sum, digest);
	if (r == 0)
		r = unknown = measure_pycache(o, source, &text, digest,
					      &f->pycache_bytes);
	if (r >= 0 && o->analyser)
		r = analyse(o->analyser, source, &text, &f->findings);
	/* A kept source is shipped, as a file of its own. */
	if (f->kind == PX_KIND_KEPT)
		sum = (struct px_measure){0};
	if (r < 0)
		return r;
	f->source_bytes = f->kind == PX_KIND_KEPT ? 0 : st.fp.size;
	f->source_deflate_bytes = sum.deflate_bytes;
	f->source_zstd_bytes = sum.zstd_bytes;
	return r | unknown;
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

/* Of the bytes as they ship. */
static int measure_shipped(const struct px_report_options *o,
			   struct px_meter *meter, const struct px_item *i,
			   struct px_report_file *f)
{
	struct px_blob *blob = NULL;
	PX_AUTOCLOSE int fd = -1;
	struct px_measure sum = {0};
	struct px_stat st = {0};
	int r;

	if (px_kind_is_made(f->kind)) {
		r = ask(o->content, i->source, f->kind, &blob);
		if (r == 0 && !blob)
			r = -ESTALE;
		if (r == 0)
			r = px_meter_bytes(meter, blob->data, blob->size, &sum,
					   f->digest);
		px_blob_unref(blob);
	} else {
		r = px_tree_open_file(o->tree, i->source, &fd, &st);
		if (r == 0)
			r = px_meter_fd(meter, fd, i->attr.size, &sum,
					f->digest);
	}
	if (r < 0)
		return r;
	f->deflate_bytes = f->source_deflate_bytes = sum.deflate_bytes;
	f->zstd_bytes = f->source_zstd_bytes = sum.zstd_bytes;
	return 0;
}

int px_report_measure(const struct px_report_options *o, struct px_meter *meter,
		      pthread_mutex_t *one_large, const struct px_item *i,
		      struct px_report_file *f)
{
	/* A RECORD depends on more than its source. */
	const bool keep = i->st_known && f->kind != PX_KIND_RECORD &&
			  !px_tree_young(&i->st.fp, px_wall_ns());
	uint8_t key[PX_DIGEST_SIZE];
	int r;

	if (keep) {
		key_of(o, i, key);
		if (recall(o, key, f))
			return 0;
	}
	r = measure_shipped(o, meter, i, f);
	if (r == 0 && (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT))
		r = measure_source(o, meter, one_large, i, f);
	if (r == 0 && keep)
		remember(o, key, f);
	return r < 0 ? r : 0;
}
