/* SPDX-License-Identifier: MIT */
#include "report_shown.h"
#include "strays.h"

#include "pycfs/json.h"

typedef unsigned long long ull;

static void print_sizes(FILE *to, const struct px_report_sizes *s)
{
	const ull files = s->modules + s->other_files;

	fprintf(to,
		"\"modules\": %llu, \"source_bytes\": %llu, "
		"\"bytecode_bytes\": %llu, \"pycache_bytes\": %llu, "
		"\"other_files\": %llu, \"other_bytes\": %llu, "
		"\"native_bytes\": %llu, \"stripped\": %llu, "
		"\"stripped_bytes\": %llu, \"files\": %llu, \"bytes\": %llu, "
		"\"deflate_bytes\": %llu, \"zstd_bytes\": %llu, "
		"\"source_deflate_bytes\": %llu, \"source_zstd_bytes\": %llu",
		(ull)s->modules, (ull)s->source_bytes, (ull)s->bytecode_bytes,
		(ull)s->pycache_bytes, (ull)s->other_files, (ull)s->other_bytes,
		(ull)s->native_bytes, (ull)s->stripped, (ull)s->saved_bytes,
		files, (ull)px_report_bytes(s), (ull)s->deflate_bytes,
		(ull)s->zstd_bytes, (ull)s->source_deflate_bytes,
		(ull)s->source_zstd_bytes);
}

static void print_archive(FILE *to, const char *name,
			  const struct px_report_archive *a)
{
	fprintf(to, "\"%s\": {\"gzip_bytes\": %llu, \"zstd_bytes\": %llu}",
		name, (ull)a->gzip, (ull)a->zstd);
}

static void print_totals(const struct px_report *r, FILE *to)
{
	const struct px_report_sizes *t = &r->total;
	const ull sources = t->source_bytes + t->other_bytes + t->saved_bytes;
	const ull both = sources + t->pycache_bytes;

	fputs(",\n\"totals\": {", to);
	print_sizes(to, t);
	fprintf(to,
		", \"baseline_recipe_bytes\": %llu, "
		"\"baseline_source_bytes\": %llu, "
		"\"baseline_pycache_bytes\": %llu, \"hidden_files\": %llu, "
		"\"hidden_bytes\": %llu, \"failed\": %zu, "
		"\"duplicate_bytes\": %llu",
		(ull)t->recipe_bytes, sources, both, (ull)r->hidden_files,
		(ull)r->hidden_bytes, r->n_faults, (ull)r->twin_bytes);
	fputs(", \"archives\": {", to);
	print_archive(to, "layer", &r->packed.layer);
	fputs(", ", to);
	print_archive(to, "recipe", &r->packed.recipe);
	fputs(", ", to);
	print_archive(to, "sources", &r->packed.sources);
	fputs(", ", to);
	print_archive(to, "pip", &r->packed.pip);
	fputs("}}", to);
}

static void print_dists(const struct px_report *r, FILE *to)
{
	size_t i;

	fputs(",\n\"distributions\": [", to);
	for (i = 0; i < r->n_dists; i++) {
		const struct px_report_dist *d = &r->dists[i];

		fputs(i ? ",\n {\"name\": " : "\n {\"name\": ", to);
		px_json_string(to, d->name);
		fputs(", \"version\": ", to);
		px_json_string(to, d->version);
		fprintf(to, ", \"installed\": %s, ",
			d->installed ? "true" : "false");
		print_sizes(to, &d->sizes);
		fprintf(to, ", \"risk\": %u", d->risk);
		putc('}', to);
	}
	putc(']', to);
}

static const char *kind_name(enum px_kind kind)
{
	switch (kind) {
	case PX_KIND_MODULE:
		return "module";
	case PX_KIND_KEPT:
		return "kept";
	case PX_KIND_RECORD:
		return "record";
	case PX_KIND_LINK:
		return "link";
	case PX_KIND_FILE:
	case PX_KIND_DIR:
	case PX_KIND_PYCACHE:
		break;
	}
	return "file";
}

static void print_files(const struct px_report *r, FILE *to)
{
	size_t i;

	fputs(",\n\"files\": [", to);
	for (i = 0; i < r->n_files; i++) {
		const struct px_report_file *f = &r->files[i];

		fputs(i ? ",\n {\"path\": " : "\n {\"path\": ", to);
		px_json_string(to, f->path);
		fprintf(to,
			", \"dist\": %zu, \"kind\": \"%s\", \"source_bytes\": "
			"%llu, \"bytes\": %llu, \"pycache_bytes\": %llu, "
			"\"deflate_bytes\": %llu, \"zstd_bytes\": %llu, "
			"\"risk\": "
			"%u}",
			f->dist, kind_name(f->kind), (ull)f->source_bytes,
			(ull)f->bytes, (ull)f->pycache.bytes,
			(ull)f->deflate_bytes, (ull)f->zstd_bytes, f->risk);
	}
	putc(']', to);
}

static void print_hidden(const struct px_report *r, FILE *to)
{
	size_t i;

	fputs(",\n\"hidden\": [", to);
	for (i = 0; i < r->n_hidden; i++) {
		const struct px_report_hidden *h = &r->hidden[i];

		fputs(i ? ",\n {\"path\": " : "\n {\"path\": ", to);
		px_json_string(to, h->path);
		fprintf(to, ", \"files\": %llu, \"bytes\": %llu, \"why\": ",
			(ull)h->files, (ull)h->bytes);
		px_json_string(to, h->why);
		putc('}', to);
	}
	putc(']', to);
}

static void print_faults(const struct px_report *r, FILE *to)
{
	size_t i;

	fputs(",\n\"failed\": [", to);
	for (i = 0; i < r->n_faults; i++) {
		const struct px_blob *why = r->faults[i].why;
		PX_AUTOFREE char *text =
			strndup((const char *)why->data, why->size);

		fputs(i ? ",\n {\"path\": " : "\n {\"path\": ", to);
		px_json_string(to, r->faults[i].path);
		fprintf(to, ", \"line\": %u, \"column\": %u, \"message\": ",
			why->line, why->column);
		px_json_string(to, text ? text : "");
		putc('}', to);
	}
	putc(']', to);
}

static void print_twins(const struct px_report *r, FILE *to)
{
	size_t i, k;

	fputs(",\n\"duplicates\": [", to);
	for (i = 0; i < r->n_twins; i++) {
		const struct px_report_twins *t = &r->twins[i];

		fprintf(to, "%s\n {\"bytes\": %llu, \"paths\": [", i ? "," : "",
			(ull)t->bytes);
		for (k = 0; k < t->n; k++) {
			fputs(k ? ", " : "", to);
			px_json_string(to, r->files[t->files[k]].path);
		}
		fputs("]}", to);
	}
	putc(']', to);
}

static void print_risks(const struct px_report *r, FILE *to)
{
	size_t i;

	fputs(",\n\"risks\": [", to);
	for (i = 0; i < r->n_risks; i++) {
		const struct px_report_risk *k = &r->risks[i];

		fputs(i ? ",\n {\"path\": " : "\n {\"path\": ", to);
		px_json_string(to, k->path);
		fprintf(to,
			", \"line\": %u, \"grade\": %u, \"rule\": ", k->line,
			k->grade);
		px_json_string(to, k->rule);
		fputs(", \"reason\": ", to);
		px_json_string(to, k->reason);
		fputs(", \"detail\": ", to);
		px_json_string(to, k->detail);
		fputs(", \"remedy\": ", to);
		px_json_string(to, k->remedy);
		putc('}', to);
	}
	putc(']', to);
}

static void print_rules(const struct px_report *r, FILE *to)
{
	bool any = false;
	size_t i;

	fputs(",\n\"rules\": [", to);
	for (i = 0; i < r->n_rules; i++) {
		const struct px_report_rule *rule = &r->rules[i];

		/* Most of the profile's are for what is not there. */
		if (rule->built_in && !rule->matches)
			continue;
		fputs(any ? ",\n {\"rule\": " : "\n {\"rule\": ", to);
		any = true;
		px_json_string(to, rule->text);
		fprintf(to,
			", \"built_in\": %s, \"matches\": %s, \"files\": %llu, "
			"\"bytes\": %llu}",
			rule->built_in ? "true" : "false",
			rule->matches ? "true" : "false",
			(unsigned long long)rule->files,
			(unsigned long long)rule->bytes);
	}
	putc(']', to);
}

void px_report_print_json(const struct px_shown *s, FILE *to)
{
	fputs("{\"version\": 1, \"pycfs\": \"" PX_VERSION "\", \"source\": ",
	      to);
	px_json_string(to, s->source);
	fputs(", ", to);
	px_choice_print_json(s->choice, to);
	fprintf(to,
		", \"optimize\": %u, \"run_optimize\": %u, "
		"\"debug_ranges\": %s",
		s->o->optimize, s->o->run_optimize,
		s->o->debug_ranges ? "true" : "false");
	print_totals(s->r, to);
	print_dists(s->r, to);
	print_files(s->r, to);
	print_hidden(s->r, to);
	print_faults(s->r, to);
	print_twins(s->r, to);
	print_risks(s->r, to);
	print_rules(s->r, to);
	px_strays_print_json(s->strays, to);
	fputs("}\n", to);
}
