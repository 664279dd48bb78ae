/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_ENTRY_POINTS_H
#define PX_VIEW_ENTRY_POINTS_H
/*
 * Reads entry_points.txt (PyPA specification "Entry points specification"): the
 * programs in it. The text comes from anybody, and what is returned becomes
 * Python source, so that only names and dots are let through.
 *
 * Threads: any. Works on memory and never blocks.
 */

#include "pycfs/util.h"

/* Initialise `data` and `size` (bytes) with the text, which must outlive the
 * reader. */
struct px_entry_points {
	const char *data;
	size_t size;
	size_t at;
	bool in_scripts;
};

/* One program: strings with a NUL at their end. */
struct px_entry_point {
	struct px_buf name;
	struct px_buf module; /* "gunicorn.app.wsgiapp" */
	struct px_buf object; /* "run", or "Class.method" */
};

/* The next program of [console_scripts] or [gui_scripts]: 1 with the strings in
 * *ret, whose buffers are reused; 0: no more; -EBADMSG: a line that stands for
 * no program, whose name, as far as it has one, is in ret->name; the next call
 * goes on behind it; -ENOMEM. */
int px_entry_points_next(struct px_entry_points *r, struct px_entry_point *ret);
void px_entry_point_fini(struct px_entry_point *p);

#endif
