/* SPDX-License-Identifier: MIT */
#include "report_shown.h"

#include "pycfs/log.h"
#include "pycfs/term.h"

#include <stdio.h>

#define N_GRADES   4
#define MAX_LISTED 20
/* The lowest grade that --suggest has rules for: may break. */
#define LEAST_SHOWN 2

static const char *const grade_names[N_GRADES] = {"", "to know", "may break",
						  "breaks"};

/* Prints a rule. Each byte of a control character becomes a question mark,
 * which matches any byte in a pattern. */
static void print_rule(const char *s)
{
	size_t n;

	for (; *s; s += n)
		if (px_is_control(s, &n))
			printf("%.*s", (int)n, "????");
		else
			fwrite(s, 1, n, stdout);
	putchar('\n');
}

static void print_place(const struct px_report_risk *k)
{
	px_print_clean(k->path);
	if (k->line > 0)
		printf(":%u", k->line);
	printf(": %s: ", grade_names[k->grade]);
	px_print_clean(k->reason);
}

/* Counts the distributions whose licences are hidden, and prints the rules that
 * show them, each line after `before`. */
static void print_licences(const struct px_report *r, const char *before)
{
	const char *last = "", *first = NULL;
	size_t n = 0, i;

	for (i = 0; i < r->n_risks; i++) {
		const struct px_report_risk *k = &r->risks[i];

		if (strcmp(k->rule, PX_REPORT_HIDDEN_LICENCE) != 0 ||
		    strcmp(k->detail, last) == 0)
			continue;
		last = k->detail;
		first = first ? first : last;
		n++;
	}
	if (n == 0)
		return;
	printf("%slicences: rules hide those of %zu distribution%s, such as ",
	       *before == '#' ? "# " : "\n", n, n == 1 ? "" : "s");
	px_print_clean(first);
	printf(".\n%sMIT, BSD and Apache licences demand that their text "
	       "ships:\n"
	       "%sinclude **/*.dist-info/LICEN[CS]E*\n"
	       "%sinclude **/*.dist-info/licenses/\n",
	       *before == '#' ? "# " : before, *before == '#' ? "" : before,
	       *before == '#' ? "" : before);
}

void px_report_print_risks(const struct px_shown *s)
{
	const struct px_report *r = s->r;
	size_t n[N_GRADES] = {0}, listed = 0, i;
	unsigned grade;

	for (i = 0; i < r->n_risks; i++)
		n[r->risks[i].grade]++;
	if (r->n_risks == 0)
		return;
	printf("\nrisks: %zu that break, %zu that may break, %zu to know\n",
	       n[3], n[2], n[1]);
	for (grade = 3; grade >= 2; grade--)
		for (i = 0; i < r->n_risks && listed < MAX_LISTED; i++) {
			const struct px_report_risk *k = &r->risks[i];

			if (k->grade != grade)
				continue;
			listed++;
			/* They have a list of their own. */
			if (strcmp(k->rule, PX_REPORT_NOT_COMPILED) == 0)
				continue;
			fputs("  ", stdout);
			print_place(k);
			fputs(" [", stdout);
			px_print_clean(k->rule);
			puts("]");
		}
	if (listed < n[3] + n[2])
		printf("  ... and %zu more: --json, --html or --suggest\n",
		       n[3] + n[2] - listed);
	print_licences(r, "  ");
}

/* The lowest grade that --fail-on is for; 0: none. */
static unsigned least_grade(const struct px_shown *s)
{
	return s->o->fail_on & PX_FAIL_MAY_BREAK ? 2
	       : s->o->fail_on & PX_FAIL_BREAKS	 ? 3
						 : 0;
}

bool px_report_too_risky(const struct px_shown *s)
{
	const unsigned least = least_grade(s);
	size_t n = 0, i;

	for (i = 0; least && i < s->r->n_risks; i++)
		n += s->r->risks[i].grade >= least;
	if (n > 0)
		px_log(PX_LOG_ERROR,
		       "%zu risk%s of grade '%s'%s (--suggest prints rules "
		       "that help)",
		       n, n == 1 ? "" : "s", grade_names[least],
		       least < 3 ? " or worse" : "");
	return n > 0;
}

bool px_report_has_unused(const struct px_shown *s)
{
	const bool fail = s->o->fail_on & PX_FAIL_UNUSED_RULE;
	size_t n = 0, i;

	for (i = 0; i < s->r->n_rules; i++) {
		const struct px_report_rule *rule = &s->r->rules[i];

		if (rule->matches || rule->built_in)
			continue;
		px_log(fail ? PX_LOG_ERROR : PX_LOG_WARNING,
		       "the rule '%s' matches nothing in SOURCE", rule->text);
		n++;
	}
	return fail && n > 0;
}

/* Sorts by remedy, and the risks of one remedy by grade, the worst first. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct px_report *r = arg;
	const struct px_report_risk *x = &r->risks[*(const size_t *)a];
	const struct px_report_risk *y = &r->risks[*(const size_t *)b];
	const int c = strcmp(x->remedy, y->remedy);

	if (c != 0)
		return c;
	if (x->grade != y->grade)
		return x->grade < y->grade ? 1 : -1;
	return (x > y) - (x < y);
}

/* What needs no rule where the layer's user says how Python starts. */
static void suggest_level(const struct px_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_risks; i++)
		n += r->risks[i].grade >= LEAST_SHOWN &&
		     strcmp(r->risks[i].rule, PX_REPORT_UNLESS_OO) == 0;
	if (n > 0)
		printf("# Where the layer runs with PYTHONOPTIMIZE=2, %zu of "
		       "them need%s no rule:\n"
		       "# say so with --run-optimize 2.\n",
		       n, n == 1 ? "s" : "");
}

int px_report_suggest(const struct px_shown *s)
{
	const struct px_report *r = s->r;
	PX_AUTOFREE size_t *order = calloc(r->n_risks + 1, sizeof(*order));
	/* Below the grade that the gate is for, rules are shown, but not in
	 * force. */
	const unsigned least = least_grade(s) ? least_grade(s) : 3;
	const char *last = "";
	size_t n = 0, i;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < r->n_risks; i++)
		if (r->risks[i].grade >= LEAST_SHOWN)
			order[n++] = i;
	if (n > 1)
		qsort_r(order, n, sizeof(*order), compare,
			(void *)(uintptr_t)r);
	fputs("# Rules for ", stdout);
	px_print_clean(s->source);
	puts(", from 'pycfs report --suggest'.");
	suggest_level(r);
	for (i = 0; i < n; i++) {
		const struct px_report_risk *k = &r->risks[order[i]];
		const bool all = px_report_remedy_is_for_all(k->remedy);

		if (!*k->remedy || strcmp(k->remedy, last) == 0)
			continue;
		last = k->remedy;
		fputs("# ", stdout);
		print_place(k);
		putchar('\n');
		if (all)
			puts("# The modules that use it need a rule. One for "
			     "all modules would be:");
		if (all || k->grade < least)
			fputs("# ", stdout);
		print_rule(k->remedy);
	}
	print_licences(r, "#");
	return 0;
}
