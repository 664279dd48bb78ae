/* SPDX-License-Identifier: MIT */
#include "report_shown.h"
#include "strays.h"
#include "pycfs/term.h"

#include <stdio.h>

#define MAX_LISTED 20 /* reasons why files are hidden */
#define MIN_NAME   12 /* columns for the name in the table */

/* One row of the table: a distribution, or a file. */
struct table_row {
	const char *name;
	const char *version;
	struct px_report_sizes sizes;
};

static const char *const heads[PX_N_COLUMNS] = {
	[PX_COLUMN_NAME] = "NAME",	 [PX_COLUMN_MODULES] = "MODULES",
	[PX_COLUMN_SOURCE] = "SOURCE",	 [PX_COLUMN_SHIPPED] = "SHIPPED",
	[PX_COLUMN_OTHER] = "OTHER",	 [PX_COLUMN_NATIVE] = "NATIVE",
	[PX_COLUMN_DEFLATE] = "DEFLATE", [PX_COLUMN_ZSTD] = "ZSTD",
};

static uint64_t value_of(const struct table_row *row, enum px_column column)
{
	const struct px_report_sizes *s = &row->sizes;
	const uint64_t values[PX_N_COLUMNS] = {
		[PX_COLUMN_MODULES] = s->modules,
		[PX_COLUMN_SOURCE] = s->source_bytes,
		[PX_COLUMN_SHIPPED] = px_report_bytes(s),
		[PX_COLUMN_OTHER] = s->other_bytes,
		[PX_COLUMN_NATIVE] = s->native_bytes,
		[PX_COLUMN_DEFLATE] = s->deflate_bytes,
		[PX_COLUMN_ZSTD] = s->zstd_bytes,
	};

	return values[column];
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct table_row *x = a, *y = b;
	const enum px_column column = *(const enum px_column *)arg;
	const uint64_t p = value_of(x, column), q = value_of(y, column);

	if (p != q)
		return p < q ? 1 : -1;
	return strcasecmp(x->name, y->name);
}

/* Returns a row for each distribution, or for each file with --files. The
 * caller frees the array. NULL: out of memory. */
static struct table_row *make_rows(const struct px_shown *s, size_t *ret_n)
{
	const struct px_report *r = s->r;
	const size_t n = s->o->all_files ? r->n_files : r->n_dists;
	struct table_row *rows = calloc(n + 1, sizeof(*rows));
	enum px_column column = s->o->sort;
	size_t i;

	*ret_n = n;
	for (i = 0; rows && i < n; i++) {
		if (s->o->all_files) {
			rows[i].name = r->files[i].path;
			rows[i].version = "";
			px_report_add_sizes(&rows[i].sizes, &r->files[i]);
		} else {
			rows[i].name = r->dists[i].name;
			rows[i].version = r->dists[i].version;
			rows[i].sizes = r->dists[i].sizes;
		}
	}
	if (rows && n > 1)
		qsort_r(rows, n, sizeof(*rows), compare_rows, &column);
	return rows;
}

/* Returns how many bytes of the UTF-8 text `s` fit into `n` columns. Every
 * character counts as one column, also a wide one. */
static int fit(const char *s, int n)
{
	int i = 0;

	for (; s[i] && (n > 0 || (s[i] & 0xC0) == 0x80); i++)
		n -= ((s[i + 1] & 0xC0) != 0x80);
	return i;
}

/* Returns how many columns `s` takes, counted as above. */
static int length(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xC0) != 0x80;
	return n;
}

/* Prints `name` as the end of a line. What is wider than `width` columns ends
 * in "..."; 0: nothing is too wide. */
static void print_name(const char *name, int width)
{
	if (width == 0 || length(name) <= width)
		puts(name);
	else
		printf("%.*s...\n", fit(name, width - 3), name);
}

static void print_cells(const struct table_row *row, uint64_t total)
{
	const uint64_t bytes = px_report_bytes(&row->sizes);
	char buf[16];
	unsigned i;

	printf("%7llu", (unsigned long long)row->sizes.modules);
	for (i = PX_COLUMN_MODULES + 1; i < PX_N_COLUMNS; i++)
		printf(" %7s", px_human(value_of(row, i), buf));
	printf(" %5.1f %%  ",
	       total ? 100.0 * (double)bytes / (double)total : 0.0);
}

/* Columns that print_cells prints: modules, six sizes, the share. */
#define CELLS_WIDTH (7 + 6 * 8 + 10)

static void print_table(const struct px_shown *s, const struct table_row *rows,
			size_t n)
{
	const uint64_t total = px_report_bytes(&s->r->total);
	const size_t max = s->o->top && s->o->top < n ? s->o->top : n;
	/* A program that reads this wants whole names. */
	const int room = px_terminal_width() - CELLS_WIDTH;
	const int width = !isatty(STDOUT_FILENO) ? 0
			  : room > MIN_NAME	 ? room
						 : MIN_NAME;
	const struct table_row sum = {.name = "", .sizes = s->r->total};
	size_t i;

	for (i = PX_COLUMN_MODULES; i < PX_N_COLUMNS; i++)
		printf("%*s", i == PX_COLUMN_MODULES ? 7 : 8, heads[i]);
	printf("   SHARE  %s\n", s->o->all_files ? "FILE" : "DISTRIBUTION");
	for (i = 0; i < max; i++) {
		PX_AUTOFREE char *joined = NULL;
		PX_AUTOFREE char *name = NULL;

		if (asprintf(&joined, "%s%s%s", rows[i].name,
			     *rows[i].version ? " " : "", rows[i].version) < 0)
			joined = NULL;
		name = joined ? px_clean(joined) : NULL;
		print_cells(&rows[i], total);
		print_name(name ? name : "?", width);
	}
	print_cells(&sum, total);
	if (max < n)
		printf("TOTAL, with %zu more\n", n - max);
	else
		puts("TOTAL");
}

/* Prints a size, and how much more or less it is than that of the layer. */
static void print_size(uint64_t bytes, uint64_t layer)
{
	char buf[16];

	printf("  %8s", px_human(bytes, buf));
	if (bytes == layer || layer == 0)
		printf(" %7s", "");
	else
		printf(" %+5.0f %%",
		       100.0 * ((double)bytes - (double)layer) / (double)layer);
}

static void print_way(const char *what, uint64_t bytes, uint64_t layer_bytes,
		      const struct px_report_archive *a,
		      const struct px_report_archive *layer)
{
	print_size(bytes, layer_bytes);
	print_size(a->gzip, layer->gzip);
	print_size(a->zstd, layer->zstd);
	printf("  %s\n", what);
}

static void print_totals(const struct px_shown *s)
{
	const struct px_report_sizes *t = &s->r->total;
	const struct px_report_packed *p = &s->r->packed;
	const uint64_t bytes = px_report_bytes(t);
	const uint64_t sources =
		t->source_bytes + t->other_bytes + t->saved_bytes;
	PX_AUTOFREE char *source = px_clean(s->source);
	PX_AUTOFREE char *python = px_clean(s->python);
	char a[16], b[16];

	printf("\n%s for Python %s at level %u\nships %zu file%s\n",
	       source ? source : "?", python ? python : "?", s->o->optimize,
	       s->r->n_files, s->r->n_files == 1 ? "" : "s");
	puts("     FILES            TAR.GZ           TAR.ZST");
	print_way("the layer", bytes, bytes, &p->layer, &p->layer);
	print_way("compileall -o 2 -b", t->recipe_bytes, bytes, &p->recipe,
		  &p->layer);
	print_way("with __pycache__, as pip", sources + t->pycache_bytes, bytes,
		  &p->pip, &p->layer);
	print_way("the sources alone", sources, bytes, &p->sources, &p->layer);
	if (s->o->stripper)
		printf("%llu file%s stripped, of %s\n",
		       (unsigned long long)t->stripped, PX_S(t->stripped),
		       px_human(t->saved_bytes, a));
	printf("a zip of the layer has %s, one of the sources alone %s\n",
	       px_human(t->deflate_bytes, a),
	       px_human(t->source_deflate_bytes, b));
}

/* Prints how many files are hidden for which reason. The reasons are static
 * strings, so that equal ones have equal addresses. */
static void print_hidden(const struct px_report *r)
{
	const char *reasons[MAX_LISTED];
	size_t n = 0, i, k;
	char buf[16];

	for (i = 0; i < r->n_hidden; i++) {
		for (k = 0; k < n && reasons[k] != r->hidden[i].why; k++)
			;
		if (k == n && n < MAX_LISTED)
			reasons[n++] = r->hidden[i].why;
	}
	if (n > 0)
		printf("\nnot shipped: %llu file%s, %s\n",
		       (unsigned long long)r->hidden_files,
		       PX_S(r->hidden_files), px_human(r->hidden_bytes, buf));
	for (k = 0; k < n; k++) {
		uint64_t files = 0, bytes = 0;

		for (i = 0; i < r->n_hidden; i++)
			if (r->hidden[i].why == reasons[k]) {
				files += r->hidden[i].files;
				bytes += r->hidden[i].bytes;
			}
		printf("  %7llu %-5s %8s  %s\n", (unsigned long long)files,
		       files == 1 ? "file" : "files", px_human(bytes, buf),
		       reasons[k]);
	}
}

/* Prints what each rule does that does anything, in their order. */
static void print_rules(const struct px_report *r)
{
	bool any = false;
	char buf[16];

	for (size_t i = 0; i < r->n_rules; i++) {
		const struct px_report_rule *rule = &r->rules[i];

		if (rule->files == 0)
			continue;
		if (!any)
			puts("\nrules, and the files that they decide about:");
		any = true;
		printf("  %7llu %-5s %8s  ", (unsigned long long)rule->files,
		       rule->files == 1 ? "file" : "files",
		       px_human(rule->bytes, buf));
		px_print_clean(rule->text);
		puts(rule->built_in ? " (profile)" : "");
	}
}

static void print_twins(const struct px_report *r)
{
	char a[16], b[16];
	size_t i;

	if (r->n_twins == 0)
		return;
	printf("\nduplicates: %zu file%s in more than one place, %s in all but "
	       "one copy each\n",
	       r->n_twins, PX_S(r->n_twins), px_human(r->twin_bytes, a));
	for (i = 0; i < r->n_twins && i < 5; i++) {
		const struct px_report_twins *t = &r->twins[i];
		PX_AUTOFREE char *one = px_clean(r->files[t->files[0]].path);
		PX_AUTOFREE char *two = px_clean(r->files[t->files[1]].path);

		printf("  %zu x %8s = %8s  %s, %s%s\n", t->n,
		       px_human(t->bytes, a),
		       px_human(t->bytes * (t->n - 1), b), one ? one : "?",
		       two ? two : "?", t->n > 2 ? ", ..." : "");
	}
}

static void print_faults(const struct px_report *r)
{
	size_t i;

	if (r->n_faults > 0)
		printf("\ndo not compile: %zu\n", r->n_faults);
	for (i = 0; i < r->n_faults; i++) {
		const struct px_blob *why = r->faults[i].why;
		PX_AUTOFREE char *path = px_clean(r->faults[i].path);
		PX_AUTOFREE char *text = strndup((const char *)why->data,
						 (size_t)px_blob_shown(why));
		PX_AUTOFREE char *shown = text ? px_clean(text) : NULL;

		printf("  %s", path ? path : "?");
		if (why->line > 0)
			printf(":%u", why->line);
		printf(": %s\n", shown ? shown : "?");
	}
}

int px_report_print(const struct px_shown *s)
{
	size_t n;
	struct table_row *rows = make_rows(s, &n);

	if (!rows)
		return -ENOMEM;
	print_table(s, rows, n);
	free(rows);
	print_totals(s);
	print_hidden(s->r);
	print_rules(s->r);
	print_twins(s->r);
	print_faults(s->r);
	px_strays_print(s->strays, stdout);
	px_report_print_risks(s);
	return 0;
}
