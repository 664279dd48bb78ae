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

static int add(struct px_report *r, size_t *room, size_t file,
	       char *const fields[N_FIELDS])
{
	struct px_report_risk *all;

	if (r->n_risks == *room) {
		*room = *room ? *room * 2 : 64;
		all = reallocarray(r->risks, *room, sizeof(*all));
		if (!all)
			return -ENOMEM;
		r->risks = all;
	}
	r->risks[r->n_risks++] = (struct px_report_risk){
		.file = file,
		.grade = (unsigned)(*fields[0] - '0'),
		.line = (unsigned)strtoul(fields[1], NULL, 10),
		.rule = fields[2],
		.reason = fields[3],
		.detail = fields[4],
		.remedy = fields[5],
	};
	return 0;
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

/* Whether the rules in force already do what the remedy proposes; `detail` is
 * the name that it includes. */
static bool is_remedied(const struct px_report_options *o,
			const struct px_report_file *f, const struct whole *w,
			const char *remedy, const char *detail)
{
	static const char keep[] = "keep-source ", level[] = "optimize ",
			  include[] = "include ";
	const bool all = px_report_remedy_is_for_all(remedy);

	if (strncmp(remedy, include, strlen(include)) == 0)
		return !px_set_has(w->hidden, hash_of(detail));
	if (strncmp(remedy, keep, strlen(keep)) == 0)
		return all ? w->all_kept : f->kind == PX_KIND_KEPT;
	if (strncmp(remedy, level, strlen(level)) == 0)
		return (all ? w->level
			    : px_rules_optimize(o->rules, f->source,
						o->optimize)) <=
		       (unsigned)(remedy[strlen(level)] - '0');
	return false;
}

bool px_report_remedy_is_for_all(const char *remedy)
{
	const size_t n = strlen(remedy);

	return n >= 2 && strcmp(remedy + n - 2, " *") == 0;
}

int px_report_find_risks(struct px_report *r, const struct px_report_options *o,
			 const struct px_set *hidden)
{
	const struct whole w = look_at_all(r, o, hidden);
	char *fields[N_FIELDS], *line, *next;
	size_t i, room = 0;
	int err;

	for (i = 0; i < r->n_files; i++) {
		struct px_report_file *f = &r->files[i];

		for (line = f->findings; line; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			if (!cut(line, fields) ||
			    (o->run_optimize == 2 &&
			     strcmp(fields[2], PX_REPORT_UNLESS_OO) == 0) ||
			    is_remedied(o, f, &w, fields[N_FIELDS - 1],
					fields[N_FIELDS - 2]))
				continue;
			err = add(r, &room, i, fields);
			if (err < 0)
				return err;
			if (r->risks[r->n_risks - 1].grade > f->risk)
				f->risk = r->risks[r->n_risks - 1].grade;
		}
		if (f->risk > r->dists[f->dist].risk)
			r->dists[f->dist].risk = f->risk;
	}
	return 0;
}
