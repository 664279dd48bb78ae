/* SPDX-License-Identifier: MIT */
#ifndef PX_VIEW_PATTERN_H
#define PX_VIEW_PATTERN_H
/*
 * One pattern of .gitignore (git 2.39, gitignore(5)), as rules.h has it.
 *
 * Threads: a pattern that is made may be used by any thread. No I/O.
 */

#include "pycfs/util.h"

/* A segment is the part of a pattern between two slashes, as a NUL-terminated
 * string that still has its backslashes. */
struct px_pattern {
	bool negated;
	bool dir_only;
	bool any_depth; /* the pattern has no slash */
	char first;	/* of every path that it matches; '\0': not known */
	unsigned n_segments;
	char **segments; /* these point into `text` */
	char *text;	 /* the pattern, in pieces */
	char *pattern;	 /* as it was given */
};

/* Makes a pattern of the `n` bytes at `pattern`. Returns 0; -EINVAL with the
 * reason in *ret_what, a static string; -ENOMEM. Call px_pattern_fini in any
 * case. `r` has to be zeroed. */
int px_pattern_init(struct px_pattern *r, const char *pattern, size_t n,
		    const char **ret_what);
void px_pattern_fini(struct px_pattern *r);

/* Whether it matches the first `n` bytes of `path`, as they are. */
bool px_pattern_matches(const struct px_pattern *r, const char *path, size_t n,
			bool is_dir);
/* Whether it matches `path` or a directory above it. */
bool px_pattern_within(const struct px_pattern *r, const char *path,
		       bool is_dir);

/* The directory, or the file, that all it matches lies in or is, as far as the
 * pattern names it, "" for none, in a new string, which the caller frees.
 * NULL: out of memory. */
char *px_pattern_place(const struct px_pattern *r);

#endif
