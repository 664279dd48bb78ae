/* SPDX-License-Identifier: MIT */
/*
 * What each rule does: the files that it decides about, and whether it matches
 * anything at all.
 */
#include "report_i.h"

/* Adds a file to the rule that decides `verb` for it. */
static void count(struct px_report *r, const struct px_report_options *o,
		  enum px_rule_verb verb, const char *path, bool is_dir,
		  uint64_t files, uint64_t bytes)
{
	const ssize_t i = px_rules_decider(o->rules, verb, path, is_dir);

	if (i >= 0) {
		r->rules[i].files += files;
		r->rules[i].bytes += bytes;
	}
}

static void count_file(struct px_report *r, const struct px_report_options *o,
		       const struct px_report_file *f)
{
	if (f->kind == PX_KIND_MODULE)
		count(r, o,
		      f->uses_docs && px_rules_keep_docs(o->rules, f->source)
			      ? PX_RULE_KEEP_DOCS
			      : PX_RULE_OPTIMIZE,
		      f->source, false, 1, f->bytes);
	if (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT)
		count(r, o, PX_RULE_LOCAL, f->source, false, 1, f->bytes);
	if (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT)
		count(r, o, PX_RULE_KEEP_SOURCE, f->source, false, 1, f->bytes);
	if (f->kind == PX_KIND_FILE)
		count(r, o, PX_RULE_STRIP, f->source, false, 1, f->bytes);
	count(r, o, PX_RULE_INCLUDE, f->source, false, 1, f->bytes);
}

static bool matches_any(const struct px_report *r,
			const struct px_report_options *o, size_t rule)
{
	size_t i;

	for (i = 0; i < r->n_files; i++)
		if (px_rules_matches(o->rules, rule, r->files[i].source, false))
			return true;
	for (i = 0; i < r->n_hidden; i++)
		if (px_rules_matches(o->rules, rule, r->hidden[i].path,
				     r->hidden[i].is_dir))
			return true;
	return false;
}

int px_report_use_rules(struct px_report *r, const struct px_report_options *o)
{
	const size_t n = px_rules_count(o->rules);
	size_t i;

	r->rules = calloc(n + 1, sizeof(*r->rules));
	if (!r->rules)
		return -ENOMEM;
	for (; r->n_rules < n; r->n_rules++) {
		struct px_report_rule *rule = &r->rules[r->n_rules];

		rule->text = px_rules_text(o->rules, r->n_rules);
		if (!rule->text)
			return -ENOMEM;
		rule->built_in = px_rules_is_built_in(o->rules, r->n_rules);
	}
	for (i = 0; n > 0 && i < r->n_files; i++)
		count_file(r, o, &r->files[i]);
	for (i = 0; n > 0 && i < r->n_hidden; i++)
		count(r, o, PX_RULE_EXCLUDE, r->hidden[i].path,
		      r->hidden[i].is_dir, r->hidden[i].files,
		      r->hidden[i].bytes);
	for (i = 0; i < n; i++)
		r->rules[i].matches =
			r->rules[i].files > 0 ||
			(!r->rules[i].built_in && matches_any(r, o, i));
	return 0;
}
