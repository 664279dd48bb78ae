/* SPDX-License-Identifier: MIT */
#ifndef PX_STRAY_H
#define PX_STRAY_H
/*
 * What SOURCE relies on and the view does not ship, or ships in another way
 * than its user may think: modules lost to links, .pth files and editable
 * installs that lead elsewhere, archives with sources, and more. It is looked
 * for directory by directory, and collected.
 *
 * Threads: any may add to a collection; one reads it, when all have added.
 * px_strays_look blocks while the file system does.
 */

#include "pycfs/view.h"

/* In the order in which they are told. */
enum px_stray_kind {
	PX_STRAY_LOST, /* a module, or a directory with modules, to a link */
	PX_STRAY_PTH,  /* a line of a .pth that leads out of SOURCE */
	PX_STRAY_EGG_LINK, /* an .egg-link */
	PX_STRAY_EDITABLE, /* a finder, or metadata, of an editable install */
	PX_STRAY_ARCHIVE,  /* a zip with Python sources in it */
	PX_STRAY_SCRIPT,   /* X.py that stays a source because it is a script */
	PX_STRAY_APPLICATION, /* .git and the like at the top */
	PX_STRAY_MODE,	      /* may not be read by all, as the others may */
	PX_STRAY_LINK,	      /* a link to other data that leads elsewhere */
	PX_N_STRAYS,
};

struct px_stray {
	enum px_stray_kind kind;
	char *path; /* in SOURCE */
	char *text; /* what there is to say of it; may be "" */
};

struct px_strays;

int px_strays_new(struct px_strays **ret); /* -ENOMEM */
void px_strays_free(struct px_strays *s);  /* NULL is fine */

/* Adds what is found in the directory `dir`: `l` is its listing, marked
 * (mark.h), and `v` the view made of it. With `modes`, and if the listing has
 * attributes, modes are looked at. What cannot be read is passed over. Returns
 * 0 or -ENOMEM. */
int px_strays_look(struct px_strays *s, struct px_tree *t, const char *dir,
		   const struct px_listing *l, const struct px_view *v,
		   bool modes);

/* How many there are of a kind. Of those only the first 1000 that were found
 * are kept. */
size_t px_strays_count(const struct px_strays *s, enum px_stray_kind kind);

/* Returns those that are kept, by kind and path. *ret_n is their number. They
 * belong to the collection. */
const struct px_stray *px_strays_all(struct px_strays *s, size_t *ret_n);

/* A word for the kind, for machines, such as "pth". */
const char *px_stray_name(enum px_stray_kind kind);
/* What `n` of the kind are, such as "lines of .pth files lead out of SOURCE",
 * and what can be done about it. Static strings. */
const char *px_stray_what(enum px_stray_kind kind, size_t n);
const char *px_stray_remedy(enum px_stray_kind kind);

/* Returns a sentence on all of a kind, with their number and the first ones, or
 * NULL if there are none or memory is out. The caller frees it. */
char *px_strays_sentence(struct px_strays *s, enum px_stray_kind kind);

/* Logs such a sentence for each kind, as a warning; modules that are lost are
 * an error unless `may_lose`. */
void px_strays_log(struct px_strays *s, bool may_lose);

#endif
