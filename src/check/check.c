/* SPDX-License-Identifier: MIT */
#include "facts.h"
#include "result.h"
#include "runs.h"

#define MAX_FACTS 20 /* of each sign, in one finding */
#define MAX_ALONE 3  /* failures of a group, to be tried again one by one */

/* What a group's modules have, in each tree and round. */
struct had {
	struct px_buf facts[PX_N_SIDES][PX_ROUNDS];
	bool complete[PX_N_SIDES][PX_ROUNDS];
};

struct check {
	const struct px_check_options *o;
	struct px_check_result *ret;
	struct px_items items;
	struct px_runs runs;
	struct had *had; /* for each group */
};

static void free_facts(struct had *h)
{
	for (int side = 0; side < PX_N_SIDES; side++)
		for (int round = 0; round < PX_ROUNDS; round++)
			px_buf_fini(&h->facts[side][round]);
}

static void check_fini(struct check *c)
{
	for (size_t i = 0; c->had && i < c->items.n_groups; i++)
		free_facts(&c->had[i]);
	free(c->had);
	px_runs_fini(&c->runs);
	px_items_fini(&c->items);
}

/* --------------------------------------------------------------- trying */

/* Tries a group in one tree. */
static int add_group(struct check *c, size_t g, enum px_tree_side side,
		     int round)
{
	struct had *h = &c->had[g];

	h->facts[side][round].max = SIZE_MAX;
	return px_runs_add(&c->runs,
			   &(struct px_run){
				   .side = side,
				   .round = round,
				   .from = c->items.groups[g].from,
				   .to = c->items.groups[g].to,
				   .facts = &h->facts[side][round],
				   .complete = &h->complete[side][round],
			   });
}

static int try_all(struct check *c)
{
	int r = 0;

	for (size_t g = 0; g < c->items.n_groups && r == 0; g++) {
		r = add_group(c, g, PX_SIDE_SOURCE, 0);
		if (r == 0)
			r = add_group(c, g, PX_SIDE_LAYER, 0);
	}
	return r < 0 ? r : px_runs_do(&c->runs);
}

static bool works(const struct px_check_item *i, enum px_tree_side side,
		  int round)
{
	return i->outcome[side][round].kind == PX_OUTCOME_WORKS;
}

/* Whether all of a group works in both trees. */
static bool is_comparable(const struct check *c, size_t g, int rounds)
{
	const struct px_group *group = &c->items.groups[g];

	for (int side = 0; side < PX_N_SIDES; side++)
		for (int round = 0; round < rounds; round++)
			if (!c->had[g].complete[side][round])
				return false;
	for (size_t i = group->from; i < group->to; i++)
		if (works(&c->items.all[i], PX_SIDE_SOURCE, 0) !=
		    works(&c->items.all[i], PX_SIDE_LAYER, 0))
			return false;
	return true;
}

/* Appends to `text` what each of the first `rounds` tries of the source has and
 * none of the layer, and the reverse. Returns how much that is, or -ENOMEM. */
static int compare(struct check *c, size_t g, int rounds, struct px_buf *text)
{
	struct had *h = &c->had[g];
	const struct px_buf *lists[PX_N_SIDES][PX_ROUNDS];
	int lost, gained;

	for (int side = 0; side < PX_N_SIDES; side++)
		for (int round = 0; round < rounds; round++)
			lists[side][round] = &h->facts[side][round];
	lost = px_facts_only(lists[PX_SIDE_SOURCE], lists[PX_SIDE_LAYER],
			     (size_t)rounds, '-', MAX_FACTS, text);
	gained = px_facts_only(lists[PX_SIDE_LAYER], lists[PX_SIDE_SOURCE],
			       (size_t)rounds, '+', MAX_FACTS, text);
	return lost < 0 || gained < 0 ? -ENOMEM : lost + gained;
}

/* Sorts what the try number `round` has told of a group, and says whether what
 * was told so far differs between the trees: 1, 0 or -ENOMEM. */
static int is_different(struct check *c, size_t g, int round)
{
	struct had *h = &c->had[g];
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	int r = 0;

	if (!is_comparable(c, g, round + 1))
		return 0;
	for (int side = 0; side < PX_N_SIDES && r == 0; side++)
		r = px_facts_sort(&h->facts[side][round]);
	if (r == 0)
		r = compare(c, g, round + 1, &text);
	return r < 0 ? r : r > 0;
}

/* Tries once more what differs, after the try number `round`. */
static int try_groups_again(struct check *c, int round)
{
	int r = 0;

	for (size_t g = 0; g < c->items.n_groups && r >= 0; g++) {
		struct had *h = &c->had[g];

		if (round > 0 && !h->complete[PX_SIDE_SOURCE][round])
			continue;
		r = is_different(c, g, round);
		if (r == 0) {
			c->ret->unstable += round > 0;
			free_facts(h);
			memset(h->complete, 0, sizeof(h->complete));
			continue;
		}
		if (r > 0)
			r = add_group(c, g, PX_SIDE_SOURCE, round + 1);
		if (r == 0)
			r = add_group(c, g, PX_SIDE_LAYER, round + 1);
	}
	return r < 0 ? r : px_runs_do(&c->runs);
}

static bool fails_in_one(const struct px_check_item *i)
{
	return works(i, PX_SIDE_SOURCE, 0) != works(i, PX_SIDE_LAYER, 0);
}

/* Tries some items once more, in both trees. */
static int add_second(struct check *c, size_t from, size_t to)
{
	int r = 0;

	for (int side = 0; side < PX_N_SIDES && r == 0; side++)
		r = px_runs_add(&c->runs,
				&(struct px_run){
					.side = (enum px_tree_side)side,
					.round = 1,
					.from = from,
					.to = to,
				});
	return r;
}

/* Tries once more what fails in one tree alone: a few of a group each in a
 * process of its own, more of them as the group was tried before. */
static int add_failures(struct check *c, const struct px_group *g)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = g->from; i < g->to; i++)
		n += fails_in_one(&c->items.all[i]);
	if (n > MAX_ALONE)
		return add_second(c, g->from, g->to);
	for (size_t i = g->from; i < g->to && r == 0; i++)
		if (fails_in_one(&c->items.all[i]))
			r = add_second(c, i, i + 1);
	return r;
}

/* Tries once more what fails in one tree alone, and groups whose modules
 * differ, twice. */
static int try_again(struct check *c)
{
	int r = 0;

	for (size_t g = 0; g < c->items.n_groups && r == 0; g++)
		r = add_failures(c, &c->items.groups[g]);
	for (int round = 0; round + 1 < PX_ROUNDS && r == 0; round++)
		r = try_groups_again(c, round);
	return r;
}

/* ------------------------------------------------------------- findings */

static int add_finding(struct check *c, enum px_finding_kind kind,
		       const struct px_check_item *item,
		       const struct px_outcome *o)
{
	return px_result_add(c->ret,
			     &(struct px_finding){
				     .kind = kind,
				     .is_entry_point = item->is_entry_point,
				     .name = item->name,
				     .owner = item->owner,
				     .type = o->type,
				     .text = o->text,
				     .file = o->file,
				     .function = o->function,
				     .frames = o->frames,
				     .line = o->line,
			     });
}

static int judge_item(struct check *c, const struct px_check_item *i)
{
	const bool source = works(i, PX_SIDE_SOURCE, 0);
	const bool layer = works(i, PX_SIDE_LAYER, 0);

	if (i->is_entry_point)
		c->ret->entry_points++;
	else
		c->ret->modules++;
	if (source == layer) {
		c->ret->failed += !source;
		return 0;
	}
	if (works(i, PX_SIDE_SOURCE, 1) != source ||
	    works(i, PX_SIDE_LAYER, 1) != layer) {
		c->ret->unstable++;
		return 0;
	}
	if (layer) {
		c->ret->better++;
		return 0;
	}
	return add_finding(c, PX_FINDING_FAILS, i,
			   &i->outcome[PX_SIDE_LAYER][0]);
}

static int judge_group(struct check *c, size_t g)
{
	const int last = PX_ROUNDS - 1;
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	struct px_outcome o = {.kind = PX_OUTCOME_WORKS};
	int r;

	if (!c->had[g].complete[PX_SIDE_SOURCE][last])
		return 0;
	r = is_different(c, g, last);
	if (r <= 0) {
		c->ret->unstable += r == 0;
		return r;
	}
	r = compare(c, g, PX_ROUNDS, &text);
	if (r >= 0)
		r = px_buf_add(&text, "", 1);
	o.text = (char *)text.data;
	return r < 0 ? r
		     : add_finding(c, PX_FINDING_DIFFERS,
				   &c->items.all[c->items.groups[g].from], &o);
}

static int judge(struct check *c)
{
	int r = 0;

	for (size_t i = 0; i < c->items.n && r == 0; i++)
		r = judge_item(c, &c->items.all[i]);
	for (size_t g = 0; g < c->items.n_groups && r == 0; g++)
		r = judge_group(c, g);
	c->ret->missing = PX_STEAL(c->items.missing);
	c->ret->n_missing = c->items.n_missing;
	c->items.n_missing = 0;
	return r;
}

int px_check_run(const struct px_check_options *o, struct px_check_result *ret,
		 struct px_why *why)
{
	PX_AUTO(check_fini) struct check c = {.o = o, .ret = ret};
	int r;

	*ret = (struct px_check_result){.n_findings = 0};
	r = px_items_list(o, &c.items, why);
	if (r < 0)
		return r;
	c.runs = (struct px_runs){.o = o, .items = &c.items};
	c.had = calloc(c.items.n_groups + 1, sizeof(*c.had));
	r = c.had ? try_all(&c) : -ENOMEM;
	if (r == 0)
		r = try_again(&c);
	if (r == 0)
		r = judge(&c);
	if (r == -ECANCELED)
		return px_because(why, r, "interrupted");
	if (r < 0)
		return px_because(why, r, "cannot check: %s", strerror(-r));
	return 0;
}
