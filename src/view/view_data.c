/* SPDX-License-Identifier: MIT */
/*
 * The views themselves: memory, reading them, and deriving one from another.
 */
#include "view_data.h"

static const char hidden_empty[] = "left empty by exclusion";
static const char hidden_rejected[] = "does not compile";

static int compare_entries(const void *a, const void *b)
{
	const struct px_entry *x = a;
	const struct px_entry *y = b;

	return strcmp(x->name, y->name);
}

/* The entries are in the order of their source names, which usually is the
 * order of their names in the view as well; sort only if it is not. */
void px_view_sort(struct px_view *v)
{
	size_t i;

	for (i = 1; i < v->n_entries; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		if (strcmp(v->entries[i - 1].name, v->entries[i].name) >= 0)
			break; /* no entry has a NULL name */
	if (i < v->n_entries)
		qsort(v->entries, v->n_entries, sizeof(*v->entries),
		      compare_entries);
}

struct px_view *px_view_alloc(size_t n_text, size_t n_entries, size_t n_notes,
			      size_t n_hidden)
{
	struct px_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	atomic_init(&v->refs, 1);
	v->text = malloc(n_text + 1);
	v->entries = calloc(n_entries + 1, sizeof(*v->entries));
	v->notes = calloc(n_notes + 1, sizeof(*v->notes));
	v->hidden = calloc(n_hidden + 1, sizeof(*v->hidden));
	if (!v->text || !v->entries || !v->notes || !v->hidden) {
		px_view_unref(v);
		return NULL;
	}
	return v;
}

/* Returns an empty view that shares the strings of `v` and has room for as many
 * entries, or NULL if out of memory. */
static struct px_view *derive(const struct px_view *v)
{
	struct px_view *s = px_view_alloc(0, v->n_entries, v->n_notes,
					  v->n_hidden + v->n_entries);

	if (!s)
		return NULL;
	memcpy(s->notes, v->notes, v->n_notes * sizeof(*v->notes));
	s->n_notes = v->n_notes;
	memcpy(s->hidden, v->hidden, v->n_hidden * sizeof(*v->hidden));
	s->n_hidden = v->n_hidden;
	s->n_excluded = v->n_excluded;
	s->base = px_view_ref((struct px_view *)(uintptr_t)v);
	return s;
}

int px_view_apply_verdicts(const struct px_view *v, const bool *rejected,
			   enum px_on_error how, struct px_view **ret)
{
	struct px_view *s = derive(v);

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_entries; i++) {
		struct px_entry e = v->entries[i];

		/* The source of this one is in the view already. */
		if (rejected[i] && e.kind == PX_KIND_KEPT)
			continue;
		if (rejected[i] && e.kind == PX_KIND_MODULE &&
		    how == PX_ON_ERROR_OMIT) {
			s->hidden[s->n_hidden++] =
				(struct px_note){e.source, hidden_rejected};
			continue;
		}
		if (rejected[i] && e.kind == PX_KIND_MODULE &&
		    how == PX_ON_ERROR_SOURCE) {
			e.name = e.source;
			e.kind = PX_KIND_FILE;
		}
		s->entries[s->n_entries++] = e;
	}
	px_view_sort(s);
	*ret = s;
	return 0;
}

int px_view_without(const struct px_view *v, const bool *gone,
		    struct px_view **ret)
{
	struct px_view *s = derive(v);

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_entries; i++)
		if (!gone[i])
			s->entries[s->n_entries++] = v->entries[i];
		else
			s->hidden[s->n_hidden++] = (struct px_note){
				v->entries[i].source, hidden_empty};
	*ret = s;
	return 0;
}

struct px_view *px_view_ref(struct px_view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void px_view_unref(struct px_view *v)
{
	/* Release: this thread's reads of the view happen before the free,
	 * whichever thread drops the last reference. Acquire: the free happens
	 * after the reads of all others. */
	while (v && atomic_fetch_sub_explicit(&v->refs, 1,
					      memory_order_acq_rel) == 1) {
		struct px_view *base = v->base;

		free(v->text);
		free(v->stats);
		free(v->entries);
		free(v->notes);
		free(v->hidden);
		free(v);
		v = base;
	}
}

/* -------------------------------------------------------------- reading */

size_t px_view_count(const struct px_view *v)
{
	return v->n_entries;
}

const struct px_entry *px_view_at(const struct px_view *v, size_t i)
{
	return &v->entries[i];
}

const struct px_entry *px_view_find(const struct px_view *v, const char *name)
{
	struct px_entry key = {.name = name};

	return bsearch(&key, v->entries, v->n_entries, sizeof(*v->entries),
		       compare_entries);
}

const struct px_entry *px_view_find_source(const struct px_view *v,
					   const char *source)
{
	char name[NAME_MAX + 1];
	const struct px_entry *e;
	size_t n = strlen(source);

	if (n >= NAME_MAX)
		return NULL;
	memcpy(name, source, n);
	name[n] = 'c';
	name[n + 1] = '\0';
	e = px_view_find(v, name);
	return e && e->kind == PX_KIND_MODULE ? e : NULL;
}

size_t px_view_n_excluded(const struct px_view *v)
{
	return v->n_excluded;
}

size_t px_view_n_hidden(const struct px_view *v)
{
	return v->n_hidden;
}

const struct px_note *px_view_hidden(const struct px_view *v, size_t i)
{
	return &v->hidden[i];
}

size_t px_view_n_notes(const struct px_view *v)
{
	return v->n_notes;
}

const struct px_note *px_view_note(const struct px_view *v, size_t i)
{
	return &v->notes[i];
}
