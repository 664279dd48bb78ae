/* SPDX-License-Identifier: MIT */
#include "pycfs/view.h"

#include <limits.h>
#include <stdatomic.h>

struct px_view {
	_Atomic unsigned refs;
	/* Keeps the strings alive when a settled view borrows them. */
	struct px_view *base;
	char *text;
	struct px_entry *entries;
	size_t n_entries;
	struct px_note *notes;
	size_t n_notes;
};

static const char note_special[] = "not shipped: a device, socket or fifo";
static const char note_long[] =
	"shipped as source: its name leaves no room for the \"c\" of .pyc";
static const char note_hidden[] =
	"not shipped: the module compiled from the .py beside it has its name";

static bool ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t m = strlen(suffix);

	return n >= m && memcmp(name + n - m, suffix, m) == 0;
}

/* ------------------------------------------------------------ the rules */

enum fate {
	FATE_HIDDEN,
	FATE_SELF,
	FATE_MODULE,
};

static bool is_module(const struct px_name *e)
{
	bool file = e->type == PX_TYPE_REG ||
		    (e->type == PX_TYPE_LNK && e->leads_to_file);

	return file && ends_in(e->name, ".py") && strlen(e->name) < NAME_MAX;
}

/* Finds the first `n` bytes of `name`, as a whole name. */
static const struct px_name *find_name(const struct px_listing *l,
				       const char *name, size_t n)
{
	size_t low = 0;
	size_t high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct px_name *e = &l->names[mid];
		int c = strncmp(name, e->name, n);

		if (c == 0 && e->name[n] == '\0')
			return e;
		if (c > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Whether the name X.pyc is taken by the module compiled from X.py. */
static bool is_shadowed(const struct px_listing *l, const char *name)
{
	const struct px_name *source;

	if (!ends_in(name, ".pyc"))
		return false;
	source = find_name(l, name, strlen(name) - 1);
	return source && is_module(source);
}

static enum fate decide(const struct px_listing *l, const struct px_name *e,
			const char **ret_note)
{
	*ret_note = NULL;
	if (e->type == PX_TYPE_SPECIAL) {
		*ret_note = note_special;
		return FATE_HIDDEN;
	}
	if (e->type == PX_TYPE_DIR && strcmp(e->name, "__pycache__") == 0)
		return FATE_HIDDEN;
	if (e->type != PX_TYPE_DIR && ends_in(e->name, ".pyo"))
		return FATE_HIDDEN;
	if (is_shadowed(l, e->name)) {
		*ret_note = e->type == PX_TYPE_REG ? NULL : note_hidden;
		return FATE_HIDDEN;
	}
	if (is_module(e))
		return FATE_MODULE;
	if (ends_in(e->name, ".py") && strlen(e->name) >= NAME_MAX &&
	    (e->type == PX_TYPE_REG || e->leads_to_file))
		*ret_note = note_long;
	return FATE_SELF;
}

static enum px_kind kind_of(enum px_type type)
{
	switch (type) {
	case PX_TYPE_DIR:
		return PX_KIND_DIR;
	case PX_TYPE_LNK:
		return PX_KIND_LINK;
	case PX_TYPE_REG:
	case PX_TYPE_SPECIAL:
		break;
	}
	return PX_KIND_FILE;
}

/* ------------------------------------------------------------- building */

static int compare_entries(const void *a, const void *b)
{
	const struct px_entry *x = a;
	const struct px_entry *y = b;

	return strcmp(x->name, y->name);
}

static void sort_entries(struct px_view *v)
{
	if (v->n_entries > 1)
		qsort(v->entries, v->n_entries, sizeof(*v->entries),
		      compare_entries);
}

static struct px_view *view_alloc(size_t n_text, size_t n_entries,
				  size_t n_notes)
{
	struct px_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	atomic_init(&v->refs, 1);
	v->text = malloc(n_text + 1);
	v->entries = calloc(n_entries + 1, sizeof(*v->entries));
	v->notes = calloc(n_notes + 1, sizeof(*v->notes));
	if (!v->text || !v->entries || !v->notes) {
		px_view_unref(v);
		return NULL;
	}
	return v;
}

/* Copies a name with room for one byte more. */
static char *put_text(char **text, const char *s)
{
	char *copy = *text;
	size_t n = strlen(s) + 1;

	memcpy(copy, s, n);
	*text += n + 1;
	return copy;
}

static void put_entry(struct px_view *v, char **text, const struct px_name *e,
		      enum fate fate)
{
	struct px_entry *entry = &v->entries[v->n_entries++];
	char *name;
	size_t n;

	entry->source = put_text(text, e->name);
	entry->name = entry->source;
	entry->kind = kind_of(e->type);
	if (fate == FATE_SELF)
		return;
	name = put_text(text, e->name);
	/* put_text left room for this. */
	n = strlen(name);
	name[n] = 'c';
	name[n + 1] = '\0';
	entry->name = name;
	entry->kind = PX_KIND_MODULE;
}

int px_view_new(const struct px_listing *l, struct px_view **ret)
{
	size_t n_text = 0;
	struct px_view *v;
	char *text;

	for (size_t i = 0; i < l->n; i++)
		n_text += 3 * (strlen(l->names[i].name) + 2);
	v = view_alloc(n_text, l->n, l->n);
	if (!v)
		return -ENOMEM;
	text = v->text;
	for (size_t i = 0; i < l->n; i++) {
		const struct px_name *e = &l->names[i];
		const char *note;
		enum fate fate = decide(l, e, &note);

		if (fate != FATE_HIDDEN)
			put_entry(v, &text, e, fate);
		if (note)
			v->notes[v->n_notes++] = (struct px_note){
				.source = put_text(&text, e->name),
				.text = note,
			};
	}
	/* "a.pyc" comes after "a.py-x", though "a.py" came before it. */
	sort_entries(v);
	*ret = v;
	return 0;
}

int px_view_settle(const struct px_view *v, const bool *rejected,
		   enum px_on_error how, struct px_view **ret)
{
	struct px_view *s = view_alloc(0, v->n_entries, v->n_notes);

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_entries; i++) {
		struct px_entry e = v->entries[i];
		bool bad = rejected[i] && e.kind == PX_KIND_MODULE;

		if (bad && how == PX_ON_ERROR_OMIT)
			continue;
		if (bad && how == PX_ON_ERROR_SOURCE) {
			e.name = e.source;
			e.kind = PX_KIND_FILE;
		}
		s->entries[s->n_entries++] = e;
	}
	memcpy(s->notes, v->notes, v->n_notes * sizeof(*v->notes));
	s->n_notes = v->n_notes;
	sort_entries(s);
	s->base = px_view_ref((struct px_view *)(uintptr_t)v);
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
	/* Release: our reads of it come before another thread's free. */
	while (v && atomic_fetch_sub_explicit(&v->refs, 1,
					      memory_order_acq_rel) == 1) {
		struct px_view *base = v->base;

		free(v->text);
		free(v->entries);
		free(v->notes);
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

size_t px_view_n_notes(const struct px_view *v)
{
	return v->n_notes;
}

const struct px_note *px_view_note(const struct px_view *v, size_t i)
{
	return &v->notes[i];
}
