/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "pycfs/json.h"
#include "pycfs/text.h"

#define MAX_MISSING 10 /* names that a line of the text lists */

static void put_clean(FILE *to, const char *text)
{
	PX_AUTOFREE char *clean = px_clean(text);

	fputs(clean ? clean : "?", to);
}

static const char *verb_of(const struct px_finding *f)
{
	switch (f->kind) {
	case PX_FINDING_DIFFERS:
		return "does not have what it has in the source";
	case PX_FINDING_COMMAND:
		return "ends in another way";
	case PX_FINDING_TEST:
		return "not so in the layer";
	case PX_FINDING_FAILS:
		break;
	}
	return f->is_entry_point ? "cannot be loaded" : "cannot be imported";
}

static const char *kind_of(const struct px_finding *f)
{
	static const char *const names[] = {
		[PX_FINDING_FAILS] = "fails",
		[PX_FINDING_DIFFERS] = "differs",
		[PX_FINDING_COMMAND] = "command",
		[PX_FINDING_TEST] = "test",
	};

	return names[f->kind];
}

/* Each line of `text` on a line of its own, indented. */
static void print_lines(const char *text, FILE *to)
{
	while (*text) {
		const size_t n = strcspn(text, "\n");
		PX_AUTOFREE char *line = strndup(text, n);

		fputs("    ", to);
		put_clean(to, line ? line : "?");
		putc('\n', to);
		text += n + (text[n] == '\n');
	}
}

static void print_finding(const struct px_finding *f, FILE *to)
{
	put_clean(to, f->name);
	fprintf(to, ": %s\n", verb_of(f));
	if (*f->type) {
		fputs("    ", to);
		put_clean(to, f->type);
		fputs(*f->text ? ": " : "\n", to);
		if (*f->text) {
			/* The first line says it; the rest is in --json. */
			PX_AUTOFREE char *line =
				strndup(f->text, strcspn(f->text, "\n"));

			put_clean(to, line ? line : "?");
			putc('\n', to);
		}
	} else if (f->kind == PX_FINDING_FAILS ||
		   f->kind == PX_FINDING_COMMAND) {
		fputs("    it ", to);
		put_clean(to, f->text);
		putc('\n', to);
	} else {
		print_lines(f->text, to);
	}
	if (*f->file) {
		fputs("    in ", to);
		put_clean(to, f->file);
		if (f->line > 0)
			fprintf(to, ":%u", f->line);
		if (*f->function) {
			fputs(", ", to);
			put_clean(to, f->function);
		}
		putc('\n', to);
	}
}

static const char *s_of(size_t n)
{
	return n == 1 ? "" : "s";
}

void px_check_print(const struct px_check_shown *s, FILE *to)
{
	const struct px_check_result *r = s->result;
	size_t i;

	for (i = 0; i < r->n_findings; i++)
		print_finding(&r->findings[i], to);
	if (r->output[PX_SIDE_SOURCE]) {
		fputs("the output of the command differs, from this line on:\n"
		      "    source: ",
		      to);
		put_clean(to, r->output[PX_SIDE_SOURCE]);
		fputs("\n    layer:  ", to);
		put_clean(to, r->output[PX_SIDE_LAYER]);
		putc('\n', to);
	}
	fprintf(to,
		"%s%zu module%s and %zu entry point%s tried in %.1f s: %zu "
		"finding%s",
		r->n_findings ? "\n" : "", r->modules, s_of(r->modules),
		r->entry_points, s_of(r->entry_points), s->seconds,
		r->n_findings, s_of(r->n_findings));
	if (r->failed > 0)
		fprintf(to, "; %zu fail%s in the source as well", r->failed,
			r->failed == 1 ? "s" : "");
	if (r->better > 0)
		fprintf(to, "; %zu fail%s in the source alone", r->better,
			r->better == 1 ? "s" : "");
	if (r->unstable > 0)
		fprintf(to, "; %zu differ%s from one try to the next",
			r->unstable, r->unstable == 1 ? "s" : "");
	putc('\n', to);
	if (r->n_missing > 0)
		fprintf(to, "not in the layer: ");
	for (i = 0; i < r->n_missing && i < MAX_MISSING; i++) {
		fputs(i ? ", " : "", to);
		put_clean(to, r->missing[i]);
	}
	if (r->n_missing > MAX_MISSING)
		fprintf(to, " and %zu more", r->n_missing - MAX_MISSING);
	if (r->n_missing > 0)
		putc('\n', to);
}

/* ----------------------------------------------------------------- JSON */

static void member(FILE *to, const char *name, const char *value)
{
	fprintf(to, ", \"%s\": ", name);
	px_json_string(to, value);
}

void px_check_print_json(const struct px_check_shown *s, FILE *to)
{
	const struct px_check_result *r = s->result;
	size_t i;

	fputs("{\"version\": 1, \"source\": ", to);
	px_json_string(to, s->source);
	fputs(", \"layer\": ", to);
	if (s->layer)
		px_json_string(to, s->layer);
	else
		fputs("null", to);
	fputs(", ", to);
	px_choice_print_json(s->choice, to);
	member(to, "confined", s->confinement);
	fprintf(to,
		", \"seconds\": %.3f, \"modules\": %zu, \"entry_points\": %zu, "
		"\"failed_in_both\": %zu, \"failed_in_source\": %zu, "
		"\"unstable\": %zu,\n\"findings\": [",
		s->seconds, r->modules, r->entry_points, r->failed, r->better,
		r->unstable);
	for (i = 0; i < r->n_findings; i++) {
		const struct px_finding *f = &r->findings[i];

		fprintf(to, "%s\n {\"kind\": \"%s\", \"what\": \"%s\"",
			i ? "," : "", kind_of(f),
			f->is_entry_point ? "entry_point" : "module");
		member(to, "name", f->name);
		member(to, "owner", f->owner);
		member(to, "type", f->type);
		member(to, "text", f->text);
		member(to, "file", f->file);
		fprintf(to, ", \"line\": %u", f->line);
		member(to, "function", f->function);
		member(to, "frames", f->frames);
		putc('}', to);
	}
	fputs("],\n\"missing\": [", to);
	for (i = 0; i < r->n_missing; i++) {
		fputs(i ? ", " : "", to);
		px_json_string(to, r->missing[i]);
	}
	fputs("]}\n", to);
}

/* ---------------------------------------------------------------- JUnit */

/* A text for XML 1.0, in an attribute or an element. What XML cannot hold
 * becomes a question mark. */
static void put_xml(FILE *to, const char *text)
{
	size_t n;

	for (; *text; text += n) {
		if (*text == '\n') {
			n = 1;
			fputs("&#10;", to);
		} else if (px_is_control(text, &n)) {
			putc('?', to);
		} else if (strchr("<>&\"'", *text)) {
			fprintf(to, "&#%d;", *text);
		} else {
			fwrite(text, 1, n, to);
		}
	}
}

void px_check_print_junit(const struct px_check_shown *s, FILE *to)
{
	const struct px_check_result *r = s->result;
	const size_t tried = r->modules + r->entry_points;
	size_t i;

	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites><testsuite name=\"pycfs check\" tests=\"%zu\" "
		"failures=\"%zu\" errors=\"0\" skipped=\"%zu\" "
		"time=\"%.3f\">\n"
		"<testcase classname=\"pycfs\" name=\"%zu that work\"/>\n",
		r->n_findings + 1 + (r->failed > 0), r->n_findings,
		(size_t)(r->failed > 0), s->seconds,
		tried > r->n_findings + r->failed
			? tried - r->n_findings - r->failed
			: 0);
	if (r->failed > 0)
		fprintf(to,
			"<testcase classname=\"pycfs\" name=\"%zu that fail "
			"in the source\"><skipped/></testcase>\n",
			r->failed);
	for (i = 0; i < r->n_findings; i++) {
		const struct px_finding *f = &r->findings[i];

		fputs("<testcase classname=\"", to);
		put_xml(to, f->owner);
		fputs("\" name=\"", to);
		put_xml(to, f->name);
		fprintf(to, "\"><failure message=\"%s\" type=\"", verb_of(f));
		put_xml(to, f->type);
		fputs("\">", to);
		put_xml(to, f->text);
		if (*f->file) {
			fputs("&#10;", to);
			put_xml(to, f->file);
			fprintf(to, ":%u", f->line);
		}
		fputs("</failure></testcase>\n", to);
	}
	fputs("</testsuite></testsuites>\n", to);
}
