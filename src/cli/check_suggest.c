/* SPDX-License-Identifier: MIT */
/*
 * Rules that cure what a check has found. Of each finding the candidates are
 * tried from the narrowest on, those of all findings at a time: a layer is
 * written with them, and what had failed is tried anew in it. What is cured
 * keeps its rule. In the end all rules that were kept are tried together.
 */
#include "check.h"

#include "pycfs/log.h"
#include "pycfs/temp.h"

#include <stdio.h>

/* One finding, and what has become of it. */
struct patient {
	const struct px_finding *f;
	char **remedies;
	size_t n;
	const char *cure; /* one of these; NULL: none was found yet */
	bool by_level;	  /* -OO cures it as well */
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
				r = add_rule(text, s->all[i].cure);
	return r;
}

/* Tries candidate `k` of everything that is not cured. */
static int try_candidates(struct search *s, size_t k, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_check_result result;
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

static bool is_done(const struct search *s, size_t k)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->all[i].cure && k < s->all[i].n)
			return false;
	return true;
}

/* What works if the layer is run by an interpreter of its own level. */
static int try_level(struct search *s, struct px_why *why)
{
	struct px_check_result result;
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

/* Whether another finding before `i` has the same rule. */
static bool is_printed(const struct search *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (s->all[k].cure &&
		    strcmp(s->all[k].cure, s->all[i].cure) == 0)
			return true;
	return false;
}

static void print_rules(const struct search *s)
{
	for (int narrow = 0; narrow < 2; narrow++)
		for (size_t i = 0; i < s->n; i++) {
			const char *cure = s->all[i].cure;

			if (!cure || is_printed(s, i) ||
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
	r = try_level(&s, why);
	for (size_t k = 0; r == 0 && !is_done(&s, k); k++)
		r = try_candidates(&s, k, why);
	if (r < 0)
		return r;
	puts("# Rules that make the layer do what its source does, from "
	     "'pycfs check --suggest'.");
	n = count_by_level(&s);
	if (n > 0)
		printf("# Where the layer runs with PYTHONOPTIMIZE=2, %zu of "
		       "%zu findings need no rule.\n",
		       n, s.n);
	print_rules(&s);
	return prove(&s, why);
}
