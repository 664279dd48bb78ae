/* SPDX-License-Identifier: MIT */
#include "statement.h"
#include "opt_table.h"

#include "pycfs/json.h"
#include "pycfs/sink.h"
#include "pycfs/temp.h"
#include "pycfs/text.h"

#include <fcntl.h>
#include <stdio.h>

struct px_statement_file {
	struct px_temp temp;
	const char *path; /* the caller's */
};

const char *const px_statement_options[] = {
	"optimize",	  "run-optimize", "debug-ranges",   "invalidation-mode",
	"marshal",	  "prefix",	  "owner",	    "mtime",
	"modes",	  "on-error",	  "follow-links",   "scripts",
	"scripts-python", "max-source",	  "hardlink-dupes", "prefix-dir",
	"strip",	  NULL,
};

/* ------------------------------------------------------ values of options */

const struct px_opt_row *px_statement_row(const char *option)
{
	for (const char *const *p = px_statement_options; *p; p++)
		for (size_t i = 0; i < PX_N_OPTS && strcmp(*p, option) == 0;
		     i++)
			if ((px_opt_rows[i].verbs & PX_VERB_EXPORT) &&
			    strcmp(px_opt_rows[i].name, option) == 0)
				return &px_opt_rows[i];
	return NULL;
}

static char *text_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *number(uint64_t n)
{
	char *text;

	return asprintf(&text, "%llu", (unsigned long long)n) < 0 ? NULL : text;
}

/* Those whose member has another form than their value. */
static char *other_value(const struct px_opt *o, const char *option)
{
	char *text;

	if (strcmp(option, "owner") == 0)
		return o->uid < 0 || asprintf(&text, "%llu:%llu",
					      (unsigned long long)o->uid,
					      (unsigned long long)o->gid) < 0
			       ? NULL
			       : text;
	if (strcmp(option, "mtime") == 0)
		return o->mtime_by_content ? strdup("content")
		       : o->mtime < 0	   ? NULL
					   : number((uint64_t)o->mtime);
	if (strcmp(option, "scripts") == 0)
		return text_of(o->scripts);
	if (strcmp(option, "scripts-python") == 0)
		return text_of(o->scripts_python);
	if (strcmp(option, "prefix-dir") == 0)
		return *o->prefix_dir ? strdup(o->prefix_dir) : NULL;
	/* Where the links lead on this machine is nobody else's business. */
	return o->n_follow > 0 ? number(o->n_follow) : NULL;
}

char *px_statement_value(const struct px_opt *o, const char *option)
{
	const struct px_opt_row *row = px_statement_row(option);
	const void *at = row ? (const char *)o + row->at : NULL;
	const struct px_opt_choice *c;

	if (!row || row->type == PX_OPT_OTHER)
		return row ? other_value(o, option) : NULL;
	if (row->type == PX_OPT_FLAG)
		return *(const bool *)at ? strdup("true") : NULL;
	if (row->type == PX_OPT_BYTES)
		return number(*(const uint64_t *)at);
	if (row->type == PX_OPT_TEXT)
		return text_of(*(const char *const *)at);
	for (c = row->choices; c && c->name; c++)
		if (c->value == *(const unsigned *)at)
			return strdup(c->name);
	return NULL;
}

/* --------------------------------------------------------------- writing */

static void print_hex(FILE *to, const uint8_t sha256[PX_SHA256_SIZE])
{
	for (int i = 0; i < PX_SHA256_SIZE; i++)
		fprintf(to, "%02x", sha256[i]);
}

static void print_digest(FILE *to, const uint8_t sha256[PX_SHA256_SIZE])
{
	fputs(", \"digest\": {\"sha256\": \"", to);
	print_hex(to, sha256);
	fputs("\"}", to);
}

/* Which of two verbs decides at which level a module is compiled. */
static enum px_rule_verb level_verb(const struct px_rules *rules,
				    const struct px_account_file *f)
{
	return f->uses_docs && px_rules_keep_docs(rules, f->source)
		       ? PX_RULE_KEEP_DOCS
		       : PX_RULE_OPTIMIZE;
}

/* The rule that says most of what became of a file: which source is kept, at
 * which level it is compiled, why it is there at all. -1: none. */
static ssize_t rule_of(const struct px_rules *rules,
		       const struct px_account_file *f)
{
	const enum px_rule_verb verbs[] = {PX_RULE_KEEP_SOURCE,
					   level_verb(rules, f), PX_RULE_STRIP,
					   PX_RULE_INCLUDE};
	ssize_t rule = -1;

	for (size_t i = 0; i < PX_ARRAY_LEN(verbs) && rule < 0; i++)
		rule = px_rules_decider(rules, verbs[i], f->source, false);
	return rule;
}

static int print_file(FILE *to, const struct px_rules *rules,
		      const struct px_account_file *f)
{
	const ssize_t rule = rule_of(rules, f);
	PX_AUTOFREE char *text =
		rule < 0 ? NULL : px_rules_text(rules, (size_t)rule);

	if (rule >= 0 && !text)
		return -ENOMEM;
	fputs("\n  {\"name\": ", to);
	px_json_string(to, f->path);
	print_digest(to, f->sha256);
	fputs(", \"annotations\": {\"source\": ", to);
	px_json_string(to, f->source);
	if (f->made) {
		fputs(", \"source_sha256\": \"", to);
		print_hex(to, f->source_sha256);
		putc('"', to);
	}
	if (f->is_link)
		fputs(", \"link\": true", to);
	if (text) {
		fputs(", \"rule\": ", to);
		px_json_string(to, text);
	}
	fputs("}}", to);
	return 0;
}

static int print_subjects(FILE *to, const struct px_statement_about *about)
{
	int r = 0;

	fputs(" \"subject\": [", to);
	if (about->archive) {
		fputs("\n  {\"name\": ", to);
		px_json_string(to, about->archive);
		print_digest(to, about->sha256);
		fputs(", \"annotations\": {\"archive\": true}}", to);
	}
	for (size_t i = 0; i < about->account->n && r == 0; i++) {
		if (i > 0 || about->archive)
			putc(',', to);
		r = print_file(to, about->o->rules, &about->account->all[i]);
	}
	fputs("],\n", to);
	return r;
}

static void print_options(FILE *to, const struct px_opt *o)
{
	bool any = false;

	fputs("   \"externalParameters\": {\"options\": {", to);
	for (const char *const *name = px_statement_options; *name; name++) {
		PX_AUTOFREE char *value = px_statement_value(o, *name);

		if (!value)
			continue;
		fprintf(to, "%s\n    \"%s\": ", any ? "," : "", *name);
		px_json_string(to, value);
		any = true;
	}
	fputs("},\n", to);
}

/* Marks the rules that decide at which level a module is compiled, or that its
 * source is kept. */
static void mark_used(const struct px_rules *rules, const struct px_account *a,
		      bool *used)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct px_account_file *f = &a->all[i];
		const ssize_t kept = px_rules_decider(
			rules, PX_RULE_KEEP_SOURCE, f->source, false);
		const ssize_t level = px_rules_decider(
			rules, level_verb(rules, f), f->source, false);

		if (kept >= 0)
			used[kept] = true;
		if (level >= 0)
			used[level] = true;
	}
}

/* The rules that were in force; of the profile's those that did anything. */
static int print_rules(FILE *to, const struct px_rules *rules,
		       const struct px_account *a)
{
	const size_t n = px_rules_count(rules);
	PX_AUTOFREE bool *used = calloc(n + 1, sizeof(*used));
	bool any = false;

	if (!used)
		return -ENOMEM;
	mark_used(rules, a, used);
	fputs("    \"rules\": [", to);
	for (size_t i = 0; i < n; i++) {
		PX_AUTOFREE char *text = NULL;

		if (px_rules_is_built_in(rules, i) && !used[i])
			continue;
		text = px_rules_text(rules, i);
		if (!text)
			return -ENOMEM;
		fputs(any ? ",\n     " : "\n     ", to);
		px_json_string(to, text);
		any = true;
	}
	fputs("]},\n", to);
	return 0;
}

static int print(FILE *to, const struct px_statement_about *about)
{
	const struct px_python *py = about->python;
	char version[32];
	int r;

	fputs("{\"_type\": \"" PX_STATEMENT_TYPE "\",\n", to);
	r = print_subjects(to, about);
	fputs(" \"predicateType\": \"" PX_STATEMENT_PREDICATE "\",\n"
	      " \"predicate\": {\n"
	      "  \"buildDefinition\": {\n"
	      "   \"buildType\": \"" PX_STATEMENT_BUILD "\",\n",
	      to);
	print_options(to, about->o);
	if (r == 0)
		r = print_rules(to, about->o->rules, about->account);
	fprintf(to,
		"   \"resolvedDependencies\": [{\"name\": \"python\", "
		"\"annotations\": {\"version\": \"%s\", \"magic\": %u, "
		"\"canary\": ",
		px_python_short(py, version, sizeof(version)), py->magic);
	px_json_string(to, py->canary);
	fputs("}}", to);
	if (about->o->stripper) {
		fputs(",\n    {\"name\": \"strip\", \"annotations\": "
		      "{\"version\": ",
		      to);
		px_json_string(to, px_strip_tools(about->o->stripper));
		fputs("}}", to);
	}
	fputs("]},\n"
	      "  \"runDetails\": {\"builder\": {\n"
	      "   \"id\": \"pkg:generic/pycfs@" PX_VERSION "\",\n"
	      "   \"version\": {\"pycfs\": \"" PX_VERSION "\"",
	      to);
	if (about->archive) {
		fputs(", \"libarchive\": ", to);
		px_json_string(to, px_sink_library());
	}
	fputs("}}}}}\n", to);
	return r;
}

int px_statement_open(const char *path, struct px_statement_file **ret,
		      struct px_why *why)
{
	struct px_statement_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return px_because(why, -ENOMEM, "out of memory");
	f->path = path;
	r = px_temp_make(&f->temp, path, false, false, why);
	if (r < 0) {
		px_statement_close(f);
		return r;
	}
	*ret = f;
	return 0;
}

static bool is_utf8(const char *s)
{
	for (size_t n; *s; s += n) {
		n = px_utf8_sequence(s);
		if (n == 0)
			return false;
	}
	return true;
}

/* Finds a path that JSON cannot hold. NULL: there is none. */
static const char *find_odd(const struct px_account *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!is_utf8(a->all[i].path) || !is_utf8(a->all[i].source))
			return a->all[i].path;
	return NULL;
}

int px_statement_write(struct px_statement_file *f,
		       const struct px_statement_about *about,
		       struct px_why *why)
{
	const char *odd = find_odd(about->account);
	const int copy = odd ? -1 : fcntl(f->temp.lock, F_DUPFD_CLOEXEC, 3);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	int r;

	if (odd)
		return px_because(why, -EILSEQ,
				  "%s: a manifest cannot hold a name that is "
				  "not UTF-8 (--exclude it)",
				  odd);
	if (!to) {
		r = -errno;
		if (copy >= 0)
			close(copy);
		return px_because(why, r, "%s: %s", f->path, strerror(-r));
	}
	px_account_sort(about->account);
	errno = 0;
	r = print(to, about);
	if (r == 0 && ferror(to))
		r = errno ? -errno : -EIO;
	if (fclose(to) != 0 && r == 0)
		r = -errno;
	return r < 0 ? px_because(why, r, "%s: %s", f->path, strerror(-r)) : 0;
}

int px_statement_commit(struct px_statement_file *f, struct px_why *why)
{
	return px_temp_commit(&f->temp, why);
}

void px_statement_close(struct px_statement_file *f)
{
	if (!f)
		return;
	px_temp_fini(&f->temp);
	free(f);
}
