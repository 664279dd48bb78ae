/* SPDX-License-Identifier: MIT */
#include "report_i.h"

#include "pycfs/digest.h"

#include <limits.h>

#define N_FIELDS 6 /* grade, line, rule, reason, detail, remedy */

/* Splits `line` at its tabs, in place. Returns false if it is not a finding. */
static bool cut(char *line, char *fields[N_FIELDS])
{
	size_t i;

	for (i = 0; i < N_FIELDS; i++) {
		fields[i] = line;
		if (!line)
			return false;
		line = strchr(line, '\t');
		if (line)
			*line++ = '\0';
	}
	return !line && *fields[0] >= '1' && *fields[0] <= '3' &&
	       fields[0][1] == '\0';
}

static int add_found(struct px_report *r, size_t file,
		     char *const fields[N_FIELDS])
{
	return px_report_add_risk(
		r, file,
		&(struct px_report_risk){
			.path = r->files[file].source,
			.grade = (unsigned)(*fields[0] - '0'),
			.line = (unsigned)strtoul(fields[1], NULL, 10),
			.rule = fields[2],
			.reason = fields[3],
			.detail = fields[4],
			.remedy = fields[5],
		});
}

/* What the rules in force make of the layer as a whole. */
struct whole {
	bool all_kept;	/* every module stays a source */
	unsigned level; /* the highest of those that are compiled */
	const struct px_set *hidden;
};

static uint64_t hash_of(const char *name)
{
	return px_hash64(0, name, strlen(name));
}

void px_report_add_name(struct px_set *hidden, const char *name)
{
	char ending[NAME_MAX + 2] = "*";
	const char *dot = strchr(name, '.');

	px_set_add(hidden, hash_of(name));
	for (; dot && strlen(dot) <= NAME_MAX; dot = strchr(dot + 1, '.')) {
		memcpy(ending + 1, dot, strlen(dot) + 1);
		px_set_add(hidden, hash_of(ending));
	}
}

static struct whole look_at_all(const struct px_report *r,
				const struct px_report_options *o,
				const struct px_set *hidden)
{
	struct whole w = {.all_kept = true, .hidden = hidden};
	size_t i;

	for (i = 0; i < r->n_files; i++) {
		const struct px_report_file *f = &r->files[i];
		unsigned level;

		if (f->kind != PX_KIND_MODULE)
			continue;
		w.all_kept = false;
		level = px_rules_optimize(o->rules, f->source, o->optimize);
		if (level > w.level)
			w.level = level;
	}
	return w;
}

/* The level of a module, or that of others by whose docstrings a finding may
 * be: what keep-docs makes of the module does not hold for them. */
static unsigned level_for(const struct px_report_options *o,
			  const struct px_report_file *f, const char *rule,
			  const char *detail)
{
	static const char *const others[] = {"doc-imported", "doc-in-decorator",
					     "doc-in-function"};
	/* The docstring of the module is its own whatever the rule. */
	const bool own = strncmp(detail, "__doc__", strlen("__doc__")) == 0;

	for (size_t i = 0; i < PX_ARRAY_LEN(others) && !own; i++)
		if (strcmp(rule, others[i]) == 0)
			return px_rules_optimize(o->rules, f->source,
						 o->optimize);
	return px_report_level(o, f, f->source);
}

unsigned px_report_level(const struct px_report_options *o,
			 const struct px_report_file *f, const char *source)
{
	bool keep_docs;
	const unsigned level =
		px_rules_level(o->rules, source, o->optimize, &keep_docs);

	return level > 1 && f->uses_docs && keep_docs ? 1 : level;
}

/* Whether the rules in force already do what the remedy of a finding proposes;
 * its detail is the name that it includes. */
static bool is_remedied(const struct px_report_options *o,
			const struct px_report_file *f, const struct whole *w,
			char *const fields[N_FIELDS])
{
	static const char keep[] = "keep-source ", level[] = "optimize ",
			  include[] = "include ";
	const char *rule = fields[2], *detail = fields[4], *remedy = fields[5];
	const bool all = px_report_remedy_is_for_all(remedy);

	if (strncmp(remedy, include, strlen(include)) == 0)
		return !px_set_has(w->hidden, hash_of(detail));
	if (strncmp(remedy, keep, strlen(keep)) == 0)
		return all ? w->all_kept : f->kind == PX_KIND_KEPT;
	if (strncmp(remedy, level, strlen(level)) == 0)
		return (all ? w->level : level_for(o, f, rule, detail)) <=
		       (unsigned)(remedy[strlen(level)] - '0');
	return false;
}

bool px_report_remedy_is_for_all(const char *remedy)
{
	const size_t n = strlen(remedy);

	return n >= 2 && strcmp(remedy + n - 2, " *") == 0;
}

/* In order of paths and lines; of one line, by rule and what it is about. */
static int compare(const void *a, const void *b)
{
	const struct px_report_risk *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	r = r ? r : (x->line > y->line) - (x->line < y->line);
	r = r ? r : strcmp(x->rule, y->rule);
	return r ? r : strcmp(x->detail, y->detail);
}

/* Cuts the findings of a file, and takes those that count. */
static int take_findings(struct px_report *r, const struct px_report_options *o,
			 const struct whole *w, const struct px_modules *m,
			 size_t file)
{
	struct px_report_file *f = &r->files[file];
	char *fields[N_FIELDS], *line, *next;
	int err = 0;

	for (line = f->findings; line && err == 0; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!cut(line, fields))
			continue;
		if (strcmp(fields[2], "imports") == 0)
			err = px_report_find_imports(
				r, m, file, (unsigned)(*fields[0] - '0'),
				fields[4]);
		else if (!(o->run_optimize == 2 &&
			   strcmp(fields[2], PX_REPORT_UNLESS_OO) == 0) &&
			 !is_remedied(o, f, w, fields))
			err = add_found(r, file, fields);
	}
	return err;
}

int px_report_find_risks(struct px_report *r, const struct px_report_options *o,
			 const struct px_set *hidden, struct px_modules *m)
{
	const struct whole w = look_at_all(r, o, hidden);
	int err = 0;

	for (size_t i = 0; i < r->n_files && err == 0; i++)
		err = px_modules_add_shipped(m, r->files[i].source);
	for (size_t i = 0; i < r->n_files && err == 0; i++)
		err = take_findings(r, o, &w, m, i);
	if (err == 0)
		err = px_report_look_at_layer(r, o, m);
	if (err == 0)
		err = px_report_look_at_metadata(r, o);
	if (r->n_risks > 1)
		qsort(r->risks, r->n_risks, sizeof(*r->risks), compare);
	return err;
}
