/* SPDX-License-Identifier: MIT */
#include "view_data.h"

#include <limits.h>
#include <stdio.h>

static const char note_special[] = "not shipped: a device, socket or fifo";
static const char note_view[] =
	"not shipped: a mount of pycfs, which might show this one";
static const char note_long[] =
	"shipped as source: its name leaves no room for the \"c\" of .pyc";
static const char note_hidden[] =
	"not shipped: the module compiled from the .py beside it has its name";

/* The reasons for hiding an entry that are not worth a note. */
static const char hidden_rule[] = "excluded by a rule";
static const char hidden_made[] = "bytecode that Python made for itself";
static const char hidden_stale[] =
	"redundant: the module beside it is compiled";
static const char hidden_signature[] =
	"signs the RECORD in SOURCE, not the one that is shipped";

/* ------------------------------------------------------------ the rules */

enum fate {
	FATE_HIDDEN,
	FATE_EXCLUDED,
	FATE_SELF,
	FATE_MODULE,
	FATE_KEPT,
	FATE_RECORD,
};

/* The directory whose entries are being decided. `path` starts with the path of
 * the directory and has room for any name behind it. */
struct place {
	const struct px_view_options *o;
	char *path;
	size_t n_dir; /* bytes in front of the name */
	bool in_dist_info;
};

static bool is_module(const struct px_name *e)
{
	bool file = e->type == PX_TYPE_REG ||
		    (e->type == PX_TYPE_LNK && e->leads_to_file);

	return file && px_ends_in(e->name, ".py") && strlen(e->name) < NAME_MAX;
}

/* Finds the entry whose whole name is the first `n` bytes of `name`. */
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

/* For a name X.pyc: returns the module source X.py if the directory has one,
 * whatever the rules do with it, else NULL. */
static const struct px_name *find_source(const struct px_listing *l,
					 const char *name)
{
	const struct px_name *source;

	if (!px_ends_in(name, ".pyc"))
		return NULL;
	source = find_name(l, name, strlen(name) - 1);
	return source && is_module(source) ? source : NULL;
}

/* Returns the path of the entry `name` of this directory, relative to SOURCE.
 * It is valid until the next call. */
static const char *path_of(const struct place *p, const char *name)
{
	memcpy(p->path + p->n_dir, name, strlen(name) + 1);
	return p->path;
}

/* Whether a rule says at which level the module is compiled, and so that it is
 * to be compiled, even if it is a script. */
static bool has_level(const struct place *p, const char *path)
{
	const unsigned none = UINT_MAX;

	return px_rules_optimize(p->o->rules, path, none) != none;
}

static enum fate decide_module(const struct place *p, const struct px_name *e)
{
	const char *path = path_of(p, e->name);

	if (px_rules_excluded(p->o->rules, path, false))
		return FATE_EXCLUDED;
	if (px_rules_keep_source(p->o->rules, path))
		return FATE_KEPT;
	return e->is_script && !has_level(p, path) ? FATE_SELF : FATE_MODULE;
}

static bool is_record(const struct place *p, const struct px_name *e)
{
	return p->in_dist_info && e->type == PX_TYPE_REG &&
	       strcmp(e->name, "RECORD") == 0;
}

/* Whether `e` is the signature of a RECORD that is replaced by a generated one,
 * which makes the signature invalid. */
static bool is_void_signature(const struct px_listing *l, const struct place *p,
			      const struct px_name *e)
{
	const struct px_name *record;

	if (!p->in_dist_info || e->type == PX_TYPE_DIR ||
	    (strcmp(e->name, "RECORD.jws") != 0 &&
	     strcmp(e->name, "RECORD.p7s") != 0))
		return false;
	record = find_name(l, "RECORD", strlen("RECORD"));
	return record && is_record(p, record) &&
	       !px_rules_excluded(p->o->rules, path_of(p, "RECORD"), false);
}

static enum fate decide(const struct px_listing *l, const struct place *p,
			const struct px_name *e, const char **ret_note)
{
	const bool is_view = e->type == PX_TYPE_VIEW;
	const bool is_dir = e->type == PX_TYPE_DIR || is_view;
	const struct px_name *source;

	*ret_note = NULL;
	if (e->type == PX_TYPE_SPECIAL || is_view) {
		if (px_rules_excluded(p->o->rules, path_of(p, e->name), is_dir))
			return FATE_EXCLUDED;
		*ret_note = is_view ? note_view : note_special;
		return FATE_HIDDEN;
	}
	if (is_dir && strcmp(e->name, "__pycache__") == 0)
		return FATE_HIDDEN;
	if (!is_dir && px_ends_in(e->name, ".pyo"))
		return FATE_HIDDEN;
	if (is_module(e))
		return decide_module(p, e);
	if (px_rules_excluded(p->o->rules, path_of(p, e->name), is_dir))
		return FATE_EXCLUDED;
	source = find_source(l, e->name);
	if (source && e->type == PX_TYPE_REG)
		return FATE_HIDDEN;
	if (source && decide_module(p, source) == FATE_MODULE) {
		*ret_note = note_hidden;
		return FATE_HIDDEN;
	}
	if (is_record(p, e))
		return FATE_RECORD;
	if (is_void_signature(l, p, e))
		return FATE_HIDDEN;
	if (px_ends_in(e->name, ".py") && strlen(e->name) >= NAME_MAX &&
	    (e->type == PX_TYPE_REG || e->leads_to_file))
		*ret_note = note_long;
	return FATE_SELF;
}

static const char *why_hidden(const struct px_name *e, enum fate fate,
			      const char *note)
{
	if (note)
		return note;
	if (fate == FATE_EXCLUDED)
		return hidden_rule;
	if (e->type == PX_TYPE_DIR || px_ends_in(e->name, ".pyo"))
		return hidden_made;
	return px_ends_in(e->name, ".pyc") ? hidden_stale : hidden_signature;
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
	case PX_TYPE_VIEW:
		break;
	}
	return PX_KIND_FILE;
}

/* ------------------------------------------------------------- building */

/* Copies a string to *text, leaves room for one byte more behind it, and moves
 * *text behind that. */
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
	/* The attributes of a symlink are of no use if the module is compiled
	 * from the file that the link leads to. */
	if (e->st && (e->type != PX_TYPE_LNK || !e->leads_to_file)) {
		v->stats[v->n_stats] = *e->st;
		entry->st = &v->stats[v->n_stats++];
	}
	if (fate == FATE_KEPT)
		entry->kind = PX_KIND_FILE;
	if (fate == FATE_RECORD)
		entry->kind = PX_KIND_RECORD;
	if (fate != FATE_MODULE)
		return;
	name = put_text(text, e->name);
	/* put_text has left room for the "c". */
	n = strlen(name);
	name[n] = 'c';
	name[n + 1] = '\0';
	entry->name = name;
	entry->kind = PX_KIND_MODULE;
}

static bool is_dist_info(const char *dir)
{
	return px_ends_in(dir, ".dist-info");
}

static int place_init(struct place *p, const char *dir,
		      const struct px_view_options *o)
{
	p->o = o;
	p->path = malloc(strlen(dir) + NAME_MAX + 2);
	if (!p->path)
		return -ENOMEM;
	p->n_dir = (size_t)(stpcpy(p->path, dir) - p->path);
	p->in_dist_info = is_dist_info(dir);
	if (p->n_dir > 0)
		p->path[p->n_dir++] = '/';
	return 0;
}

/* Adds the generated __pycache__, unless rules exclude it, or the source has a
 * file or symlink of that name, which is shown instead. */
static void put_pycache(struct px_view *v, const struct place *p)
{
	static const char name[] = "__pycache__";
	size_t i;

	if (px_rules_excluded(p->o->rules, path_of(p, name), true))
		return;
	for (i = 0; i < v->n_entries; i++)
		if (strcmp(v->entries[i].name, name) == 0)
			return;
	v->entries[v->n_entries++] =
		(struct px_entry){name, "", PX_KIND_PYCACHE, NULL};
}

int px_view_new(const struct px_listing *l, const char *dir,
		const struct px_view_options *o, struct px_view **ret)
{
	char cached[NAME_MAX + 1];
	struct place p;
	size_t n_text = 0;
	struct px_view *v;
	/* a source is kept, and its .pyc has a name that is not too long */
	bool kept = false;
	char *text;

	if (place_init(&p, dir, o) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		n_text += 3 * (strlen(l->names[i].name) + 2);
	v = px_view_alloc(n_text, l->n + 1, l->n, l->n);
	if (!v) {
		free(p.path);
		return -ENOMEM;
	}
	if (l->stats) {
		v->stats = calloc(l->n + 1, sizeof(*v->stats));
		if (!v->stats) {
			px_view_unref(v);
			free(p.path);
			return -ENOMEM;
		}
	}
	text = v->text;
	for (size_t i = 0; i < l->n; i++) {
		const struct px_name *e = &l->names[i];
		const char *note;
		enum fate fate = decide(l, &p, e, &note);

		kept |= fate == FATE_KEPT &&
			px_view_cached_name(e->name, o->cache_tag, cached);
		v->n_excluded += fate == FATE_EXCLUDED;
		if (fate != FATE_HIDDEN && fate != FATE_EXCLUDED)
			put_entry(v, &text, e, fate);
		if (note)
			v->notes[v->n_notes++] = (struct px_note){
				.source = put_text(&text, e->name),
				.text = note,
			};
		if (fate == FATE_HIDDEN || fate == FATE_EXCLUDED)
			v->hidden[v->n_hidden++] = (struct px_note){
				.source = note ? v->notes[v->n_notes - 1].source
					       : put_text(&text, e->name),
				.text = why_hidden(e, fate, note),
			};
	}
	if (kept)
		put_pycache(v, &p);
	free(p.path);
	/* Appending "c" changes the order: "a.py" is before "a.py-x", but
	 * "a.pyc" is after it. */
	px_view_sort(v);
	*ret = v;
	return 0;
}

/* As importlib.util.cache_from_source (CPython 3.12,
 * Lib/importlib/_bootstrap_external.py), whose "opt-" part the tag has. */
bool px_view_cached_name(const char *source, const char *cache_tag,
			 char ret[NAME_MAX + 1])
{
	const int stem = (int)strlen(source) - 3;

	return snprintf(ret, NAME_MAX + 1, "%.*s.%s.pyc", stem, source,
			cache_tag) <= NAME_MAX;
}

int px_view_pycache(const struct px_listing *l, const char *dir,
		    const struct px_view_options *o, struct px_view **ret)
{
	const size_t tag = strlen(o->cache_tag);
	char cached[NAME_MAX + 1];
	struct place p;
	struct px_view *v;
	size_t n_text = 0;
	char *text;

	if (place_init(&p, dir, o) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		n_text += 2 * strlen(l->names[i].name) + tag + 8;
	v = px_view_alloc(n_text, l->n, 0, 0);
	for (size_t i = 0; v && i < l->n; i++) {
		const struct px_name *e = &l->names[i];
		struct px_entry *entry = &v->entries[v->n_entries];
		const char *note;

		text = v->text + v->n_text;
		if (decide(l, &p, e, &note) != FATE_KEPT ||
		    !px_view_cached_name(e->name, o->cache_tag, cached))
			continue;
		entry->source = put_text(&text, e->name);
		entry->name = put_text(&text, cached);
		entry->kind = PX_KIND_KEPT;
		v->n_text = (size_t)(text - v->text);
		v->n_entries++;
	}
	free(p.path);
	if (!v)
		return -ENOMEM;
	px_view_sort(v);
	*ret = v;
	return 0;
}
