/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_H
#define PX_VIEW_H
/*
 * How a directory of the source is presented: which entries the view of it has,
 * computed from a listing of the directory and from the user's rules. This
 * module does no I/O, reads no clock and has no global state.
 *
 *   entry of the source                    in the view
 *   excluded by a rule                     hidden
 *   __pycache__/, *.pyo                    hidden
 *   X.py, a file or a symlink to one       X.pyc, a compiled module
 *     that is inside SOURCE
 *   X.py whose source a rule keeps         X.py, and __pycache__/X.TAG.pyc
 *   X.pyc, a file, if X.py is there        hidden, even if X.py is kept or
 *                                            excluded: stale or redundant
 *   X.pyc, a file, without an X.py         as it is (a sourceless module)
 *   X.pyc, not a file, if X.py becomes     hidden, with a note
 *     X.pyc
 *   device, socket, fifo                   hidden, with a note
 *   another pycfs mount                    hidden, with a note
 *   X.py whose X.pyc would be longer than  X.py as it is, with a note
 *     NAME_MAX
 *   D.dist-info/RECORD                     a RECORD of what the view has
 *   RECORD.jws, RECORD.p7s next to it      hidden: they sign the original
 *   X.py that is marked as a script        as it is, with a note
 *   any other symlink, file, directory     as it is
 *
 * Threads: any. Reference counts are atomic, and a view does not change once it
 * has been returned. No function here blocks.
 */

#include "pycfs/rules.h"
#include "pycfs/tree.h"

#include <limits.h>

enum px_kind {
	PX_KIND_DIR,
	PX_KIND_FILE,	/* the file of the source, unchanged */
	PX_KIND_LINK,	/* a symlink, unchanged */
	PX_KIND_MODULE, /* generated: the .pyc compiled from `source` */
	PX_KIND_RECORD, /* generated from `source`, a RECORD */
	/* The generated __pycache__ of a directory in which rules keep sources.
	 * `source` is "", because the path of this entry in SOURCE is that of
	 * the directory itself. */
	PX_KIND_PYCACHE,
	/* Generated, in that __pycache__: the .pyc compiled from a kept
	 * `source`, which Python does not check against the times of the
	 * source. */
	PX_KIND_KEPT,
};

static inline bool px_kind_is_dir(enum px_kind k)
{
	return k == PX_KIND_DIR || k == PX_KIND_PYCACHE;
}

/* Whether pycfs generates the bytes of such an entry. Finding out its size may
 * then take a compilation. */
static inline bool px_kind_is_made(enum px_kind k)
{
	return k == PX_KIND_MODULE || k == PX_KIND_KEPT || k == PX_KIND_RECORD;
}

struct px_entry {
	const char *name;   /* its name in the view */
	const char *source; /* name of its source file */
	enum px_kind kind;
	/* Attributes of the entry `source` from the listing; NULL if the
	 * listing had none, or if `source` is a symlink to a file. */
	const struct px_stat *st;
};

/* A message for the user about an entry of the source. */
struct px_note {
	const char *source;
	const char *text; /* a static string */
};

struct px_view;

struct px_view_options {
	const struct px_rules *rules; /* NULL if there are none */
	/* Of the names in __pycache__: "cpython-312", or "cpython-312.opt-2"
	 * for an interpreter with -OO. */
	const char *cache_tag;
};

/* Computes the view of the directory `dir` (a path relative to SOURCE) from its
 * listing `l`. Both may be freed afterwards. *ret has one reference, which the
 * caller owns. Returns 0 or -ENOMEM. */
int px_view_new(const struct px_listing *l, const char *dir,
		const struct px_view_options *o, struct px_view **ret);
/* Computes in the same way the view of the generated __pycache__ of `dir`, from
 * the listing of `dir`. */
int px_view_pycache(const struct px_listing *l, const char *dir,
		    const struct px_view_options *o, struct px_view **ret);
/* Writes into `ret` the name that the .pyc of `source` (X.py) has in
 * __pycache__: X.TAG.pyc. Returns false if that is longer than NAME_MAX; then
 * there is no such .pyc. */
bool px_view_cached_name(const char *source, const char *cache_tag,
			 char ret[NAME_MAX + 1]);
struct px_view *px_view_ref(struct px_view *v);
void px_view_unref(struct px_view *v); /* NULL is fine */

/* The entries of a view, in byte order of their names in the view. They belong
 * to the view. */
size_t px_view_count(const struct px_view *v);
const struct px_entry *px_view_at(const struct px_view *v, size_t i);
/* Returns the entry with this name in the view, or NULL if there is none. */
const struct px_entry *px_view_find(const struct px_view *v, const char *name);
/* Returns the module entry that the source file named `source` has become, or
 * NULL if it has not become a module. */
const struct px_entry *px_view_find_source(const struct px_view *v,
					   const char *source);

/* The number of entries that rules exclude. */
size_t px_view_n_excluded(const struct px_view *v);

/* The notes: messages about entries that the user may not expect. */
size_t px_view_n_notes(const struct px_view *v);
const struct px_note *px_view_note(const struct px_view *v, size_t i);

/* Every entry of the source that is not in the view, with the reason. */
size_t px_view_n_hidden(const struct px_view *v);
const struct px_note *px_view_hidden(const struct px_view *v, size_t i);

/* What to do with a module that does not compile. */
enum px_on_error {
	PX_ON_ERROR_FAIL,   /* keep it listed; stat and open fail with EIO */
	PX_ON_ERROR_SOURCE, /* show its source X.py instead */
	PX_ON_ERROR_OMIT,   /* do not list it */
};

/* Derives the view in which modules that do not compile have been treated as
 * `how` says; rejected[i] is true for each such entry i of `v`. This cannot
 * cause a name collision: a source shown as X.py has no rival, because no other
 * entry of the directory can be called X.py. *ret has one reference, which the
 * caller owns. Returns 0 or -ENOMEM. */
int px_view_apply_verdicts(const struct px_view *v, const bool *rejected,
			   enum px_on_error how, struct px_view **ret);
/* Derives the view without the entries i for which gone[i] is true: directories
 * in which the rules exclude everything. *ret has one reference, which the
 * caller owns. Returns 0 or -ENOMEM. */
int px_view_without(const struct px_view *v, const bool *gone,
		    struct px_view **ret);

#endif
