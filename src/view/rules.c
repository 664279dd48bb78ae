/* SPDX-License-Identifier: MIT */
#include "pycfs/rules.h"

#include "condition.h"
#include "pattern.h"

#include <stdio.h>

struct rule {
	struct px_pattern pattern;
	enum px_rule_verb verb;
	unsigned level;
	bool built_in;	 /* not the user's */
	char *condition; /* NULL: none */
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

/* Two verbs answer one question: one of them stands for it. */
static enum px_rule_verb question_of(enum px_rule_verb verb)
{
	return verb == PX_RULE_NO_STRIP ? PX_RULE_STRIP : verb;
}

/* Returns the last rule with this verb, or the contrary one, that applies to
 * `path`, or NULL. */
static const struct rule *find(const struct px_rules *r, enum px_rule_verb verb,
			       const char *path)
{
	size_t i;

	for (i = r ? r->n : 0; i > 0; i--)
		if (question_of(r->rules[i - 1].verb) == question_of(verb) &&
		    px_pattern_within(&r->rules[i - 1].pattern, path, false))
			return &r->rules[i - 1];
	return NULL;
}

/* Whether the last rule with this verb that applies to `path` says yes. */
static bool holds(const struct px_rules *r, enum px_rule_verb verb,
		  const char *path)
{
	const struct rule *rule = find(r, verb, path);

	return rule && !rule->pattern.negated;
}

bool px_rules_keep_source(const struct px_rules *r, const char *path)
{
	return holds(r, PX_RULE_KEEP_SOURCE, path);
}

bool px_rules_is_local(const struct px_rules *r, const char *path)
{
	return holds(r, PX_RULE_LOCAL, path);
}

unsigned px_rules_level(const struct px_rules *r, const char *path,
			unsigned otherwise, bool *ret_keep_docs)
{
	bool decided = false;
	size_t i;

	*ret_keep_docs = false;
	for (i = r ? r->n : 0; i > 0; i--) {
		const struct rule *rule = &r->rules[i - 1];

		if ((rule->verb != PX_RULE_OPTIMIZE &&
		     (rule->verb != PX_RULE_KEEP_DOCS || decided)) ||
		    !px_pattern_within(&rule->pattern, path, false))
			continue;
		if (rule->verb == PX_RULE_OPTIMIZE)
			return rule->pattern.negated ? otherwise : rule->level;
		decided = true;
		*ret_keep_docs = !rule->pattern.negated;
	}
	return otherwise;
}

unsigned px_rules_optimize(const struct px_rules *r, const char *path,
			   unsigned otherwise)
{
	bool unused;

	return px_rules_level(r, path, otherwise, &unused);
}

bool px_rules_keep_docs(const struct px_rules *r, const char *path)
{
	bool keep;

	px_rules_level(r, path, 0, &keep);
	return keep;
}

bool px_uses_docs(const void *source, size_t n)
{
	static const char word[] = "__doc__";

	return n > 0 && memmem(source, n, word, strlen(word));
}

/* Whether a rule that applies says that the file is stripped. */
static bool strips(const struct rule *rule)
{
	return (rule->verb == PX_RULE_STRIP) != rule->pattern.negated;
}

bool px_rules_strip(const struct px_rules *r, const char *path, bool otherwise)
{
	const struct rule *rule = find(r, PX_RULE_STRIP, path);

	return rule ? strips(rule) : otherwise;
}

bool px_rules_strip_any(const struct px_rules *r)
{
	for (size_t i = 0; r && i < r->n; i++)
		if (question_of(r->rules[i].verb) == PX_RULE_STRIP &&
		    strips(&r->rules[i]))
			return true;
	return false;
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

static void rule_fini(struct rule *rule)
{
	px_pattern_fini(&rule->pattern);
	free(rule->condition);
}

/* Where in the `n` bytes of a pattern the " if " of a condition is; NULL: it
 * has none. What has no operator behind it belongs to the name of a file. */
static const char *find_condition(const char *pattern, size_t n)
{
	static const char word[] = "if";

	for (size_t i = n; i-- > 1;) {
		const char *p = pattern + i;

		if (n - i < sizeof(word) + 1 || strncmp(p, word, 2) != 0 ||
		    (p[-1] != ' ' && p[-1] != '\t') ||
		    (p[2] != ' ' && p[2] != '\t') || (i > 1 && p[-2] == '\\'))
			continue;
		for (size_t k = i + sizeof(word); k < n; k++)
			if (strchr("<>=!", pattern[k]))
				return p;
	}
	return NULL;
}

/* Takes the condition off a pattern of *n bytes. */
static int take_condition(struct rule *rule, const char *pattern, size_t *n,
			  const char **ret_what)
{
	const char *word = find_condition(pattern, *n), *p = word;
	size_t n_condition;

	if (!word)
		return 0;
	p += 2;
	while (*p == ' ' || *p == '\t')
		p++;
	n_condition = *n - (size_t)(p - pattern);
	*ret_what = px_condition_check(p, n_condition);
	if (*ret_what)
		return -EINVAL;
	rule->condition = strndup(p, n_condition);
	while (word > pattern && (word[-1] == ' ' || word[-1] == '\t'))
		word--;
	*n = (size_t)(word - pattern);
	return rule->condition ? 0 : -ENOMEM;
}

static int add(struct px_rules *r, enum px_rule_verb verb, unsigned level,
	       const char *pattern, size_t n, const char **ret_what)
{
	struct rule rule = {.verb = verb, .level = level};
	struct rule *rules = NULL;
	int err = take_condition(&rule, pattern, &n, ret_what);

	if (err == 0)
		err = px_pattern_init(&rule.pattern, pattern, n, ret_what);
	if (err == 0)
		rules = reallocarray(r->rules, r->n + 1, sizeof(*rules));
	if (!rules) {
		rule_fini(&rule);
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
	{"keep-docs", PX_RULE_KEEP_DOCS},
	{"local", PX_RULE_LOCAL},
	{"strip", PX_RULE_STRIP},
	{"no-strip", PX_RULE_NO_STRIP},
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
			    "keep-source, optimize, keep-docs, local, strip or "
			    "no-strip";
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
	const char *verb = "", *condition = rule->condition;
	char level[] = {' ', (char)('0' + rule->level), '\0'};
	char *text;

	for (size_t k = 0; k < PX_ARRAY_LEN(verbs); k++)
		if (verbs[k].verb == rule->verb)
			verb = verbs[k].name;
	if (asprintf(&text, "%s%s %s%s%s", verb,
		     rule->verb == PX_RULE_OPTIMIZE ? level : "",
		     rule->pattern.pattern, condition ? " if " : "",
		     condition ? condition : "") < 0)
		return NULL;
	return text;
}

enum px_rule_verb px_rules_verb(const struct px_rules *r, size_t i,
				unsigned *ret_level)
{
	*ret_level = r->rules[i].level;
	return r->rules[i].verb;
}

char *px_rules_place(const struct px_rules *r, size_t i)
{
	return px_pattern_place(&r->rules[i].pattern);
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
		const struct rule *from = &r->rules[i];
		struct rule *to;

		err = px_rules_add(*ret, from->verb, from->level,
				   from->pattern.pattern, &what);
		if (err < 0)
			break;
		to = &(*ret)->rules[i];
		to->built_in = from->built_in;
		to->condition =
			from->condition ? strdup(from->condition) : NULL;
		if (from->condition && !to->condition)
			err = -ENOMEM;
	}
	return err;
}

/* Whether a rule is for what is installed. What is not, may be there in
 * another way, and a rule for it does no harm. */
static bool applies(const struct rule *rule, const struct px_installed *all,
		    size_t n)
{
	bool is_known = false;

	for (size_t i = 0; rule->condition && i < n; i++)
		if (px_condition_names(rule->condition, all[i].name)) {
			if (px_condition_holds(rule->condition, all[i].version))
				return true;
			is_known = true;
		}
	return !is_known;
}

/* Whether a rule would change anything where all modules have `level`. */
static bool lowers_level(const struct rule *rule, unsigned level)
{
	if (rule->verb == PX_RULE_KEEP_DOCS)
		return level > 1;
	return rule->verb != PX_RULE_OPTIMIZE || rule->level < level;
}

void px_rules_settle(struct px_rules *r, const struct px_installed *installed,
		     size_t n, unsigned optimize)
{
	size_t kept = 0;

	for (size_t i = 0; r && i < r->n; i++) {
		struct rule *rule = &r->rules[i];
		const bool lowers =
			!rule->built_in || lowers_level(rule, optimize);

		if (lowers && applies(rule, installed, n))
			r->rules[kept++] = *rule;
		else
			rule_fini(rule);
	}
	if (r)
		r->n = kept;
}

void px_rules_free(struct px_rules *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n; i++)
		rule_fini(&r->rules[i]);
	free(r->rules);
	free(r);
}
