/* SPDX-License-Identifier: MIT */
#include "verdict.h"

struct question {
	struct px_verdicts *v;
	size_t i;
};

struct px_verdicts {
	const struct px_modules *ms;
	px_verdicts_done done;
	void *arg;
	_Atomic size_t n_open; /* questions without an answer, and the asker */
	_Atomic int err;
	bool *rejected;
	struct question questions[];
};

int px_verdicts_new(const struct px_modules *ms, size_t n,
		    px_verdicts_done done, void *arg, struct px_verdicts **ret)
{
	struct px_verdicts *v =
		calloc(1, sizeof(*v) + n * sizeof(v->questions[0]));

	if (!v)
		return -ENOMEM;
	v->rejected = calloc(n + 1, sizeof(*v->rejected));
	if (!v->rejected) {
		free(v);
		return -ENOMEM;
	}
	v->ms = ms;
	v->done = done;
	v->arg = arg;
	v->n_open = 1; /* the asker, so that it does not end while he asks */
	*ret = v;
	return 0;
}

void px_verdicts_finish(struct px_verdicts *v)
{
	if (atomic_fetch_sub(&v->n_open, 1) > 1)
		return;
	v->done(v->arg, v->err, v->rejected);
	free(v->rejected);
	free(v);
}

static void on_module(void *arg, int err, const struct px_module *m)
{
	const struct question *q = arg;
	struct px_verdicts *v = q->v;

	if (err == -ECANCELED || err == -ENOMEM)
		v->err = err;
	else if (err == 0)
		v->rejected[q->i] = m->kind != PX_BLOB_CODE;
	px_verdicts_finish(v);
}

void px_verdicts_ask(struct px_verdicts *v, size_t i, const char *path,
		     enum px_kind kind)
{
	v->questions[i] = (struct question){v, i};
	atomic_fetch_add(&v->n_open, 1);
	px_module_get(v->ms, path, NULL, kind, PX_WANT_SIZE, on_module,
		      &v->questions[i]);
}

/* ---------------------------------------------------------------- views */

struct application {
	struct px_view *view;
	enum px_on_error how;
	px_content_view_done done;
	void *arg;
};

static void apply(void *arg, int err, const bool *rejected)
{
	struct application *a = arg;
	struct px_view *shown = NULL;

	if (err == 0)
		err = px_view_apply_verdicts(a->view, rejected, a->how, &shown);
	a->done(a->arg, err, shown);
	px_view_unref(shown);
	px_view_unref(a->view);
	free(a);
}

bool px_verdicts_needed(const struct px_content_options *o, enum px_kind kind)
{
	return kind == PX_KIND_PYCACHE || o->on_error != PX_ON_ERROR_FAIL;
}

/* Whether the entry is shown only if the module compiles. A source that a rule
 * keeps is shown in any case, but the .pyc beside it (KEPT) is not. */
static bool depends_on_compile(const struct px_content_options *o,
			       enum px_kind kind)
{
	return kind == PX_KIND_KEPT ||
	       (kind == PX_KIND_MODULE && o->on_error != PX_ON_ERROR_FAIL);
}

static void ask_entry(struct px_verdicts *v, const char *dir, size_t i,
		      const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir, e->source);

	if (path)
		px_verdicts_ask(v, i, path, e->kind);
	else
		v->err = -ENOMEM;
}

void px_verdicts_apply(const struct px_modules *ms, const char *dir,
		       struct px_view *view, px_content_view_done done,
		       void *arg)
{
	const size_t n = px_view_count(view);
	struct application *a = malloc(sizeof(*a));
	struct px_verdicts *v;
	size_t i;

	if (!a || px_verdicts_new(ms, n, apply, a, &v) < 0) {
		free(a);
		done(arg, -ENOMEM, NULL);
		return;
	}
	*a = (struct application){
		.view = px_view_ref(view),
		.how = ms->o->on_error,
		.done = done,
		.arg = arg,
	};
	for (i = 0; i < n; i++) {
		const struct px_entry *e = px_view_at(view, i);

		if (depends_on_compile(ms->o, e->kind))
			ask_entry(v, dir, i, e);
	}
	px_verdicts_finish(v);
}
