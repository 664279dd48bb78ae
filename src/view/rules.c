/* SPDX-License-Identifier: MIT */
#include "pycfs/rules.h"

#include "pattern.h"

#include <stdio.h>

struct rule {
	struct px_pattern pattern;
	enum px_rule_verb verb;
	unsigned level;
	bool built_in; /* not the user's */
};

struct px_rules {
	struct rule *rules;
	size_t n;
	bool hides;
};

/* Returns the last rule that says whether `path` itself is shown, or NULL. */
static const struct rule *find_shown(const struct px_rules *r, const char *path,
				     bool is_dir)
{
	const size_t n = strlen(path);
	size_t i;

	for (i = r ? r->n : 0; i > 0; i--) {
		const struct rule *rule = &r->rules[i - 1];

		if ((rule->verb == PX_RULE_EXCLUDE ||
		     rule->verb == PX_RULE_INCLUDE) &&
		    px_pattern_matches(&rule->pattern, path, n, is_dir))
			return rule;
	}
	return NULL;
}

bool px_rules_excluded(const struct px_rules *r, const char *path, bool is_dir)
{
	const struct rule *rule =
		r && r->hides ? find_shown(r, path, is_dir) : NULL;

	return rule && (rule->verb == PX_RULE_EXCLUDE) != rule->pattern.negated;
}

/* Returns the last rule with this verb that applies to `path`, or NULL. */
static const struct rule *find(const struct px_rules *r, enum px_rule_verb verb,
			       const char *path)
{
	size_t i;

	for (i = r ? r->n : 0; i > 0; i--)
		if (r->rules[i - 1].verb == verb &&
		    px_pattern_within(&r->rules[i - 1].pattern, path, false))
			return &r->rules[i - 1];
	return NULL;
}

bool px_rules_keep_source(const struct px_rules *r, const char *path)
{
	const struct rule *rule = find(r, PX_RULE_KEEP_SOURCE, path);

	return rule && !rule->pattern.negated;
}

unsigned px_rules_optimize(const struct px_rules *r, const char *path,
			   unsigned otherwise)
{
	const struct rule *rule = find(r, PX_RULE_OPTIMIZE, path);

	return rule && !rule->pattern.negated ? rule->level : otherwise;
}

bool px_rules_hide(const struct px_rules *r)
{
	return r && r->hides;
}

/* ------------------------------------------------------------- building */

/* Returns the length of a line without its end, as git computes it: a carriage
 * return at the end is removed first, and then the spaces at the end, except
 * for one that a backslash precedes. */
static size_t trimmed_length(const char *p, size_t n)
{
	size_t i, end = 0;

	n -= n > 0 && p[n - 1] == '\r';
	for (i = 0; i < n; i++) {
		if (p[i] == ' ')
			continue;
		i += p[i] == '\\' && i + 1 < n;
		end = i + 1;
	}
	return end;
}

static int add(struct px_rules *r, enum px_rule_verb verb, unsigned level,
	       const char *pattern, size_t n, const char **ret_what)
{
	struct rule rule = {.verb = verb, .level = level};
	struct rule *rules;
	int err = px_pattern_init(&rule.pattern, pattern, n, ret_what);

	rules = err < 0 ? NULL
			: reallocarray(r->rules, r->n + 1, sizeof(*rules));
	if (!rules) {
		px_pattern_fini(&rule.pattern);
		return err < 0 ? err : -ENOMEM;
	}
	r->rules = rules;
	r->rules[r->n++] = rule;
	r->hides |= verb ==
		    (rule.pattern.negated ? PX_RULE_INCLUDE : PX_RULE_EXCLUDE);
	return 0;
}

int px_rules_add(struct px_rules *r, enum px_rule_verb verb, unsigned level,
		 const char *pattern, const char **ret_what)
{
	return add(r, verb, level, pattern,
		   trimmed_length(pattern, strlen(pattern)), ret_what);
}

static const struct {
	const char *name;
	enum px_rule_verb verb;
} verbs[] = {
	{"exclude", PX_RULE_EXCLUDE},
	{"include", PX_RULE_INCLUDE},
	{"keep-source", PX_RULE_KEEP_SOURCE},
	{"optimize", PX_RULE_OPTIMIZE},
};

static size_t blanks(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i;
}

static int parse_line(struct px_rules *r, const char *p, size_t n,
		      const char **ret_what)
{
	unsigned level = 0;
	size_t word, i;

	word = blanks(p, n);
	p += word;
	n = trimmed_length(p, n - word);
	if (n == 0 || *p == '#')
		return 0;
	for (word = 0; word < n && p[word] != ' ' && p[word] != '\t'; word++)
		;
	for (i = 0; i < PX_ARRAY_LEN(verbs); i++)
		if (strlen(verbs[i].name) == word &&
		    memcmp(verbs[i].name, p, word) == 0)
			break;
	if (i == PX_ARRAY_LEN(verbs)) {
		*ret_what = "a rule begins with exclude, include, "
			    "keep-source or optimize";
		return -EINVAL;
	}
	p += word;
	n -= word;
	word = blanks(p, n);
	p += word;
	n -= word;
	if (verbs[i].verb == PX_RULE_OPTIMIZE) {
		if (n < 2 || *p < '0' || *p > '2' ||
		    blanks(p + 1, n - 1) == 0) {
			*ret_what = "optimize needs 0, 1 or 2 and a pattern";
			return -EINVAL;
		}
		level = (unsigned)(*p - '0');
		word = 1 + blanks(p + 1, n - 1);
		p += word;
		n -= word;
	}
	return add(r, verbs[i].verb, level, p, n, ret_what);
}

int px_rules_parse(struct px_rules *r, const char *text, size_t n,
		   size_t *ret_line, const char **ret_what)
{
	static const char bom[] = "\xef\xbb\xbf";
	const size_t n_bom = sizeof(bom) - 1;
	size_t at = 0, line;
	int err;

	/* Some editors put this invisible byte order mark at the start of a
	 * file. */
	if (n >= n_bom && memcmp(text, bom, n_bom) == 0)
		at = n_bom;
	for (line = 1; at < n; line++) {
		const char *end = memchr(text + at, '\n', n - at);
		const size_t len = end ? (size_t)(end - text) - at : n - at;

		if (memchr(text + at, '\0', len)) {
			*ret_what = "a NUL byte: this is no rules file";
			err = -EINVAL;
		} else {
			err = parse_line(r, text + at, len, ret_what);
		}
		if (err < 0) {
			*ret_line = line;
			return err;
		}
		at += len + 1;
	}
	return 0;
}

/* ------------------------------------------------------ a list of the rules */

size_t px_rules_count(const struct px_rules *r)
{
	return r ? r->n : 0;
}

void px_rules_mark_built_in(struct px_rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->rules[i].built_in = true;
}

bool px_rules_is_built_in(const struct px_rules *r, size_t i)
{
	return r->rules[i].built_in;
}

char *px_rules_text(const struct px_rules *r, size_t i)
{
	const struct rule *rule = &r->rules[i];
	const char *verb = "";
	char *text;

	for (size_t k = 0; k < PX_ARRAY_LEN(verbs); k++)
		if (verbs[k].verb == rule->verb)
			verb = verbs[k].name;
	if (rule->verb == PX_RULE_OPTIMIZE)
		return asprintf(&text, "%s %u %s", verb, rule->level,
				rule->pattern.pattern) < 0
			       ? NULL
			       : text;
	return asprintf(&text, "%s %s", verb, rule->pattern.pattern) < 0 ? NULL
									 : text;
}

bool px_rules_matches(const struct px_rules *r, size_t i, const char *path,
		      bool is_dir)
{
	return px_pattern_within(&r->rules[i].pattern, path, is_dir);
}

ssize_t px_rules_decider(const struct px_rules *r, enum px_rule_verb verb,
			 const char *path, bool is_dir)
{
	const bool shown = verb == PX_RULE_EXCLUDE || verb == PX_RULE_INCLUDE;
	const struct rule *rule =
		shown ? find_shown(r, path, is_dir) : find(r, verb, path);

	return rule ? rule - r->rules : -1;
}

int px_rules_append(struct px_rules *r, struct px_rules *more)
{
	struct rule *rules =
		reallocarray(r->rules, r->n + more->n + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	r->rules = rules;
	if (more->n > 0)
		memcpy(rules + r->n, more->rules, more->n * sizeof(*rules));
	r->n += more->n;
	r->hides |= more->hides;
	more->n = 0;
	px_rules_free(more);
	return 0;
}

int px_rules_new(struct px_rules **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

int px_rules_copy(const struct px_rules *r, struct px_rules **ret)
{
	const char *what;
	int err = px_rules_new(ret);

	for (size_t i = 0; r && i < r->n && err == 0; i++) {
		err = px_rules_add(*ret, r->rules[i].verb, r->rules[i].level,
				   r->rules[i].pattern.pattern, &what);
		if (err == 0)
			(*ret)->rules[i].built_in = r->rules[i].built_in;
	}
	return err;
}

void px_rules_free(struct px_rules *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n; i++)
		px_pattern_fini(&r->rules[i].pattern);
	free(r->rules);
	free(r);
}
