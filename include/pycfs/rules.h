/* SPDX-License-Identifier: MIT */
#ifndef PX_RULES_H
#define PX_RULES_H
/*
 * The user's rules: which paths are shown, which sources are kept, how modules
 * are optimised, and which libraries are stripped. A rule is a verb and a
 * pattern. For each of these questions the last rule that matches a path
 * decides:
 *
 *   exclude P, include P    is the path shown?
 *   keep-source P           does X.py stay X.py?
 *   optimize N P            at which level is X.py compiled?
 *   keep-docs P             is that level 1 at most if X.py has the word
 *                           __doc__, unless a later "optimize" applies?
 *   local P                 does what X.py is compiled to stay on this machine?
 *   strip P, no-strip P     is an ELF file stripped of its symbols?
 *
 * Patterns are those of .gitignore (git 2.39, gitignore(5)), matched against
 * paths in SOURCE:
 *
 *   *.pyi        without a slash: a name, in any directory
 *   /a/b, a/b    with a slash before the last byte: a path from SOURCE on
 *   tests/       with a slash at the end: directories only
 *   ** between slashes, at the start or at the end: any number of directories
 *   * ? [a-z] [!a-z] [[:alpha:]]   match within a name
 *   \            makes the next byte literal
 *   !P           reverses the verb: the path is not excluded, its source is
 *                not kept, its level is the default again, or does not depend
 *                on a word in it, it is shared, or not stripped
 *
 * As in git, everything in an excluded directory is excluded, whatever later
 * rules say. A rule with another verb that matches a directory applies to
 * everything in it.
 *
 * A pattern may have a condition behind it, after a blank:
 *
 *   P if numpy >= 1.24, < 2.0
 *
 * The rule is there if that distribution is installed in such a version, as PEP
 * 440 orders versions, or is not installed, or nobody knows its version.
 *
 * A rules file has one rule per line; empty lines and lines that begin with #
 * are comments. Blanks separate the verb from its pattern, and spaces at the
 * end of a line are removed. A blank that belongs to the pattern needs a
 * backslash in front of it.
 *
 * Threads: rules that are no longer changed may be used by any thread. This
 * module does no I/O and never blocks.
 */

#include "pycfs/buf.h"
#include "pycfs/util.h"

struct px_rules;

enum px_rule_verb {
	PX_RULE_EXCLUDE,
	PX_RULE_INCLUDE,
	PX_RULE_KEEP_SOURCE,
	PX_RULE_OPTIMIZE,
	PX_RULE_KEEP_DOCS,
	PX_RULE_LOCAL, /* no remote store is asked for it, or given it */
	PX_RULE_STRIP,
	PX_RULE_NO_STRIP,
};

/* Creates an empty list of rules, which the caller frees. Returns 0 or
 * -ENOMEM. */
int px_rules_new(struct px_rules **ret);
/* Creates a list with the rules of `r`, which may be NULL. The caller frees it
 * in any case. Returns 0 or -ENOMEM. */
int px_rules_copy(const struct px_rules *r, struct px_rules **ret);
/* Appends the rules of `more` to `r` and frees `more`. Returns 0, or -ENOMEM,
 * and then neither has changed. */
int px_rules_append(struct px_rules *r, struct px_rules *more);
void px_rules_free(struct px_rules *r); /* NULL is fine */

/* Appends a rule. `level` (0, 1 or 2) is used with PX_RULE_OPTIMIZE only.
 * Returns 0; -EINVAL if the pattern is invalid, with the reason in *ret_what (a
 * static string); -ENOMEM. */
int px_rules_add(struct px_rules *r, enum px_rule_verb verb, unsigned level,
		 const char *pattern, const char **ret_what);

/* Adds the `n` bytes of a path to a pattern, so that they stand for themselves.
 * Returns 0 or an error of px_buf_add. */
int px_rules_put_path(struct px_buf *pattern, const char *path, size_t n);

/* Appends the rules in the text of a rules file (`n` bytes). Returns 0; -EINVAL
 * with the line (from 1) in *ret_line and the reason in *ret_what (a static
 * string), and then the rules before that line have been appended; -ENOMEM. */
int px_rules_parse(struct px_rules *r, const char *text, size_t n,
		   size_t *ret_line, const char **ret_what);

/* The functions below answer questions about `path`, which is relative to
 * SOURCE. If `r` is NULL, there are no rules. */

/* Whether a rule excludes this path itself. The caller has to ask about the
 * directories above it separately. px_rules_keep_source and px_rules_optimize
 * take the directories into account; the latter returns `otherwise` if no rule
 * applies. */
bool px_rules_excluded(const struct px_rules *r, const char *path, bool is_dir);
bool px_rules_keep_source(const struct px_rules *r, const char *path);
bool px_rules_is_local(const struct px_rules *r, const char *path);
/* `otherwise` if no rule says whether it is stripped. */
bool px_rules_strip(const struct px_rules *r, const char *path, bool otherwise);
unsigned px_rules_optimize(const struct px_rules *r, const char *path,
			   unsigned otherwise);
/* Both px_rules_optimize and px_rules_keep_docs. */
unsigned px_rules_level(const struct px_rules *r, const char *path,
			unsigned otherwise, bool *ret_keep_docs);
/* Whether the level of `path` is 1 at most if px_uses_docs() of its source. */
bool px_rules_keep_docs(const struct px_rules *r, const char *path);
/* Whether the word __doc__ stands anywhere in `n` bytes of source: the module
 * may compute with its docstrings, which level 2 removes. */
bool px_uses_docs(const void *source, size_t n);

/* Whether there is a rule that can exclude anything. */
bool px_rules_hide(const struct px_rules *r);
/* Whether there is a rule by which something is stripped. */
bool px_rules_strip_any(const struct px_rules *r);

/* A distribution that is installed in SOURCE, as its metadata calls it. */
struct px_installed {
	const char *name;    /* in any spelling */
	const char *version; /* as PEP 440 has it, or any other text */
};
/* Removes the rules whose condition does not hold, and those of pycfs itself
 * that would not lower the level `optimize`. There are `n` distributions. */
void px_rules_settle(struct px_rules *r, const struct px_installed *installed,
		     size_t n, unsigned optimize);

/* The rules themselves, in their order, for a list of what each of them does.
 * `i` is less than px_rules_count; no rules (NULL) are 0. */
size_t px_rules_count(const struct px_rules *r);
/* Says that the rules so far are pycfs's own, and not the user's. */
void px_rules_mark_built_in(struct px_rules *r);
bool px_rules_is_built_in(const struct px_rules *r, size_t i);
/* Writes rule `i` as a line of a rules file, without a line feed, into a new
 * string, which the caller frees. NULL: out of memory. */
char *px_rules_text(const struct px_rules *r, size_t i);
/* What rule `i` is about. The level is that of PX_RULE_OPTIMIZE. */
enum px_rule_verb px_rules_verb(const struct px_rules *r, size_t i,
				unsigned *ret_level);
/* The file or directory that all lies in that rule `i` can match, a path from
 * SOURCE on, "" if that is all of SOURCE, in a new string, which the caller
 * frees. NULL: out of memory. */
char *px_rules_place(const struct px_rules *r, size_t i);
/* Whether the pattern of rule `i` matches `path` or a directory above it. */
bool px_rules_matches(const struct px_rules *r, size_t i, const char *path,
		      bool is_dir);
/* The rule that decides the question of `verb` (include: the one of exclude;
 * no-strip: the one of strip) for `path`, as the functions above do: its index,
 * or -1 for none. */
ssize_t px_rules_decider(const struct px_rules *r, enum px_rule_verb verb,
			 const char *path, bool is_dir);

#endif
