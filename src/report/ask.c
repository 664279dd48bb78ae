/* SPDX-License-Identifier: MIT */
#include "report_i.h"

#include "pycfs/answer.h"
#include "pycfs/pool.h"

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

int px_report_ask(struct px_content *c, const char *path, enum px_kind kind,
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

int px_report_work(struct px_pool *pool, const char *path,
		   const struct px_buf *source, unsigned level, bool canonical,
		   struct px_blob **ret)
{
	struct bytes b = {.answer = PX_ANSWER_INIT};
	const struct px_frame_compile task = {
		.optimize = level,
		.mode = PX_PYC_UNCHECKED_HASH,
		.canonical = canonical,
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
