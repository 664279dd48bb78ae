/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_ITEMS_H
#define PX_CHECK_ITEMS_H
/*
 * What is tried in a check: the modules and entry points that source and layer
 * both have, in groups that share a process.
 *
 * Threads: one at a time.
 */

#include "process.h"

enum px_outcome_kind {
	PX_OUTCOME_NONE, /* not tried yet */
	PX_OUTCOME_WORKS,
	PX_OUTCOME_FAILS, /* an exception */
	PX_OUTCOME_ENDS,  /* it has ended its process; `text` says how */
};

struct px_outcome {
	enum px_outcome_kind kind;
	char *type, *text, *file, *function, *frames; /* NULL: none */
	unsigned line;
};

void px_outcome_fini(struct px_outcome *o);

/* How often something is tried: what fails in one tree alone twice, and what
 * has other contents a third time, as those may be random. */
#define PX_ROUNDS 3

struct px_check_item {
	bool is_entry_point;
	char *owner;
	char *name;
	struct px_outcome outcome[PX_N_SIDES][PX_ROUNDS];
};

/* Items `from` to `to` are tried in one process. */
struct px_group {
	size_t from, to;
};

struct px_items {
	struct px_check_item *all;
	size_t n;
	struct px_group *groups;
	size_t n_groups;
	char **missing; /* as px_check_result has it; taken from here */
	size_t n_missing;
};

/* Asks both trees, and keeps what both have. -errno as px_check_run. */
int px_items_list(const struct px_check_options *o, struct px_items *ret,
		  struct px_why *why);
void px_items_fini(struct px_items *items);

#endif
