/* SPDX-License-Identifier: MIT */
#include "items.h"

#include <poll.h>
#include <stdio.h>

/* The most modules and entry points of one tree. */
#define MAX_ITEMS 2000000

void px_outcome_fini(struct px_outcome *o)
{
	free(o->type);
	free(o->text);
	free(o->file);
	free(o->function);
	free(o->frames);
	*o = (struct px_outcome){.kind = PX_OUTCOME_NONE};
}

static void item_fini(struct px_check_item *i)
{
	for (int side = 0; side < PX_N_SIDES; side++)
		for (int round = 0; round < PX_ROUNDS; round++)
			px_outcome_fini(&i->outcome[side][round]);
	free(i->owner);
	free(i->name);
}

void px_items_fini(struct px_items *items)
{
	size_t i;

	for (i = 0; i < items->n; i++)
		item_fini(&items->all[i]);
	for (i = 0; i < items->n_missing; i++)
		free(items->missing[i]);
	free(items->all);
	free(items->groups);
	free(items->missing);
	*items = (struct px_items){.n = 0};
}

/* ------------------------------------------------------------ one listing */

struct listing {
	struct px_check_item *all;
	size_t n, capacity;
	bool complete;
};

static void listing_fini(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		item_fini(&l->all[i]);
	free(l->all);
}

static int add(struct listing *l, const struct px_message *m)
{
	struct px_check_item *all, *new;

	if (strcmp(m->field[0], ".") == 0)
		l->complete = true;
	if (m->n < 3 || (*m->field[0] != 'M' && *m->field[0] != 'E') ||
	    strchr(m->field[2], '\n'))
		return 0;
	if (l->n == MAX_ITEMS)
		return -EFBIG;
	if (l->n == l->capacity) {
		const size_t capacity = l->capacity ? l->capacity * 2 : 1024;

		all = reallocarray(l->all, capacity, sizeof(*all));
		if (!all)
			return -ENOMEM;
		l->all = all;
		l->capacity = capacity;
	}
	new = &l->all[l->n++];
	*new = (struct px_check_item){
		.is_entry_point = *m->field[0] == 'E',
		.owner = strdup(m->field[1]),
		.name = strdup(m->field[2]),
	};
	return new->owner &&new->name ? 0 : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	const struct px_check_item *x = a, *y = b;
	int c = x->is_entry_point - y->is_entry_point;

	if (c == 0)
		c = strcmp(x->owner, y->owner);
	return c ? c : strcmp(x->name, y->name);
}

/* Lists one tree, sorted. */
static int list(const struct px_check_options *o, enum px_tree_side side,
		struct listing *ret, struct px_why *why)
{
	const struct px_buf none = {.max = 0};
	struct px_process p = {.fd = -1};
	struct px_message m;
	char how[80];
	int r = px_process_start(o, side, "list", &none, &p);
	int end = 0;

	while (r == 0 && end == 0) {
		struct pollfd pfd = {.fd = p.fd, .events = POLLIN};
		const struct px_check_progress nothing = {0, 0};

		if (poll(&pfd, 1, 100) < 0 && errno != EINTR)
			r = -errno;
		if (r == 0 && !o->tick(o->tick_arg, &nothing))
			r = -ECANCELED;
		end = r == 0 ? px_process_read(&p) : 0;
		while (r == 0 && px_process_next(&p, &m))
			r = add(ret, &m);
		if (end < 0 && r == 0)
			r = end;
	}
	if (r < 0)
		p.deadline_ms = 0;
	px_process_end(&p, how);
	if (r == -ECANCELED)
		return px_because(why, r, "interrupted");
	if (r < 0)
		return px_because(why, r, "cannot list the modules of %s: %s",
				  o->tree[side], strerror(-r));
	if (!ret->complete)
		return px_because(why, -EIO,
				  "%s could not list the modules of %s: it %s",
				  o->python, o->tree[side], how);
	if (ret->n > 0)
		qsort(ret->all, ret->n, sizeof(*ret->all), compare);
	return 0;
}

/* -------------------------------------------------------------- the items */

static bool is_top(const struct px_check_item *i)
{
	return !i->is_entry_point && strcmp(i->owner, i->name) == 0;
}

static bool is_wanted(const struct px_check_result *only,
		      const struct px_check_item *i)
{
	for (size_t k = 0; only && k < only->n_findings; k++)
		if (only->findings[k].is_entry_point == i->is_entry_point &&
		    strcmp(only->findings[k].owner, i->owner) == 0)
			return true;
	return !only;
}

static int add_missing(struct px_items *items, struct px_check_item *i)
{
	char **missing = reallocarray(items->missing, items->n_missing + 1,
				      sizeof(*missing));

	if (!missing)
		return -ENOMEM;
	items->missing = missing;
	missing[items->n_missing++] = PX_STEAL(i->name);
	return 0;
}

/* Moves into `items` what both have, in the order of the source's. */
static int merge(const struct px_check_options *o, struct listing *source,
		 struct listing *layer, struct px_items *items)
{
	size_t i, j = 0;

	items->all = calloc(source->n + 1, sizeof(*items->all));
	if (!items->all)
		return -ENOMEM;
	for (i = 0; i < source->n; i++) {
		struct px_check_item *s = &source->all[i];

		/* One that is listed twice is tried once. */
		if (i > 0 && source->all[i - 1].name &&
		    compare(&source->all[i - 1], s) == 0)
			continue;
		while (j < layer->n && compare(&layer->all[j], s) < 0)
			j++;
		if (j < layer->n && compare(&layer->all[j], s) == 0) {
			if ((s->is_entry_point || o->all || is_top(s)) &&
			    is_wanted(o->only, s)) {
				items->all[items->n++] = *s;
				*s = (struct px_check_item){.name = NULL};
			}
		} else if (is_top(s) && !o->only && add_missing(items, s) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* Whether they are tried in one process. */
static bool is_together(const struct px_check_item *a,
			const struct px_check_item *b)
{
	return a->is_entry_point == b->is_entry_point && a->owner && b->owner &&
	       strcmp(a->owner, b->owner) == 0;
}

static int make_groups(struct px_items *items)
{
	size_t i;

	items->groups = calloc(items->n + 1, sizeof(*items->groups));
	if (!items->groups)
		return -ENOMEM;
	for (i = 0; i < items->n; i++) {
		const struct px_check_item *a = &items->all[i];
		struct px_group *last =
			items->n_groups ? &items->groups[items->n_groups - 1]
					: NULL;

		if (last && is_together(a - 1, a))
			last->to = i + 1;
		else
			items->groups[items->n_groups++] =
				(struct px_group){i, i + 1};
	}
	return 0;
}

int px_items_list(const struct px_check_options *o, struct px_items *ret,
		  struct px_why *why)
{
	PX_AUTO(listing_fini) struct listing source = {.n = 0};
	PX_AUTO(listing_fini) struct listing layer = {.n = 0};
	int r = list(o, PX_SIDE_SOURCE, &source, why);

	if (r == 0)
		r = list(o, PX_SIDE_LAYER, &layer, why);
	if (r < 0)
		return r;
	r = merge(o, &source, &layer, ret);
	if (r == 0)
		r = make_groups(ret);
	if (r < 0)
		return px_because(why, r, "out of memory");
	if (ret->n == 0)
		return px_because(why, -ENOEXEC,
				  "%s has no module of %s that %s could import",
				  o->tree[PX_SIDE_LAYER],
				  o->tree[PX_SIDE_SOURCE], o->python);
	return 0;
}
