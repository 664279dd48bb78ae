/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include "pycfs/log.h"
#include "pycfs/text.h"
#include "pycfs/tree.h"

#include <stdio.h>

/* More names than these are not said in a line of the log. */
#define MAX_NAMES 6

/* ------------------------------------------------------ what is installed */

/* The distributions of SOURCE, by the names of their metadata. */
struct installed {
	struct px_installed *all;
	char **names; /* in which the members of `all` are */
	size_t n;
};

static void installed_fini(struct installed *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->names[i]);
	free(d->names);
	free(d->all);
}

/* Adds NAME-VERSION.dist-info, or NAME-VERSION-py3.11.egg-info. */
static int add_installed(struct installed *d, const char *name)
{
	const bool is_egg = px_ends_in(name, ".egg-info");
	char *copy, *version, *end;

	if (!is_egg && !px_ends_in(name, ".dist-info"))
		return 0;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	copy[strlen(copy) - strlen(is_egg ? ".egg-info" : ".dist-info")] = '\0';
	version = strchr(copy, '-');
	if (!version) {
		free(copy);
		return 0;
	}
	*version++ = '\0';
	if (is_egg && (end = strstr(version, "-py")))
		*end = '\0';
	d->names[d->n] = copy;
	d->all[d->n++] = (struct px_installed){
		.name = copy,
		.version = version,
	};
	return 0;
}

static int find_installed(struct px_tree *t, struct installed *ret)
{
	struct px_listing l;
	int r = px_tree_list(t, "", PX_LIST_NAMES, &l);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	ret->all = calloc(l.n + 1, sizeof(*ret->all));
	ret->names = calloc(l.n + 1, sizeof(*ret->names));
	if (!ret->all || !ret->names)
		r = -ENOMEM;
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = add_installed(ret, l.names[i].name);
	px_listing_fini(&l);
	return r;
}

/* ---------------------------------------------------- what the profile does */

/* Names of packages for which rules of one kind are. */
struct names {
	char *all[MAX_NAMES];
	size_t n; /* may be more than there is room for */
};

static void names_fini(struct names *l)
{
	for (size_t i = 0; i < l->n && i < MAX_NAMES; i++)
		free(l->all[i]);
}

static int add_name(struct names *l, const char *place)
{
	size_t n = strcspn(place, "/");

	if (!place[n] && px_ends_in(place, ".py"))
		n -= 3;
	for (size_t i = 0; i < l->n && i < MAX_NAMES; i++)
		if (strlen(l->all[i]) == n && strncmp(l->all[i], place, n) == 0)
			return 0;
	if (l->n < MAX_NAMES) {
		l->all[l->n] = strndup(place, n);
		if (!l->all[l->n])
			return -ENOMEM;
	}
	l->n++;
	return 0;
}

/* "docstrings of numpy, sympy and more", or nothing. */
static void put_names(FILE *to, const char *what, const struct names *l,
		      bool *first)
{
	if (l->n == 0)
		return;
	fprintf(to, "%s%s ", *first ? "" : "; ", what);
	*first = false;
	for (size_t i = 0; i < l->n && i < MAX_NAMES; i++)
		fprintf(to, "%s%s", i > 0 ? ", " : "", l->all[i]);
	if (l->n > MAX_NAMES)
		fprintf(to, " and more");
}

/* What is kept, by the rules of the profile that have something in SOURCE. */
struct kept {
	struct names sources, docstrings, asserts;
};

static void kept_fini(struct kept *k)
{
	names_fini(&k->sources);
	names_fini(&k->docstrings);
	names_fini(&k->asserts);
}

/* Whether the user has a rule about what rule `i` of the profile is about. */
static bool is_overruled(const struct px_rules *rules, size_t i,
			 const char *place, bool is_dir)
{
	unsigned unused;
	const enum px_rule_verb verb = px_rules_verb(rules, i, &unused);

	for (size_t k = i + 1; k < px_rules_count(rules); k++)
		if (!px_rules_is_built_in(rules, k) &&
		    px_rules_verb(rules, k, &unused) == verb &&
		    px_rules_matches(rules, k, place, is_dir))
			return true;
	return px_rules_excluded(rules, place, is_dir);
}

static int note_rule(const struct px_rules *rules, size_t i, struct px_tree *t,
		     struct kept *k)
{
	PX_AUTOFREE char *place = px_rules_place(rules, i);
	struct px_stat st;
	unsigned level;

	if (!place)
		return -ENOMEM;
	if (!*place || px_tree_stat(t, place, &st) < 0 ||
	    is_overruled(rules, i, place, st.type == PX_TYPE_DIR))
		return 0;
	if (px_rules_verb(rules, i, &level) == PX_RULE_KEEP_SOURCE)
		return add_name(&k->sources, place);
	return add_name(level == 0 ? &k->asserts : &k->docstrings, place);
}

static int tell(const struct px_rules *rules, struct px_tree *t)
{
	PX_AUTO(kept_fini) struct kept k = {.sources = {.n = 0}};
	PX_AUTOFREE char *text = NULL;
	bool first = true;
	size_t size;
	FILE *to;
	int r = 0;

	for (size_t i = 0; i < px_rules_count(rules) && r == 0; i++)
		if (px_rules_is_built_in(rules, i))
			r = note_rule(rules, i, t, &k);
	to = r == 0 ? open_memstream(&text, &size) : NULL;
	if (!to)
		return -ENOMEM;
	put_names(to, "sources of", &k.sources, &first);
	put_names(to, "docstrings of", &k.docstrings, &first);
	put_names(to, "asserts of", &k.asserts, &first);
	if (fclose(to) == EOF)
		return -ENOMEM;
	if (!first)
		px_log(PX_LOG_NOTICE,
		       "kept, because these packages break without: %s "
		       "(--profile strict keeps none)",
		       text);
	return 0;
}

int px_profile_settle(struct px_opt *o, struct px_why *why)
{
	PX_AUTO(installed_fini) struct installed installed = {.n = 0};
	struct px_tree *t = NULL;
	struct px_why unused;
	int r = 0;

	if (!o->rules || px_tree_open(o->args[0], &t, &unused) < 0)
		return 0;
	r = find_installed(t, &installed);
	if (r == 0)
		px_rules_settle(o->rules, installed.all, installed.n,
				o->optimize);
	if (r == 0)
		r = tell(o->rules, t);
	px_tree_close(t);
	return r < 0 ? px_because(why, r, "out of memory") : 0;
}
