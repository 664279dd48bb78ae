/* SPDX-License-Identifier: MIT */
#include "content_i.h"

struct settle {
	_Atomic size_t left;
	_Atomic int err;
	struct px_view *view;
	enum px_on_error how;
	px_content_settled done;
	void *arg;
	bool rejected[];
};

struct ask {
	struct settle *s;
	size_t i;
};

static void finish(struct settle *s)
{
	struct px_view *settled = NULL;
	int r = s->err;

	if (r == 0)
		r = px_view_settle(s->view, s->rejected, s->how, &settled);
	s->done(s->arg, r, settled);
	px_view_unref(settled);
	px_view_unref(s->view);
	free(s);
}

static void put(struct settle *s)
{
	if (atomic_fetch_sub(&s->left, 1) == 1)
		finish(s);
}

static void on_module(void *arg, int err, const struct px_module *m)
{
	struct ask *a = arg;
	struct settle *s = a->s;

	/* A file that vanished meanwhile is for its own lookup to report. */
	if (err == -ECANCELED || err == -ENOMEM)
		s->err = err;
	else if (err == 0)
		s->rejected[a->i] = m->kind != PX_BLOB_CODE;
	free(a);
	put(s);
}

static void ask(struct px_content *c, struct settle *s, const char *dir,
		size_t i)
{
	PX_AUTOFREE char *path = NULL;
	struct ask *a = malloc(sizeof(*a));

	const struct px_entry *e = px_view_at(s->view, i);

	path = px_path_join(dir, e->source);
	if (!a || !path) {
		free(a);
		s->err = -ENOMEM;
		return;
	}
	*a = (struct ask){s, i};
	atomic_fetch_add(&s->left, 1);
	px_content_get(c, path, NULL, e->kind, PX_WANT_SIZE, on_module, a);
}

/* A kept source is there in any case; the .pyc beside it if there is one. */
static bool is_doubtful(const struct px_content *c, enum px_kind kind)
{
	return kind == PX_KIND_KEPT ||
	       (kind == PX_KIND_MODULE && c->o.on_error != PX_ON_ERROR_FAIL);
}

bool px_content_unsettled(const struct px_content *c, enum px_kind kind)
{
	return kind == PX_KIND_PYCACHE || c->o.on_error != PX_ON_ERROR_FAIL;
}

void px_content_settle(struct px_content *c, const char *dir, struct px_view *v,
		       px_content_settled done, void *arg)
{
	const size_t n = px_view_count(v);
	struct settle *s = calloc(1, sizeof(*s) + n * sizeof(s->rejected[0]));
	size_t i;

	if (!s) {
		done(arg, -ENOMEM, NULL);
		return;
	}
	s->view = px_view_ref(v);
	s->how = c->o.on_error;
	s->done = done;
	s->arg = arg;
	s->left = 1; /* ours, so that it cannot end while we still ask */
	for (i = 0; i < n; i++)
		if (is_doubtful(c, px_view_at(v, i)->kind))
			ask(c, s, dir, i);
	put(s);
}
