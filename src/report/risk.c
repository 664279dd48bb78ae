/* SPDX-License-Identifier: MIT */
#include "report_i.h"

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

/* Whether the rules in force already do what the remedy proposes. */
static bool is_remedied(const struct px_report_options *o,
			const struct px_report_file *f, const char *remedy)
{
	static const char keep[] = "keep-source ", level[] = "optimize ";

	if (strncmp(remedy, keep, strlen(keep)) == 0)
		return f->kind == PX_KIND_KEPT;
	if (strncmp(remedy, level, strlen(level)) == 0)
		return px_rules_optimize(o->rules, f->source, o->optimize) <=
		       (unsigned)(remedy[strlen(level)] - '0');
	return false;
}

int px_report_find_risks(struct px_report *r, const struct px_report_options *o)
{
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
			    is_remedied(o, f, fields[N_FIELDS - 1]))
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
