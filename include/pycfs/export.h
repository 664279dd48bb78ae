/* SPDX-License-Identifier: MIT */
#ifndef PX_EXPORT_H
#define PX_EXPORT_H
/*
 * Writes what the view shows, all of it, into a sink: the same names, bytes
 * and attributes as a mount has, in byte order of their paths. One thread
 * walks and asks, the workers compile, and the caller's writes; what waits to
 * be written is bounded.
 *
 * A module that does not compile ends the writing, not the walk: all such
 * modules are in the summary.
 */

#include "pycfs/sink.h"
#include "pycfs/stats.h"

struct px_export_progress {
	uint64_t files; /* written so far; not directories */
	uint64_t bytes; /* in them */
};

struct px_export_options {
	struct px_content *content;
	struct px_tree *tree;
	struct px_sink *sink;
	const char *dest;	/* the sink's name, for messages */
	unsigned jobs;		/* compile processes there are */
	const char *prefix_dir; /* where in the sink; "" for none */
	bool hardlink_dupes;	/* equal files become one */
	/* Called often, from the caller's thread, also while nothing happens;
	 * false ends the export with -ECANCELED. */
	bool (*tick)(void *arg, const struct px_export_progress *p);
	/* Called once an error has ended the writing: what is still being
	 * compiled is not wanted any more. */
	void (*give_up)(void *arg);
	void *tick_arg; /* of both */
};

/* A module that did not compile. */
struct px_export_fault {
	struct px_export_fault *next; /* in the order of their paths */
	struct px_blob *why;	      /* kind, line, column, message */
	char path[];		      /* of the source */
};

/* What one name at the top of the view amounts to. */
struct px_export_part {
	char *name;
	uint64_t files;
	uint64_t bytes;
};

struct px_export_summary {
	struct px_export_progress total;
	uint64_t dirs;
	uint64_t links;
	uint64_t hardlinks;
	struct px_export_part *parts;
	size_t n_parts;
	struct px_export_fault *faults;
	size_t n_faults;
};

/*
 * 0: all of it is written. -ENOEXEC: modules do not compile, see the summary.
 * -ECANCELED: tick said so, or the pool was stopped. Else -errno, with a
 * sentence in `why`, as with all of these. Call px_export_summary_fini in any
 * case. Blocks until done.
 */
int px_export(const struct px_export_options *o, struct px_export_summary *ret,
	      struct px_why *why);
void px_export_summary_fini(struct px_export_summary *s);

/* 0 if `dir` is fit to be px_export_options.prefix_dir: relative, no empty
 * names, no "." and "..". */
int px_export_check_prefix(const char *dir);

#endif
