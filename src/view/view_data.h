/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_VIEW_DATA_H
#define PX_VIEW_VIEW_DATA_H
/*
 * What a view is made of, for view.c, which fills it.
 */

#include "pycfs/view.h"

#include <stdatomic.h>

struct px_view {
	_Atomic unsigned refs;
	/* A derived view borrows the strings of this one and holds a reference
	 * to it; NULL if the view is not derived. */
	struct px_view *base;
	char *text;
	struct px_entry *entries;
	size_t n_entries;
	struct px_stat *stats; /* what entries' `st` points to, or NULL */
	size_t n_stats;
	struct px_note *notes;
	size_t n_notes;
	struct px_note *hidden;
	size_t n_hidden;
	size_t n_excluded;
	size_t n_text; /* bytes of `text` in use; see px_view_pycache */
};

/* Returns a view with one reference, no entries, and room for that much, or
 * NULL if out of memory. `n_text` is in bytes. */
struct px_view *px_view_alloc(size_t n_text, size_t n_entries, size_t n_notes,
			      size_t n_hidden);

/* Puts the entries in byte order of their names. */
void px_view_sort(struct px_view *v);

#endif
