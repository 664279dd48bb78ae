/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_SAID_H
#define PX_CONTENT_SAID_H
/*
 * Which messages about which paths were logged already, so that a mount says
 * each of them once, however often the file is looked at.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

struct px_said;

/* What a message is about. Any other number is the tag of a module that does
 * not compile. */
enum px_said_what {
	PX_SAID_NOTE = 1,	  /* px_view_note has something to say of it */
	PX_SAID_OTHER_PYTHON = 2, /* a .pyc that our Python cannot import */
	PX_SAID_BAD_RECORD = 3,	  /* a RECORD that cannot be read */
	PX_SAID_ON_ERROR = 4,	  /* that there is --on-error; path "" */
	PX_SAID_STRAYS = 5,	  /* what is astray in a directory (stray.h) */
	PX_SAID_NOT_STRIPPED = 6, /* a file that a rule strips */
};

int px_said_new(struct px_said **ret); /* -ENOMEM */
void px_said_free(struct px_said *s);  /* NULL is fine */

/* True the first time that `what` is asked about `path`. */
bool px_said_first_time(struct px_said *s, const char *path, uint64_t what);

#endif
