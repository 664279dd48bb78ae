/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_H
#define PX_VIEW_H
/*
 * What a directory of the source looks like in the view, in both directions,
 * worked out from one listing. Pure: no I/O, no clock, no globals.
 *
 *   what the rules exclude                 hidden
 *   __pycache__/, *.pyo                    hidden
 *   X.py, a file or a link to one inside   X.pyc, a module
 *   the same, its source kept by a rule    X.py, and __pycache__/X.TAG.pyc
 *   X.pyc beside such an X.py              hidden, even if X.py is kept or
 *                                          excluded: stale or redundant
 *   X.pyc alone                            itself (a sourceless module)
 *   X.pyc that is no file, X.py a module   hidden, with a note
 *   device, socket, fifo                   hidden, with a note
 *   X.py whose X.pyc would pass NAME_MAX   itself, with a note
 *   D.dist-info/RECORD                     a list of what the view has
 *   RECORD.jws, RECORD.p7s beside it       hidden: signatures of another
 *   any other symlink, file or directory   itself
 *
 * Threads: a view never changes once made; reference counts are atomic.
 */

#include "pycfs/rules.h"
#include "pycfs/tree.h"

#include <limits.h>

enum px_kind {
	PX_KIND_DIR,
	PX_KIND_FILE,	/* the source's bytes, unchanged */
	PX_KIND_LINK,	/* a symlink, unchanged */
	PX_KIND_MODULE, /* compiled from `source` */
	PX_KIND_RECORD, /* made of `source`, a RECORD */
	/* The __pycache__ of a directory whose rules keep sources; `source` is
	 * "", because its path is that directory's. */
	PX_KIND_PYCACHE,
	/* In there: compiled from `source`, valid whatever its times are. */
	PX_KIND_KEPT,
};

static inline bool px_kind_is_dir(enum px_kind k)
{
	return k == PX_KIND_DIR || k == PX_KIND_PYCACHE;
}

/* Whether its bytes are made by us, so that asking for its size is work. */
static inline bool px_kind_is_made(enum px_kind k)
{
	return k == PX_KIND_MODULE || k == PX_KIND_KEPT || k == PX_KIND_RECORD;
}

struct px_entry {
	const char *name;   /* as shipped */
	const char *source; /* its name in the source directory */
	enum px_kind kind;
	/* Of that name itself, as the listing had it; NULL: not known. */
	const struct px_stat *st;
};

/* Something about a source name that the user should know of. */
struct px_note {
	const char *source;
	const char *text; /* static */
};

struct px_view;

struct px_view_options {
	const struct px_rules *rules; /* NULL: none */
	const char *cache_tag;	      /* "cpython-312": of generated .pyc */
};

/* The view of `l`, a listing of directory `dir`; both may be freed afterwards.
 * -ENOMEM. */
int px_view_new(const struct px_listing *l, const char *dir,
		const struct px_view_options *o, struct px_view **ret);
/* What the generated __pycache__ of that directory has in it. */
int px_view_pycache(const struct px_listing *l, const char *dir,
		    const struct px_view_options *o, struct px_view **ret);
/* The name in there of what is compiled from X.py: X.TAG.pyc. False if that is
 * too long for a name: then there is none. */
bool px_view_cached_name(const char *source, const char *cache_tag,
			 char ret[NAME_MAX + 1]);
struct px_view *px_view_ref(struct px_view *v);
void px_view_unref(struct px_view *v); /* NULL is fine */

/* Entries in byte order of their shipped names. */
size_t px_view_count(const struct px_view *v);
const struct px_entry *px_view_at(const struct px_view *v, size_t i);
/* By shipped name; NULL if the view has none. */
const struct px_entry *px_view_find(const struct px_view *v, const char *name);
/* The module that the source file `source` became; NULL if none did. */
const struct px_entry *px_view_find_source(const struct px_view *v,
					   const char *source);

/* Names that rules have hidden. */
size_t px_view_n_excluded(const struct px_view *v);

size_t px_view_n_notes(const struct px_view *v);
const struct px_note *px_view_note(const struct px_view *v, size_t i);

/* Every name of the source that is not in the view, and why. */
size_t px_view_n_hidden(const struct px_view *v);
const struct px_note *px_view_hidden(const struct px_view *v, size_t i);

/* What becomes of a module that does not compile. */
enum px_on_error {
	PX_ON_ERROR_FAIL,   /* stays listed; stat and open give EIO */
	PX_ON_ERROR_SOURCE, /* shipped as X.py */
	PX_ON_ERROR_OMIT,   /* not listed */
};

/* The view with each module i for which rejected[i] is true treated as `how`
 * says. A source that would collide with a shipped name keeps its place: no
 * such name can be there, because X.py itself is in the source. */
int px_view_apply_verdicts(const struct px_view *v, const bool *rejected,
			   enum px_on_error how, struct px_view **ret);
/* The view without each entry i for which gone[i] is true: a directory that
 * exclusion leaves empty. */
int px_view_without(const struct px_view *v, const bool *gone,
		    struct px_view **ret);

#endif
