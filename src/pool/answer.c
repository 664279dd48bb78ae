/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include "start.h"

#include "pycfs/log.h"

/* Workers that may die of one module before it is given up. */
#define MAX_DEATHS 2

static void complete_failed(struct px_pool *p, struct px_job *job,
			    const char *text)
{
	struct px_blob *blob =
		px_blob_new(PX_BLOB_FAILED, 0, 0, text, strlen(text));

	px_stats_add(p->o.stats, PX_COUNT_rejected, 1);
	px_job_complete(job, blob ? 0 : -ENOMEM, blob);
	px_blob_unref(blob);
}

void px_answer_take_back(struct px_pool *p, struct px_worker *w)
{
	struct px_job *job;

	while ((job = px_worker_take_back(w)))
		px_queue_push_front(&p->queue, job);
}

/* Kills it and says why it had to go, in words that follow "the worker". */
static void end_worker(struct px_worker *w, int err, struct px_why *why)
{
	px_worker_kill(w, why);
	if (err == -ETIMEDOUT)
		px_because(why, 0, "does not get ready");
	else if (err == -EBADMSG)
		px_because(why, 0, "sent what is no answer");
	else if (err != -EPIPE && err != -ECONNRESET)
		px_because(why, 0, "is lost: %s", strerror(-err));
}

void px_answer_lost(struct px_pool *p, struct px_worker *w, int err)
{
	const enum px_worker_state state = w->state;
	struct px_job *job;
	struct px_why why, text;

	end_worker(w, err, &why);
	px_answer_take_back(p, w);
	job = px_worker_take(w);
	/* Also one that has said hello, but answered nothing: if it did not
	 * count as a failed start, there would be no end of starts. */
	if (state == PX_WORKER_STARTING ||
	    (state == PX_WORKER_IDLE && !w->has_answered)) {
		px_start_lost(p, w, why.text);
		return;
	}
	if (!job && state == PX_WORKER_BUSY)
		return;
	if (!job) {
		px_log(PX_LOG_WARNING, "an idle compile worker was lost: %s",
		       why.text);
		return;
	}
	if (err == -ETIMEDOUT) {
		px_stats_add(p->o.stats, PX_COUNT_timeouts, 1);
		px_because(&text, 0,
			   "did not compile within %u.%03u seconds "
			   "of CPU time (see --timeout)",
			   p->o.timeout_ms / 1000, p->o.timeout_ms % 1000);
		complete_failed(p, job, text.text);
		return;
	}
	px_stats_add(p->o.stats, PX_COUNT_crashes, 1);
	if (++job->n_deaths < MAX_DEATHS) {
		px_queue_push_front(&p->queue, job);
		return;
	}
	px_because(&text, 0, "the compiler died of it twice: %s", why.text);
	complete_failed(p, job, text.text);
}

/* The libpython that worker `w` has loaded is of no use. If no other kind of
 * worker can take its place, the pool has failed. */
static int refuse_libpython(struct px_pool *p, const struct px_worker *w,
			    const char *why)
{
	if (!px_start_otherwise(p, w, why))
		px_start_report(p, -ELIBBAD, false, why);
	return -ELIBBAD;
}

static int hello(struct px_pool *p, struct px_worker *w,
		 const struct px_str *payload)
{
	const struct px_python *want = p->o.python;
	const char *file =
		w->in_interpreter ? want->interpreter : want->libpython;
	struct px_frame_hello h;
	int r = px_frame_get_hello(payload->data, payload->size, &h);
	struct px_why why;

	if (r < 0 || w->state != PX_WORKER_STARTING)
		return -EBADMSG;
	if (h.protocol != PX_FRAME_PROTOCOL) {
		px_start_report(p, -EPROTO, false,
				"pycfs-compiler is of another version "
				"than pycfs: install both again");
		return -EPROTO;
	}
	if (h.magic != want->magic || h.hexversion != want->hexversion) {
		px_because(&why, 0,
			   "%s is Python %u.%u.%u, not the "
			   "interpreter's version: install the libpython that "
			   "belongs to it, or say --worker interpreter",
			   file, h.hexversion >> 24, h.hexversion >> 16 & 255,
			   h.hexversion >> 8 & 255);
		return refuse_libpython(p, w, why.text);
	}
	/* The keys of the cache have what the interpreter has said. */
	if (h.canary.size != strlen(want->canary) ||
	    memcmp(h.canary.data, want->canary, h.canary.size) != 0) {
		px_because(&why, 0,
			   "%s does not compile as the interpreter does, "
			   "although both are Python %u.%u.%u: install the "
			   "libpython that belongs to it, or say --worker "
			   "interpreter",
			   file, h.hexversion >> 24, h.hexversion >> 16 & 255,
			   h.hexversion >> 8 & 255);
		return refuse_libpython(p, w, why.text);
	}
	if (!h.sandboxed && p->o.require_sandbox) {
		px_start_report(
			p, -EPERM, false,
			"the kernel, or what contains us, lets no seccomp "
			"filter be set, so compile workers cannot be "
			"sandboxed (without --require-sandbox they run "
			"all the same)");
		return -EPERM;
	}
	w->state = PX_WORKER_IDLE;
	w->deadline_ms = 0;
	px_start_report(p, 0, h.sandboxed, "");
	return 0;
}

/* The first job was answered. Returns it; NULL: it had been taken back. */
static struct px_job *finish_first(struct px_pool *p, struct px_worker *w)
{
	struct px_job *job = px_worker_take(w);

	if (w->n_slots > 0) {
		px_worker_begin(w, p->o.timeout_ms);
	} else {
		w->state = PX_WORKER_IDLE;
		w->deadline_ms = 0;
	}
	return job;
}

static int result(struct px_pool *p, struct px_worker *w,
		  const struct px_str *payload)
{
	static const enum px_blob_kind kinds[] = {
		[PX_FRAME_CODE] = PX_BLOB_CODE,
		[PX_FRAME_PLAIN] = PX_BLOB_CODE,
		[PX_FRAME_REJECTED] = PX_BLOB_REJECTED,
		[PX_FRAME_FAILED] = PX_BLOB_FAILED,
	};
	struct px_frame_result res;
	struct px_job *job;
	struct px_blob *blob;
	int r = px_frame_get_result(payload->data, payload->size, &res);

	if (r < 0 || w->n_slots == 0 || w->slots[0].state == PX_SLOT_WAITING ||
	    res.id != w->slots[0].id ||
	    !px_blob_is_name_at(kinds[res.status], res.data.data, res.data.size,
				res.name_at))
		return -EBADMSG;
	if (!w->has_answered) {
		w->has_answered = true;
		px_start_succeeded(p);
	}
	job = finish_first(p, w);
	if (!job)
		return 0;
	blob = px_blob_new(kinds[res.status], res.line, res.column,
			   res.data.data, res.data.size);
	if (blob)
		blob->name_at = res.name_at;
	px_stats_add(p->o.stats, PX_COUNT_compiled, 1);
	px_stats_add(p->o.stats, PX_COUNT_ahead, job->ahead);
	px_stats_add(p->o.stats, PX_COUNT_compiled_bytes, job->frame.size);
	px_stats_add(p->o.stats, PX_COUNT_plain, res.status == PX_FRAME_PLAIN);
	if (blob && blob->kind != PX_BLOB_CODE)
		px_stats_add(p->o.stats, PX_COUNT_rejected, 1);
	px_job_complete(job, blob ? 0 : -ENOMEM, blob);
	px_blob_unref(blob);
	return 0;
}

int px_answer_receive(struct px_pool *p, struct px_worker *w)
{
	enum px_frame_type type;
	struct px_str payload;
	int r;

	while ((r = px_worker_receive(w, &type, &payload)) > 0) {
		if (type == PX_FRAME_HELLO)
			r = hello(p, w, &payload);
		else if (type == PX_FRAME_RESULT)
			r = result(p, w, &payload);
		else
			r = -EBADMSG;
		if (r < 0)
			return r;
		px_worker_consume(w, &payload);
	}
	return r;
}
