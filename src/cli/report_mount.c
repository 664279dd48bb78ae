/* SPDX-License-Identifier: MIT */
#include "report_mount.h"

#include "pycfs/bounded.h"
#include "pycfs/fuse.h"
#include "pycfs/json.h"
#include "pycfs/term.h"

#include <stdio.h>

/* How long a daemon may take to answer before it counts as stuck. */
#define ANSWER_TIMEOUT_MS 10000

typedef unsigned long long ull;

/* The word that an option has for one of its choices. */
static const char *word_of(const char *option, unsigned value)
{
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		const struct px_opt_choice *c = row->choices;

		if (!c || strcmp(row->name, option) != 0)
			continue;
		for (; c->name; c++)
			if (c->value == value)
				return c->name;
	}
	return "?";
}

/* How often a module was needed and found compiled, in the cache or in a store.
 */
static uint64_t n_found(const struct px_fuse_state *s)
{
	return s->counters[PX_COUNT_stat_hits] +
	       s->counters[PX_COUNT_blob_hits];
}

static double hit_rate(const struct px_fuse_state *s, uint64_t *ret_all)
{
	*ret_all = n_found(s) + s->counters[PX_COUNT_compiled];
	return *ret_all ? 100.0 * (double)n_found(s) / (double)*ret_all : 0.0;
}

static void print_form_json(const struct px_fuse_state *s)
{
	const struct px_fuse_form *f = &s->form;

	printf(", \"optimize\": %u, \"run_optimize\": %u, \"debug_ranges\": %s,"
	       " \"invalidation_mode\": \"%s\", \"marshal\": \"%s\", "
	       "\"profile\": \"%s\", \"profile_rules\": %u, \"rules\": %u, "
	       "\"on_error\": \"%s\", \"immutable\": %s, \"prefix\": ",
	       f->optimize, f->run_optimize, f->debug_ranges ? "true" : "false",
	       word_of("invalidation-mode", f->mode),
	       word_of("marshal", f->plain_marshal),
	       word_of("profile", f->safe), f->n_built_in, f->n_rules,
	       word_of("on-error", f->on_error),
	       f->immutable ? "true" : "false");
	px_json_string(stdout, s->prefix);
}

static void print_json(const char *mountpoint, const struct px_fuse_state *s)
{
	uint64_t all;
	const double rate = hit_rate(s, &all);

	printf("{\"version\": 1, \"mountpoint\": ");
	px_json_string(stdout, mountpoint);
	fputs(", \"source\": ", stdout);
	px_json_string(stdout, s->source);
	printf(", \"python\": \"%s\", \"python_executable\": ", s->python);
	px_json_string(stdout, s->python_executable);
	printf(", \"python_because\": ");
	px_json_string(stdout, s->python_because);
	print_form_json(s);
	if (all > 0)
		printf(", \"hit_rate\": %.2f", rate);
	else
		fputs(", \"hit_rate\": null", stdout);
	fputs(", \"counters\": {", stdout);
	for (int i = 0; i < PX_N_COUNTERS; i++)
		printf("%s\"%s\": %llu", i ? ", " : "",
		       px_counter_name((enum px_counter)i),
		       (ull)s->counters[i]);
	puts("}}");
}

static void print_form(const struct px_fuse_state *s)
{
	const struct px_fuse_form *f = &s->form;

	printf("level %u, for an interpreter at level %u%s\n", f->optimize,
	       f->run_optimize, f->debug_ranges ? ", with debug ranges" : "");
	printf("profile %s (%u rule%s), %u rule%s of yours\n",
	       word_of("profile", f->safe), f->n_built_in, PX_S(f->n_built_in),
	       f->n_rules, PX_S(f->n_rules));
	fputs("prefix ", stdout);
	px_print_clean(*s->prefix ? s->prefix : "\"\"");
	printf(", marshal %s, %s, on error %s%s\n",
	       word_of("marshal", f->plain_marshal),
	       word_of("invalidation-mode", f->mode),
	       word_of("on-error", f->on_error),
	       f->immutable ? ", immutable" : "");
}

static void print_text(const struct px_fuse_state *s)
{
	uint64_t all;
	const double rate = hit_rate(s, &all);

	px_print_clean(s->source);
	printf("\ncompiled by Python %s: ", s->python);
	px_print_clean(s->python_executable);
	fputs(" (", stdout);
	px_print_clean(s->python_because);
	puts(")");
	print_form(s);
	if (all > 0)
		printf("hit rate %.1f %%: of %llu request%s for a module %llu "
		       "found it compiled\n\n",
		       rate, (ull)all, PX_S(all), (ull)n_found(s));
	else
		puts("hit rate: no module was asked for yet\n");
	for (int i = 0; i < PX_N_COUNTERS; i++)
		printf("%14llu  %s\n", (ull)s->counters[i],
		       px_counter_help((enum px_counter)i));
}

static int ask_state(const void *mountpoint, void *answer)
{
	return px_fuse_query(mountpoint, answer);
}

int px_report_mount(const struct px_opt *o)
{
	struct px_fuse_state s;
	int r = px_bounded(ask_state, o->args[0], &s, sizeof(s),
			   ANSWER_TIMEOUT_MS);

	if (r < 0)
		return r;
	if (o->json)
		print_json(o->args[0], &s);
	else
		print_text(&s);
	return 0;
}
