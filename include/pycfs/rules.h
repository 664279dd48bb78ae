/* SPDX-License-Identifier: MIT */
#ifndef PX_RULES_H
#define PX_RULES_H
/*
 * What the user wants of which path. A rule is a verb and a pattern; the last
 * rule that matches decides, for each of three questions apart:
 *
 *   exclude P, include P    is it shipped?
 *   keep-source P           does X.py stay X.py?
 *   optimize N P            compiled at which level?
 *
 * Patterns are those of .gitignore (git 2.39, gitignore(5)), matched against
 * names in SOURCE:
 *
 *   *.pyi        a name, at any depth
 *   /a/b, a/b    a path from SOURCE on: there is a slash before the last byte
 *   tests/       a directory only
 *   ** between slashes, at the start or at the end: any directories
 *   * ? [a-z] [!a-z] [[:alpha:]]   within a name
 *   \            makes the next byte literal
 *   !P           turns the verb around: not excluded, source not kept, level
 *                back to the default
 *
 * As with git, what lies in an excluded directory is out, whatever later rules
 * say of it. A rule of the other verbs that matches a directory holds for
 * everything in it.
 *
 * A rules file has one rule a line; empty lines and lines that begin with #
 * are comments. The blanks between a verb and its pattern separate them and
 * the spaces at the end of a line are dropped: a backslash goes before a
 * blank that belongs to the pattern. Bytes in, answers out: no disk.
 * Threads: any, once built.
 */

#include "pycfs/util.h"

struct px_rules;

enum px_rule_verb {
	PX_RULE_EXCLUDE,
	PX_RULE_INCLUDE,
	PX_RULE_KEEP_SOURCE,
	PX_RULE_OPTIMIZE,
};

/* -ENOMEM. */
int px_rules_new(struct px_rules **ret);
/* Puts the rules of `more` behind those of `r`, and frees `more`. -ENOMEM:
 * nothing happened. */
int px_rules_append(struct px_rules *r, struct px_rules *more);
void px_rules_free(struct px_rules *r); /* NULL is fine */

/* Adds a rule behind all others. `level` counts for OPTIMIZE only. -EINVAL and
 * a static sentence in *ret_what for a pattern that is none; -ENOMEM. */
int px_rules_add(struct px_rules *r, enum px_rule_verb verb, unsigned level,
		 const char *pattern, const char **ret_what);

/* Adds the rules of a file's text, `n` bytes. -EINVAL with the line (from 1)
 * and what is wrong with it; rules before it stay. -ENOMEM. */
int px_rules_parse(struct px_rules *r, const char *text, size_t n,
		   size_t *ret_line, const char **ret_what);

/* Answers about `path`, relative to SOURCE. `r` may be NULL: no rules. */

/* Only about this path itself; its directories are asked apart. */
bool px_rules_excluded(const struct px_rules *r, const char *path, bool is_dir);
bool px_rules_keep_source(const struct px_rules *r, const char *path);
unsigned px_rules_optimize(const struct px_rules *r, const char *path,
			   unsigned otherwise);

/* Whether any rule could hide anything. */
bool px_rules_hide(const struct px_rules *r);

#endif
