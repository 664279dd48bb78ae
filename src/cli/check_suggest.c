/* SPDX-License-Identifier: MIT */
/*
 * Rules that cure what a check has found. Of each finding the candidates are
 * tried from the narrowest on, those of all findings at a time: a layer is
 * written with them, and what had failed is tried anew in it. What is cured
 * keeps its rule. What none of its candidates cures is tried with rules for all
 * top-level names at once, of which then one half after the other is left out.
 * Then each rule is left out once, and stays out if nothing comes back. In the
 * end all rules that were kept are tried together.
 */
#include "check.h"

#include "pycfs/log.h"
#include "pycfs/temp.h"

#include <stdio.h>

/* How many rules are left out on trial, each of which takes a layer. */
#define MAX_DROPS 20

/* One finding, and what has become of it. */
struct patient {
	const struct px_finding *f;
	char **remedies;
	size_t n;
	/* One of these, or `own`, which is several lines; NULL: none was found
	 * yet. */
	const char *cure;
	char *own;
	bool by_level; /* -OO cures it as well */
};

struct search {
	struct px_checking *c;
	struct patient *all;
	size_t n;
	unsigned trials;
};

static void search_fini(struct search *s)
{
	for (size_t i = 0; s->all && i < s->n; i++) {
		for (size_t k = 0; k < s->all[i].n; k++)
			free(s->all[i].remedies[k]);
		free(s->all[i].remedies);
		free(s->all[i].own);
	}
	free(s->all);
}

static int begin(struct search *s, struct px_check_result *r)
{
	int err = 0;

	s->all = calloc(r->n_findings, sizeof(*s->all));
	if (!s->all)
		return -ENOMEM;
	s->n = r->n_findings;
	for (size_t i = 0; i < s->n && err == 0; i++) {
		s->all[i].f = &r->findings[i];
		err = px_check_remedies(s->all[i].f, &s->all[i].remedies,
					&s->all[i].n);
	}
	return err;
}

/* ----------------------------------------------------------------- trials */

static bool is_found(const struct px_check_result *r,
		     const struct px_finding *f)
{
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct px_finding *g = &r->findings[i];

		if (g->kind == f->kind &&
		    g->is_entry_point == f->is_entry_point &&
		    strcmp(g->owner, f->owner) == 0 &&
		    strcmp(g->name, f->name) == 0)
			return true;
	}
	return false;
}

/* Adds rule `rule` to `text`, if it is not there. */
static int add_rule(struct px_buf *text, const char *rule)
{
	const size_t n = strlen(rule);
	size_t at = 0;
	int r;

	while (at < text->size) {
		const char *line = (char *)text->data + at;
		const size_t length =
			(size_t)((char *)memchr(line, '\n', text->size - at) -
				 line);

		if (length == n && memcmp(line, rule, n) == 0)
			return 0;
		at += length + 1;
	}
	r = px_buf_add(text, rule, n);
	return r < 0 ? r : px_buf_add(text, "\n", 1);
}

/* Adds each line of `rules`. */
static int add_rules(struct px_buf *text, const char *rules)
{
	int r = 0;

	while (*rules && r == 0) {
		const size_t n = strcspn(rules, "\n");
		PX_AUTOFREE char *rule = strndup(rules, n);

		r = rule ? add_rule(text, rule) : -ENOMEM;
		rules += n + (rules[n] == '\n');
	}
	return r;
}

/* Writes a layer with these rules behind the user's, and tries in it what had
 * failed. */
static int try_rules(struct search *s, const struct px_buf *text,
		     struct px_check_result *ret, struct px_why *why)
{
	struct px_checking *c = s->c;
	struct px_opt o = *c->o;
	PX_AUTOFREE char *dest = px_path_join(c->temp, "trial");
	struct px_rules *rules = NULL;
	const char *what;
	size_t line;
	int r = dest ? px_rules_copy(c->o->rules, &rules) : -ENOMEM;

	*ret = (struct px_check_result){.n_findings = 0};
	s->trials++;
	if (r == 0)
		r = px_rules_parse(rules, (char *)text->data, text->size, &line,
				   &what);
	o.rules = rules;
	/* It was said before which Python that is. */
	o.python = c->choice.python->executable;
	if (r < 0)
		px_because(why, r, "cannot make rules: %s", strerror(-r));
	else
		r = px_check_write_layer(c, &o, dest, why);
	if (r == 0)
		r = px_check_try(c, dest, 0, &c->result, ret, why);
	px_rules_free(rules);
	if (dest)
		px_temp_remove(dest);
	return r;
}

/* The rules kept so far, and behind those candidates; candidate `k` of each
 * finding that has no rule yet, if it is not SIZE_MAX. Broader rules come
 * first, as the last one that matches decides. */
static int collect(const struct search *s, size_t k, struct px_buf *text)
{
	int r = 0;

	text->max = SIZE_MAX;
	for (size_t i = 0; i < s->n && r == 0; i++)
		if (!s->all[i].cure && k < s->all[i].n)
			r = add_rule(text, s->all[i].remedies[k]);
	for (int narrow = 0; narrow < 2; narrow++)
		for (size_t i = 0; i < s->n && r == 0; i++)
			if (s->all[i].cure &&
			    (strstr(s->all[i].cure, "/**") == NULL) == narrow)
				r = add_rules(text, s->all[i].cure);
	return r;
}

/* Tries candidate `k` of everything that is not cured. */
static int try_candidates(struct search *s, size_t k, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_check_result result = {.n_findings = 0};
	int r = collect(s, k, &text);

	if (r < 0)
		return px_because(why, r, "out of memory");
	r = try_rules(s, &text, &result, why);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		if (!s->all[i].cure && k < s->all[i].n &&
		    !is_found(&result, s->all[i].f))
			s->all[i].cure = s->all[i].remedies[k];
	px_check_result_fini(&result);
	return r;
}

/* Whether nothing is left that has a candidate `k`; SIZE_MAX: nothing at all.
 */
static bool is_done(const struct search *s, size_t k)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->all[i].cure && (k == SIZE_MAX || k < s->all[i].n))
			return false;
	return true;
}

/* --------------------------------------------------------------- halving */

/* The top-level names of SOURCE that are, or have, modules: as patterns. */
static int list_tops(const struct search *s, struct px_tree **tree,
		     struct px_listing *l, struct px_why *why)
{
	int r = px_tree_open(s->c->source, tree, why);

	if (r < 0)
		return r;
	r = px_tree_list(*tree, "", PX_LIST_NAMES, l);
	return r < 0 ? px_because(why, r, "%s: %s", s->c->source, strerror(-r))
		     : 0;
}

static bool is_top(const struct px_name *e)
{
	if (e->type == PX_TYPE_DIR)
		return strchr(e->name, '.') == NULL &&
		       strcmp(e->name, "__pycache__") != 0;
	return px_ends_in(e->name, ".py");
}

/* The rule `verb` for names `from` to `to` of the listing. */
static int put_tops(const struct px_listing *l, size_t from, size_t to,
		    const char *verb, struct px_buf *text)
{
	int r = 0;

	for (size_t i = from; i < to && r == 0; i++) {
		PX_AUTOFREE char *rule = NULL;

		if (!is_top(&l->names[i]))
			continue;
		if (asprintf(&rule, "%s /%s%s", verb, l->names[i].name,
			     l->names[i].type == PX_TYPE_DIR ? "/**" : "") < 0)
			return rule = NULL, -ENOMEM;
		r = add_rule(text, rule);
	}
	return r;
}

/* Whether the rule for these names cures `p`: 1, 0 or -errno. */
static int cures(struct search *s, const struct patient *p,
		 const struct px_listing *l, size_t from, size_t to,
		 const char *verb, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_check_result result = {.n_findings = 0};
	int r = put_tops(l, from, to, verb, &text);

	if (r == 0)
		r = collect(s, SIZE_MAX, &text);
	if (r < 0)
		return px_because(why, r, "out of memory");
	if (text.size == 0)
		return 0;
	r = try_rules(s, &text, &result, why);
	if (r == 0)
		r = !is_found(&result, p->f);
	px_check_result_fini(&result);
	return r;
}

/* Looks for the fewest top-level names whose rule `verb` cures `p`. */
static int halve(struct search *s, struct patient *p,
		 const struct px_listing *l, const char *verb,
		 struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	size_t from = 0, to = l->n;
	int r = cures(s, p, l, from, to, verb, why);

	if (r <= 0)
		return r;
	while (to - from > 1) {
		const size_t middle = from + (to - from) / 2;

		r = cures(s, p, l, from, middle, verb, why);
		if (r == 1) {
			to = middle;
			continue;
		}
		if (r == 0)
			r = cures(s, p, l, middle, to, verb, why);
		if (r != 1)
			break;
		from = middle;
	}
	if (r >= 0)
		r = put_tops(l, from, to, verb, &text);
	/* Without its last newline; empty, if the rules that were kept for
	 * others cure it as well. */
	if (r == 0 && text.size > 0)
		text.size--;
	if (r == 0)
		r = px_buf_add(&text, "", 1);
	if (r < 0)
		return px_because(why, r, "out of memory");
	p->own = (char *)PX_STEAL(text.data);
	p->cure = p->own;
	return 1;
}

static int halve_all(struct search *s, struct px_why *why)
{
	static const char *const verbs[] = {"optimize 1", "keep-source",
					    "optimize 0"};
	struct px_listing l = {.n = 0};
	struct px_tree *tree = NULL;
	int r = is_done(s, SIZE_MAX) ? 0 : list_tops(s, &tree, &l, why);

	for (size_t i = 0; i < s->n && r >= 0; i++)
		for (size_t v = 0;
		     v < PX_ARRAY_LEN(verbs) && r >= 0 && !s->all[i].cure; v++)
			r = halve(s, &s->all[i], &l, verbs[v], why);
	px_listing_fini(&l);
	px_tree_close(tree);
	return r < 0 ? r : 0;
}

/* ------------------------------------------------------ what is needless */

/* Whether another finding before `i` has the same rule. */
static bool is_printed(const struct search *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (s->all[k].cure &&
		    strcmp(s->all[k].cure, s->all[i].cure) == 0)
			return true;
	return false;
}

/* Whether the rules cure all that has one: 1, 0 or -errno. */
static int are_enough(struct search *s, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_check_result result = {.n_findings = 0};
	bool all = true;
	int r = collect(s, SIZE_MAX, &text);

	if (r < 0)
		return px_because(why, r, "out of memory");
	if (text.size == 0)
		return 0;
	r = try_rules(s, &text, &result, why);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		all &= !s->all[i].cure || !is_found(&result, s->all[i].f);
	px_check_result_fini(&result);
	return r < 0 ? r : all;
}

/* Takes the rule from all that have it, but not what the others do for them.
 * *dropped says who had it. */
static void drop(struct search *s, const char *cure, bool *dropped)
{
	for (size_t i = 0; i < s->n; i++) {
		dropped[i] =
			s->all[i].cure && strcmp(s->all[i].cure, cure) == 0;
		if (dropped[i])
			s->all[i].cure = "";
	}
}

static void give_back(struct search *s, const char *cure, const bool *dropped)
{
	for (size_t i = 0; i < s->n; i++)
		if (dropped[i])
			s->all[i].cure = cure;
}

/* Findings whose candidates were tried at a time may have cured each other:
 * leaves out each rule in turn, and does without it where nothing comes back.
 */
static int drop_needless(struct search *s, struct px_why *why)
{
	PX_AUTOFREE bool *dropped = calloc(s->n + 1, sizeof(*dropped));
	unsigned tries = 0;
	int r = 0;

	if (!dropped)
		return px_because(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < s->n && r >= 0 && tries < MAX_DROPS; i++) {
		const char *cure = s->all[i].cure;

		if (!cure || !*cure || is_printed(s, i))
			continue;
		drop(s, cure, dropped);
		tries++;
		r = are_enough(s, why);
		if (r == 0)
			give_back(s, cure, dropped);
	}
	return r < 0 ? r : 0;
}

/* What works if the layer is run by an interpreter of its own level. */
static int try_level(struct search *s, struct px_why *why)
{
	struct px_check_result result = {.n_findings = 0};
	int r = px_check_try(s->c, s->c->layer, 2, &s->c->result, &result, why);

	for (size_t i = 0; r == 0 && i < s->n; i++)
		s->all[i].by_level = !is_found(&result, s->all[i].f);
	px_check_result_fini(&result);
	return r;
}

/* -------------------------------------------------------------- printing */

static size_t count_by_level(const struct search *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->all[i].by_level;
	return n;
}

static void print_name(const struct px_finding *f)
{
	PX_AUTOFREE char *name = px_clean(f->name);

	printf("#   %s\n", name ? name : "?");
}

static void print_rules(const struct search *s)
{
	for (int narrow = 0; narrow < 2; narrow++)
		for (size_t i = 0; i < s->n; i++) {
			const char *cure = s->all[i].cure;

			if (!cure || !*cure || is_printed(s, i) ||
			    (strstr(cure, "/**") == NULL) != narrow)
				continue;
			for (size_t k = i; k < s->n; k++)
				if (s->all[k].cure &&
				    strcmp(s->all[k].cure, cure) == 0)
					print_name(s->all[k].f);
			puts(cure);
		}
}

/* Tries all rules together, and says what they do not cure. */
static int prove(struct search *s, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_check_result result = {.n_findings = 0};
	size_t left = 0;
	int r = collect(s, SIZE_MAX, &text);

	if (r < 0)
		return px_because(why, r, "out of memory");
	if (text.size > 0)
		r = try_rules(s, &text, &result, why);
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		if (s->all[i].cure && !is_found(&result, s->all[i].f))
			continue;
		if (left++ == 0)
			puts("# No rule was found that cures:");
		print_name(s->all[i].f);
	}
	if (r == 0)
		px_log(PX_LOG_NOTICE,
		       "%zu of %zu findings are cured by these rules, as a "
		       "check with them has shown (%u layers tried)",
		       s->n - left, s->n, s->trials);
	px_check_result_fini(&result);
	return r;
}

int px_check_suggest(struct px_checking *c, struct px_why *why)
{
	PX_AUTO(search_fini) struct search s = {.c = c};
	size_t n;
	int r = begin(&s, &c->result);

	if (r < 0)
		return px_because(why, r, "out of memory");
	if (c->o->run_optimize < 2)
		r = try_level(&s, why);
	for (size_t k = 0; r == 0 && !is_done(&s, k); k++)
		r = try_candidates(&s, k, why);
	if (r == 0)
		r = halve_all(&s, why);
	if (r == 0)
		r = drop_needless(&s, why);
	if (r < 0)
		return r;
	puts("# Rules that make the layer do what its source does, from "
	     "'pycfs check --suggest'.");
	n = count_by_level(&s);
	if (n > 0)
		printf("# Where the layer runs with PYTHONOPTIMIZE=2, %zu of "
		       "%zu findings need no rule\n"
		       "# (see --run-optimize in pycfs(1)).\n",
		       n, s.n);
	print_rules(&s);
	return prove(&s, why);
}
