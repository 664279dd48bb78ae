/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "cli/opt_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_ARGS 32

static const struct px_verb verbs[] = {
	{"mount", PX_VERB_MOUNT, NULL, 2, 2, "SOURCE MOUNTPOINT", "mount it",
	 "Mounts a view of SOURCE that is described here in more words than "
	 "one line of a terminal of eighty columns has room for."},
	{"run", PX_VERB_RUN, NULL, 3, -1, "SOURCE MOUNTPOINT -- COMMAND...",
	 "run COMMAND", "Runs it."},
	{"umount", PX_VERB_UMOUNT, NULL, 1, 1, "MOUNTPOINT", "unmount it",
	 "Unmounts it."},
	{"cache", PX_VERB_CACHE, NULL, 1, 1, "stat|clear", "look", "Looks."},
	{"report", PX_VERB_REPORT, NULL, 1, 1, "MOUNTPOINT", "report",
	 "Reports."},
	{"export", PX_VERB_EXPORT, NULL, 2, 2, "SOURCE DEST", "write it",
	 "Writes it."},
	{"traceback", PX_VERB_TRACEBACK, NULL, 0, 0, "< LOG", "fill", "Fills."},
	{"check", PX_VERB_CHECK, NULL, 1, -1, "SOURCE [-- COMMAND...]", "check",
	 "Checks."},
	{"verify", PX_VERB_VERIFY, NULL, 1, 1, "LAYER", "verify", "Verifies."},
};

#define MOUNT  (&verbs[0])
#define RUN    (&verbs[1])
#define EXPORT (&verbs[5])

/* A command line; its strings are on the heap, and its last option ends where
 * the block does. */
struct line {
	int argc;
	char *argv[MAX_ARGS + 1];
	struct px_opt o;
	struct px_why why;
};

static int parse_as(struct line *l, const struct px_verb *verb, bool helper)
{
	memset(&l->o, 0xff, sizeof(l->o));
	*l->why.text = '\0';
	return px_opt_parse(&l->o, verb, helper, l->argc, l->argv, &l->why);
}

static void push(struct line *l, const char *arg)
{
	assert_true(l->argc < MAX_ARGS);
	l->argv[l->argc++] = strdup(arg);
	l->argv[l->argc] = NULL;
}

/* `words` is NULL-terminated; the verb comes first, as main() has it. */
static struct line *make_line(const char *const *words)
{
	struct line *l = calloc(1, sizeof(*l));

	push(l, "verb");
	for (; *words; words++)
		push(l, *words);
	return l;
}

static void line_free(struct line *l)
{
	px_opt_fini(&l->o);
	for (int i = 0; i < l->argc; i++)
		free(l->argv[i]);
	free(l);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Adds as many arguments as the verb wants. */
static void add_arguments(struct line *l, const struct px_verb *verb)
{
	for (int i = 0; i < verb->min_args; i++)
		push(l, "argument");
}

static struct line *parsed(const char *const *words)
{
	struct line *l = make_line(words);

	add_arguments(l, MOUNT);
	if (parse_as(l, MOUNT, false) != 0)
		fail_msg("%s: %s", words[0], l->why.text);
	return l;
}

static void check_refused(const struct px_verb *verb, bool helper,
			  const char *const *words, const char *says)
{
	struct line *l = make_line(words);

	add_arguments(l, verb);
	if (parse_as(l, verb, helper) != -EINVAL)
		fail_msg("%s %s is accepted", words[0],
			 words[1] ? words[1] : "");
	if (!strstr(l->why.text, says))
		fail_msg("it says \"%s\", not \"%s\"", l->why.text, says);
	assert_null(strchr(l->why.text, '\n'));
	line_free(l);
}

/* --------------------------------------------------------------- the table */

#define IS(name, condition)                           \
	static bool is_##name(const struct px_opt *o) \
	{                                             \
		return condition;                     \
	}

/* Whether the last rule is the user's. */
static bool has_rule(const struct px_opt *o)
{
	const size_t n = px_rules_count(o->rules);

	return n > 0 && !px_rules_is_built_in(o->rules, n - 1);
}

IS(python, o->python &&strcmp(o->python, "3.12") == 0)
IS(worker, o->worker == PX_PYTHON_INTERPRETER)
IS(optimize, o->optimize == 1)
IS(run_optimize, o->run_optimize == 2)
IS(debug_ranges, o->debug_ranges)
IS(strip, o->strip)
IS(strip_tool, o->strip_tool &&strcmp(o->strip_tool, "eu-strip") == 0)
IS(mode, o->mode == PX_PYC_CHECKED_HASH)
IS(marshal, o->plain_marshal)
IS(reproducible, o->must_reproduce)
IS(prefix, strcmp(o->prefix, "/opt/x") == 0)
IS(exclude, o->rules &&px_rules_excluded(o->rules, "d/a.c", false))
IS(include, has_rule(o) && !px_rules_hide(o->rules))
IS(keep_source, o->rules &&px_rules_keep_source(o->rules, "d/a.c"))
IS(optimize_for, o->rules &&px_rules_optimize(o->rules, "d/a.py", 2) == 1)
IS(owner, o->uid == 1000 && o->gid == 0)
IS(mtime, o->mtime == 1700000000)
IS(on_error, o->on_error == PX_ON_ERROR_OMIT)
IS(may_lose, o->may_lose)
IS(follow, o->n_follow == 1 && strcmp(o->follow[0], "/links") == 0)
IS(jobs, o->jobs == 3)
IS(timeout, o->timeout_ms == 1500)
IS(cache, o->cache &&strcmp(o->cache, "/c") == 0)
IS(cache_size, o->cache_size == 5u << 20)
IS(max_source, o->max_source == 5u << 20)
IS(no_cache, o->no_cache)
IS(cache_from, o->cache_from &&strcmp(o->cache_from, "/seed") == 0)
#define KEY	 "ci:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define LONG_KEY "ci:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
IS(remote, o->remote &&strcmp(o->remote, "file:///s") == 0)
IS(remote_trust, o->n_trust == 1 && strcmp(o->trust[0].name, "ci") == 0)
IS(remote_wait, o->remote_wait == 7)
IS(remote_finish, o->remote_finish == 7)
IS(by, o->by &&strcmp(o->by, "ci") == 0)
IS(require_sandbox, o->require_sandbox)
IS(immutable, o->immutable)
IS(no_ahead, o->no_ahead)
IS(foreground, o->foreground)
IS(log_file, o->log_file &&strcmp(o->log_file, "/l") == 0)
IS(verbose, o->verbose)
IS(fuse_debug, o->fuse_debug)
IS(allowed_other, strcmp(o->fuse_options, "allow_other") == 0)
IS(lazy, o->lazy)
IS(modes, o->normal_modes)
IS(force, o->force)
IS(prefix_dir, strcmp(o->prefix_dir, "opt/x") == 0)
IS(check, o->check)
IS(all, o->all_modules)
IS(deadline, o->deadline == 3)
IS(junit, o->junit &&strcmp(o->junit, "j.xml") == 0)
IS(scripts, o->scripts &&strcmp(o->scripts, "usr/bin") == 0)
IS(scripts_python,
   o->scripts_python &&strcmp(o->scripts_python, "/usr/bin/python3") == 0)
IS(hardlink_dupes, o->hardlink_dupes)
IS(max_age, o->max_age == 30)
IS(suggest, o->suggest)
IS(strict, !o->safe)
IS(sort, o->sort == PX_COLUMN_ZSTD)
IS(top, o->top == 7)
IS(all_files, o->all_files)
IS(diff, o->diff &&strcmp(o->diff, "old.json") == 0)
IS(max_growth, o->max_growth == 3 << 10 && o->max_growth_percent < 0)
IS(html, o->html &&strcmp(o->html, "x.html") == 0)
IS(fail_on, o->fail_on == PX_FAIL_BREAKS)
IS(max_size, o->max_size == 3u << 10)
IS(like_du, o->like_du)
IS(max_compressed_size, o->max_compressed_size == 50u << 20)
IS(sources, o->sources &&strcmp(o->sources, "s.tar") == 0)
IS(manifest, o->manifest &&strcmp(o->manifest, "m.json") == 0)
IS(source, o->source &&strcmp(o->source, "sp") == 0)
IS(sbom, o->sbom &&strcmp(o->sbom, "s.json") == 0)
IS(layer, o->layer &&strcmp(o->layer, "l.zip") == 0)
IS(print_digest, o->print_digest)
IS(quiet, o->quiet)
IS(json, o->json)
IS(help, o->help)

/* A good value of every option, what it does, and bad ones. */
static const struct sample {
	const char *name;
	const char *value;
	bool (*is_set)(const struct px_opt *o);
	const char *bad[18];
} samples[] = {
	{"python", "3.12", is_python, {""}},
	{"worker", "interpreter", is_worker, {"", "Auto", "inter", "python"}},
	{"optimize",
	 "1",
	 is_optimize,
	 {"", "3", "-1", "x", "1x", " 1", "+1", "01x", "1.0", "4294967297"}},
	{"debug-ranges", NULL, is_debug_ranges, {0}},
	{"invalidation-mode",
	 "checked-hash",
	 is_mode,
	 {"", "checked", "checked_hash", "Timestamp", "timestamp ", "none"}},
	{"marshal", "cpython", is_marshal, {"", "CPython", "canonica", "4"}},
	{"reproducible",
	 "required",
	 is_reproducible,
	 {"", "Required", "require", "yes"}},
	{"prefix", "/opt/x", is_prefix, {0}},
	{"exclude", "a.c", is_exclude, {"", "/", "!", "[a", "a//b", "a/\\"}},
	{"include", "a.c", is_include, {"", "/", "!", "[a", "a//b", "a/\\"}},
	{"keep-source", "a.c", is_keep_source, {"", "!/", "[a", "a//b"}},
	{"optimize-for",
	 "1:a.py",
	 is_optimize_for,
	 {"", "1", "1:", "3:a", ":a", "a", "-1:a", "11:a", "1:[", "1 a"}},
	{"rules", NULL, NULL, {0}}, /* needs a file: tested apart */
	{"strip", NULL, is_strip, {0}},
	{"strip-tool", "eu-strip", is_strip_tool, {""}},
	{"owner",
	 "1000:0",
	 is_owner,
	 {"", ":", "0", "0:", ":0", "x:0", "0:x", "0:0:0", "-1:0", "0:-1",
	  "4294967295:0", "0:4294967295", "00000000000000000:0"}},
	{"mtime",
	 "1700000000",
	 is_mtime,
	 {"", "-1", "x", "1.5", " 1", "4294967296", "1e9", "0x10",
	  "18446744073709551617", "Content", "contents"}},
	{"modes", "normal", is_modes, {"", "Normal", "norma", "0755"}},
	{"on-error", "omit", is_on_error, {"", "Fail", "omi", "omits", "none"}},
	{"on-lost", "warn", is_may_lose, {"", "Warn", "error", "omit"}},
	{"follow-links", "/links", is_follow, {""}},
	{"jobs", "3", is_jobs, {"", "-1", "1025", "x", "3x", "3.5"}},
	{"timeout",
	 "1.5",
	 is_timeout,
	 {"", "-1", "x", "1s", "86400.5", "nan", "inf", " 1", "1e99", "0x10",
	  "1e1", ".5", "1.", "1.5.1", "1.x", "0X1p3", "+1"}},
	{"max-source",
	 "5M",
	 is_max_source,
	 {"", "0", "-1", "5X", "1024M", "1G", "99999999T"}},
	{"cache", "/c", is_cache, {""}},
	{"cache-size",
	 "5M",
	 is_cache_size,
	 {"", "0", "0K", "-1", "M", "5X", "5MB", "99999999T"}},
	{"no-cache", NULL, is_no_cache, {0}},
	{"cache-from", "/seed", is_cache_from, {""}},
	{"remote",
	 "file:///s",
	 is_remote,
	 {"", "/s", "file://s", "file:/s", "http://", "s3:///", "nonsense"}},
	{"remote-trust",
	 KEY,
	 is_remote_trust,
	 {"ci", ":", LONG_KEY, "c/i:AAAA", "@/nowhere"}},
	{"remote-sign", NULL, NULL, {0}}, /* needs a file: tested apart */
	{"remote-wait", "7", is_remote_wait, {"", "-1", "x", "60001"}},
	{"remote-finish", "7", is_remote_finish, {"", "-1", "x", "86401"}},
	{"by", "ci", is_by, {""}},
	{"require-sandbox", NULL, is_require_sandbox, {0}},
	{"immutable", NULL, is_immutable, {0}},
	{"no-ahead", NULL, is_no_ahead, {0}},
	{"foreground", NULL, is_foreground, {0}},
	{"log-file", "/l", is_log_file, {""}},
	{"verbose", NULL, is_verbose, {0}},
	{"fuse-debug", NULL, is_fuse_debug, {0}},
	{"options",
	 "allow_other",
	 is_allowed_other,
	 {"nonsense", "optimize", "debug-ranges=1", "optimize=3", "python=",
	  "=", "jobs=1,x", "lazy", "json", "max_read", "options=ro"}},
	{"lazy", NULL, is_lazy, {0}},
	{"force", NULL, is_force, {0}},
	{"prefix-dir",
	 "opt/x",
	 is_prefix_dir,
	 {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/..", "a/./b"}},
	{"scripts",
	 "usr/bin",
	 is_scripts,
	 {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/..", "a/./b"}},
	{"scripts-python",
	 "/usr/bin/python3",
	 is_scripts_python,
	 {"", "python3", "/a b", "./python3"}},
	{"check", NULL, is_check, {0}},
	{"all", NULL, is_all, {0}},
	{"deadline", "3", is_deadline, {"", "-1", "x", "86401", "1.5"}},
	{"junit", "j.xml", is_junit, {""}},
	{"hardlink-dupes", NULL, is_hardlink_dupes, {0}},
	{"sources", "s.tar", is_sources, {""}},
	{"sbom", "s.json", is_sbom, {""}},
	{"layer", "l.zip", is_layer, {""}},
	{"manifest", "m.json", is_manifest, {""}},
	{"source", "sp", is_source, {""}},
	{"max-size",
	 "3K",
	 is_max_size,
	 {"", "0", "0K", "-1", "M", "5X", "5MB", "Lambda", "lambdas"}},
	{"size-like", "du", is_like_du, {"", "Du", "df"}},
	{"max-compressed-size",
	 "lambda",
	 is_max_compressed_size,
	 {"", "0", "0K", "-1", "M", "5X", "5MB", "lambda ", "99999999T"}},
	{"print-digest", NULL, is_print_digest, {0}},
	{"max-age", "30", is_max_age, {"", "-1", "x", "1d", "1000001"}},
	{"suggest", NULL, is_suggest, {0}},
	{"profile", "strict", is_strict, {"", "Safe", "none"}},
	{"run-optimize", "2", is_run_optimize, {"", "3", "-1", "OO"}},
	{"sort", "zstd", is_sort, {"", "Name", "bytes", "name "}},
	{"top", "7", is_top, {"", "-1", "x", "1.5", "4294967296"}},
	{"files", NULL, is_all_files, {0}},
	{"diff", "old.json", is_diff, {""}},
	{"max-growth",
	 "3K",
	 is_max_growth,
	 {"", "%", "-1", "-1%", "x%", "3%%", "3 %", "1e999%", "0x10%", "3Q"}},
	{"html", "x.html", is_html, {""}},
	{"fail-on", "breaks", is_fail_on, {"", "may", "3", "Breaks"}},
	{"quiet", NULL, is_quiet, {0}},
	{"json", NULL, is_json, {0}},
	{"help", NULL, is_help, {0}},
};

/* The first of that name. */
static const struct px_opt_row *row_of(const char *name)
{
	for (size_t i = 0; i < PX_N_OPTS; i++)
		if (strcmp(px_opt_rows[i].name, name) == 0)
			return &px_opt_rows[i];
	fail_msg("no option --%s", name);
	return NULL;
}

/* Whether `verb` takes an option of the name of `row`. */
static bool takes(const struct px_verb *verb, const struct px_opt_row *row)
{
	for (size_t i = 0; i < PX_N_OPTS; i++)
		if ((px_opt_rows[i].verbs & (unsigned)verb->bit) &&
		    strcmp(px_opt_rows[i].name, row->name) == 0)
			return true;
	return false;
}

static const struct sample *sample_of(const struct px_opt_row *row)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(samples); i++)
		if (strcmp(samples[i].name, row->name) == 0)
			return &samples[i];
	fail_msg("no sample of --%s: add one", row->name);
	return NULL;
}

static void test_every_row_has_a_sample(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];

		assert_non_null(sample_of(row));
		assert_int_not_equal(row->verbs, 0);
		assert_non_null(row->help);
		assert_int_equal(!row->argument, row->type == PX_OPT_FLAG);
		for (size_t k = 0; k < i; k++) {
			assert_false((row->verbs & px_opt_rows[k].verbs) &&
				     strcmp(row->name, px_opt_rows[k].name) ==
					     0);
			assert_true(row->letter == 0 ||
				    row->letter != px_opt_rows[k].letter);
		}
	}
	for (size_t i = 0; i < PX_ARRAY_LEN(samples); i++)
		assert_non_null(row_of(samples[i].name));
}

/* The first verb that takes `row`. */
static const struct px_verb *verb_of(const struct px_opt_row *row)
{
	const struct px_verb *v = verbs;

	while (!(row->verbs & (unsigned)v->bit))
		v++;
	return v;
}

static void check_taken(struct line *l, const struct px_verb *verb,
			const struct sample *s)
{
	/* A store is no use without a key to trust. */
	if (s->is_set == is_remote)
		push(l, "--remote-trust=" KEY);
	add_arguments(l, verb);
	if (parse_as(l, verb, false) != 0)
		fail_msg("%s %s: %s", l->argv[1], l->argv[2], l->why.text);
	if (!s->is_set(&l->o))
		fail_msg("%s %s has no effect", l->argv[1], l->argv[2]);
	line_free(l);
}

/* --name VALUE, --name=VALUE, -L VALUE and -LVALUE. */
static void check_forms(const struct px_verb *verb,
			const struct px_opt_row *row, const struct sample *s)
{
	const char *value = s->value ? s->value : "";
	char text[100], letter[] = {'-', row->letter, '\0'};
	struct line *l;

	snprintf(text, sizeof(text), "--%s", row->name);
	l = make_line(WORDS(text));
	if (s->value)
		push(l, s->value);
	check_taken(l, verb, s);
	if (s->value) {
		snprintf(text, sizeof(text), "--%s=%s", row->name, s->value);
		check_taken(make_line(WORDS(text)), verb, s);
	}
	if (!row->letter)
		return;
	snprintf(text, sizeof(text), "-%c%s", row->letter, value);
	check_taken(make_line(WORDS(text)), verb, s);
	l = make_line(WORDS(letter));
	if (s->value)
		push(l, s->value);
	check_taken(l, verb, s);
}

/* Whether getopt takes the row's name for the longer one of an option that the
 * verb has. */
static bool is_short_for(const struct px_verb *verb,
			 const struct px_opt_row *row)
{
	for (size_t i = 0; i < PX_N_OPTS; i++)
		if (takes(verb, &px_opt_rows[i]) &&
		    strncmp(px_opt_rows[i].name, row->name,
			    strlen(row->name)) == 0)
			return true;
	return false;
}

static void test_every_row_by_name(void **state PX_UNUSED)
{
	for (size_t v = 0; v < PX_ARRAY_LEN(verbs); v++) {
		for (size_t i = 0; i < PX_N_OPTS; i++) {
			const struct px_opt_row *row = &px_opt_rows[i];
			const struct sample *s = sample_of(row);
			char text[100];

			if (!s->is_set)
				continue;
			assert_int_equal(!row->argument, !s->value);
			if (takes(&verbs[v], row)) {
				check_forms(&verbs[v], row, s);
				continue;
			}
			if (is_short_for(&verbs[v], row))
				continue;
			snprintf(text, sizeof(text), "--%s%s%s", row->name,
				 s->value ? "=" : "", s->value ? s->value : "");
			check_refused(&verbs[v], false, WORDS(text),
				      "unknown option");
		}
	}
}

/* What the samples set is not so by default. */
static void test_defaults(void **state PX_UNUSED)
{
	struct line *l = parsed(WORDS("--"));
	const struct px_opt *o = &l->o;

	for (size_t i = 0; i < PX_ARRAY_LEN(samples); i++)
		if (samples[i].is_set && samples[i].is_set(o))
			fail_msg("--%s", samples[i].name);
	assert_null(o->python);
	assert_int_equal(o->optimize, 2);
	assert_int_equal(o->mode, PX_PYC_UNCHECKED_HASH);
	assert_true(o->safe && px_rules_count(o->rules) > 0);
	assert_false(has_rule(o));
	assert_true(o->uid == -1 && o->gid == -1 && o->mtime == -1);
	assert_string_equal(o->prefix, "/site-packages");
	assert_int_equal(o->on_error, PX_ON_ERROR_FAIL);
	assert_int_equal(o->jobs, 0);
	assert_int_equal(o->timeout_ms, 60000);
	assert_null(o->cache);
	assert_true(o->cache_size == 2ull << 30);
	assert_true(o->max_source == 64u << 20);
	assert_string_equal(o->fuse_options, "");
	assert_string_equal(o->prefix_dir, "");
	assert_true(o->max_size == 0 && o->max_compressed_size == 0);
	assert_false(o->fake || o->nonempty);
	line_free(l);
}

/* What a verb has no option for is no item of its -o either. */
static void test_o_is_of_the_verb(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		const struct sample *s = sample_of(row);
		char item[100];

		if (!s->is_set || strcmp(row->name, "options") == 0)
			continue;
		snprintf(item, sizeof(item), "%s%s%s", row->name,
			 s->value ? "=" : "", s->value ? s->value : "");
		if (row->verbs & PX_VERB_RUN)
			check_taken(make_line(WORDS("-o", item)), RUN, s);
		else
			check_refused(RUN, false, WORDS("-o", item), item);
	}
}

/* The same names as -o NAME=VALUE, dashes or underscores. */
static void test_every_view_row_by_o(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		const struct sample *s = sample_of(row);
		char item[100], with[120], *p;

		if (!s->is_set || strcmp(row->name, "options") == 0)
			continue;
		snprintf(item, sizeof(item), "%s%s%s", row->name,
			 s->value ? "=" : "", s->value ? s->value : "");
		if (!(row->verbs & PX_VERBS_MOUNT)) {
			check_refused(MOUNT, false, WORDS("-o", item), item);
			continue;
		}
		check_taken(make_line(WORDS("-o", item)), MOUNT, s);
		snprintf(with, sizeof(with), "ro,,%s,nonempty,", item);
		check_taken(make_line(WORDS("-o", with)), MOUNT, s);
		for (p = item; *p && *p != '='; p++)
			if (*p == '-')
				*p = '_';
		check_taken(make_line(WORDS("-o", item)), MOUNT, s);
		/* A flag takes no value, the others need one; "owner" alone is
		 * mount(8)'s. */
		snprintf(item, sizeof(item), "%s%s", row->name,
			 s->value ? "" : "=1");
		if (strcmp(item, "owner") != 0)
			check_refused(MOUNT, false, WORDS("-o", item), item);
		/* Of a name all counts. */
		snprintf(item, sizeof(item), "%.*s%s%s",
			 (int)strlen(row->name) - 1, row->name,
			 s->value ? "=" : "", s->value ? s->value : "");
		check_refused(MOUNT, false, WORDS("-o", item), item);
	}
}

static void test_bad_values(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(samples); i++)
		for (size_t k = 0; k < PX_ARRAY_LEN(samples[i].bad); k++) {
			const struct px_verb *verb =
				verb_of(row_of(samples[i].name));
			const char *bad = samples[i].bad[k];
			char name[60], text[100];

			if (!bad)
				break;
			snprintf(name, sizeof(name), "--%s", samples[i].name);
			check_refused(verb, false, WORDS(name, bad), "bad ");
			if (strcmp(samples[i].name, "options") == 0)
				continue;
			snprintf(text, sizeof(text), "%s=%s", samples[i].name,
				 bad);
			if (!strchr(bad, '\\'))
				check_refused(MOUNT, false, WORDS("-o", text),
					      "bad ");
		}
}

static void test_limits(void **state PX_UNUSED)
{
	struct line *l = parsed(WORDS("--jobs=1024", "--timeout=86400",
				      "--mtime=4294967295",
				      "--owner=4294967294:4294967294"));

	assert_int_equal(l->o.jobs, 1024);
	assert_int_equal(l->o.timeout_ms, 86400000);
	assert_true(l->o.mtime == 4294967295);
	assert_true(l->o.uid == 4294967294 && l->o.gid == 4294967294);
	line_free(l);
	l = parsed(WORDS("-j0", "--timeout=0", "--mtime=0", "--owner=0:0",
			 "-O0", "--prefix="));
	assert_true(l->o.jobs == 0 && l->o.timeout_ms == 0);
	assert_true(l->o.mtime == 0 && l->o.uid == 0 && l->o.gid == 0);
	assert_int_equal(l->o.optimize, 0);
	assert_string_equal(l->o.prefix, "");
	line_free(l);
	/* What Lambda takes, in bytes. */
	l = make_line(WORDS("--max-size=lambda",
			    "--max-compressed-size=52428801",
			    "--prefix-dir=.../..a/b.", "src", "x.zip"));
	assert_int_equal(parse_as(l, EXPORT, false), 0);
	assert_true(l->o.max_size == 262144000);
	assert_true(l->o.max_compressed_size == 52428801);
	assert_string_equal(l->o.prefix_dir, ".../..a/b.");
	line_free(l);
}

static void test_the_last_one_counts(void **state PX_UNUSED)
{
	struct line *l =
		parsed(WORDS("-O", "0", "-o", "optimize=1,jobs=2",
			     "--marshal=cpython", "-j4", "--marshal=canonical",
			     "-o", "on-error=omit,on_error=source"));

	assert_int_equal(l->o.optimize, 1);
	assert_int_equal(l->o.jobs, 4);
	assert_false(l->o.plain_marshal);
	assert_int_equal(l->o.on_error, PX_ON_ERROR_SOURCE);
	line_free(l);
}

/* ------------------------------------------------------- -o of other programs
 */

static void test_mount_options(void **state PX_UNUSED)
{
	static const char all[] =
		"ro,rw,defaults,auto,noauto,user,nouser,users,owner,group,"
		"nofail,_netdev,relatime,noatime,nodiratime,x-systemd.requires="
		"a,comment=b,allow_other,nosuid,nodev,exec,noexec,"
		"allow_root,auto_unmount,max_read=4096,nonempty";
	struct line *l = parsed(WORDS("-o", all));

	assert_string_equal(l->o.fuse_options,
			    "allow_other,exec,noexec,"
			    "allow_root,auto_unmount,max_read=4096");
	assert_true(l->o.nonempty);
	line_free(l);
	l = parsed(WORDS("-o", "", "-o", ",,", "-o", "exec", "-oallow_root"));
	assert_string_equal(l->o.fuse_options, "exec,allow_root");
	assert_false(l->o.nonempty);
	line_free(l);
	/* With a value it is ours; without one it is mount(8)'s. */
	l = parsed(WORDS("-o", "owner=1:2,owner"));
	assert_true(l->o.uid == 1 && l->o.gid == 2);
	line_free(l);
	/* A mount stays nosuid and nodev, whoever asks otherwise. */
	check_refused(MOUNT, false, WORDS("-o", "suid"), "'suid'");
	check_refused(MOUNT, true, WORDS("-o", "ro,dev,exec"), "'dev'");
}

static void test_commas_in_values(void **state PX_UNUSED)
{
	struct line *l =
		parsed(WORDS("-o", "exclude=a\\,b,prefix=\\,\\\\,jobs=2", "-o",
			     "python=/a\\,b"));

	assert_true(px_rules_excluded(l->o.rules, "a,b", false));
	assert_false(px_rules_excluded(l->o.rules, "b", false));
	assert_string_equal(l->o.prefix, ",\\");
	assert_int_equal(l->o.jobs, 2);
	assert_string_equal(l->o.python, "/a,b");
	line_free(l);
}

/* Any other backslash is the value's own: patterns have theirs. */
static void test_backslashes_in_values(void **state PX_UNUSED)
{
	struct line *l = parsed(
		WORDS("-o", "exclude=a\\*,exclude=b\\ ,exclude=c\\\\\\\\,"
			    "exclude=\\[d\\],prefix=\\x\\\\y\\"));

	assert_true(px_rules_excluded(l->o.rules, "a*", false));
	assert_false(px_rules_excluded(l->o.rules, "ax", false));
	assert_true(px_rules_excluded(l->o.rules, "b ", false));
	assert_true(px_rules_excluded(l->o.rules, "c\\", false));
	assert_true(px_rules_excluded(l->o.rules, "[d]", false));
	assert_string_equal(l->o.prefix, "\\x\\y\\");
	line_free(l);
}

/* Values of -o live as long as the options, not as argv does. */
static void test_values_are_kept(void **state PX_UNUSED)
{
	struct line *l = parsed(
		WORDS("-o", "python=one,prefix=p", "-o", "cache=two,jobs=1"));

	memset(l->argv[2], 'x', strlen(l->argv[2]));
	memset(l->argv[4], 'x', strlen(l->argv[4]));
	assert_string_equal(l->o.python, "one");
	assert_string_equal(l->o.prefix, "p");
	assert_string_equal(l->o.cache, "two");
	line_free(l);
}

/* ------------------------------------------------------------------- rules */

static char *write_rules(const char *text, size_t n)
{
	char *path = strdup("/tmp/pycfs-test-rules-XXXXXX");
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, text, n), 0);
	close(fd);
	return path;
}

static void remove_rules(char *path)
{
	unlink(path);
	free(path);
}

static void test_order_of_rules(void **state PX_UNUSED)
{
	static const char text[] = "exclude *.c\ninclude b.c\n"
				   "keep-source p.py\noptimize 1 o.py\n";
	char *path = write_rules(text, sizeof(text) - 1);
	char item[100];
	struct line *l;

	snprintf(item, sizeof(item), "rules=%s", path);
	l = parsed(WORDS("--include", "a.c", "--rules", path, "--exclude",
			 "b.c", "--optimize-for", "0:o.py"));
	assert_true(px_rules_excluded(l->o.rules, "a.c", false));
	assert_true(px_rules_excluded(l->o.rules, "b.c", false));
	assert_true(px_rules_keep_source(l->o.rules, "p.py"));
	assert_int_equal(px_rules_optimize(l->o.rules, "o.py", 2), 0);
	line_free(l);

	/* The other way round, and through -o. */
	l = parsed(WORDS("-o",
			 "exclude=b.c,optimize-for=0:o.py,keep-source=!p.py",
			 "-o", item, "--include=a.c"));
	assert_false(px_rules_excluded(l->o.rules, "a.c", false));
	assert_false(px_rules_excluded(l->o.rules, "b.c", false));
	assert_true(px_rules_excluded(l->o.rules, "x.c", false));
	assert_true(px_rules_keep_source(l->o.rules, "p.py"));
	assert_int_equal(px_rules_optimize(l->o.rules, "o.py", 2), 1);
	line_free(l);

	/* Twice the same file: its rules are there again, behind. */
	l = parsed(WORDS("--rules", path, "--include", "*", "--rules", path));
	assert_true(px_rules_excluded(l->o.rules, "x.c", false));
	line_free(l);
	remove_rules(path);
}

static void check_rules_file(const char *text, size_t n, const char *says)
{
	char *path = write_rules(text, n);
	struct line *l = make_line(WORDS("--rules", path));

	add_arguments(l, MOUNT);
	assert_int_equal(parse_as(l, MOUNT, false), says ? -EINVAL : 0);
	if (says && (!strstr(l->why.text, says) || !strstr(l->why.text, path)))
		fail_msg("\"%s\"", l->why.text);
	line_free(l);
	remove_rules(path);
}

static void test_rules_files(void **state PX_UNUSED)
{
	const size_t most = 1 << 20;
	char *large = malloc(most + 1);

	check_rules_file("", 0, NULL);
	check_rules_file("# nothing", 9, NULL);
	check_rules_file("exclude a\n\nexclude [\n", 21, ":3: a [ without");
	check_rules_file("*.c\n", 4, ":1: a rule begins with exclude");
	check_rules_file("exclude a\0", 10, "NUL");
	memset(large, '\n', most + 1);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): no string */
	memcpy(large + most - 10, "exclude [", 9);
	check_rules_file(large, most - 4096, NULL);
	check_rules_file(large, most + 1, "1 MiB");
	free(large);
	check_refused(MOUNT, false, WORDS("--rules", "/none/such"),
		      "'/none/such': No such file");
	check_refused(MOUNT, false, WORDS("--rules", "/"),
		      "'/': Is a directory");
	check_refused(MOUNT, false, WORDS("--rules", ""), "cannot read rules");
	check_refused(MOUNT, false, WORDS("-o", "rules=/none/such"),
		      "'/none/such': No such file");
	check_refused(MOUNT, false, WORDS("--exclude", "[a"),
		      "'[a': a [ without");
	check_refused(MOUNT, false, WORDS("-o", "ro,keep_source=a//b"),
		      "'a//b': two slashes");
}

/* --------------------------------------------------------------- arguments */

static void test_arguments(void **state PX_UNUSED)
{
	struct line *l = make_line(WORDS("src", "-O", "1", "mnt", "-v"));

	assert_int_equal(parse_as(l, MOUNT, false), 0);
	assert_int_equal(l->o.n_args, 2);
	assert_string_equal(l->o.args[0], "src");
	assert_string_equal(l->o.args[1], "mnt");
	assert_true(l->o.verbose && l->o.optimize == 1);
	line_free(l);

	l = make_line(WORDS("src", "mnt", "-O1", "--", "ls", "-l", "--help"));
	assert_int_equal(parse_as(l, RUN, false), 0);
	assert_int_equal(l->o.n_args, 5);
	assert_string_equal(l->o.args[2], "ls");
	assert_string_equal(l->o.args[4], "--help");
	assert_false(l->o.help);
	line_free(l);

	l = make_line(WORDS("src"));
	assert_int_equal(parse_as(l, MOUNT, false), -EINVAL);
	assert_non_null(strstr(l->why.text, "SOURCE MOUNTPOINT"));
	line_free(l);
	l = make_line(WORDS("src", "mnt", "more"));
	assert_int_equal(parse_as(l, MOUNT, false), -EINVAL);
	assert_non_null(strstr(l->why.text, "'more'"));
	line_free(l);
	/* Asking for help is never wrong. */
	l = make_line(WORDS("--help"));
	assert_int_equal(parse_as(l, MOUNT, false), 0);
	assert_true(l->o.help);
	line_free(l);
}

static void test_wrong_options(void **state PX_UNUSED)
{
	check_refused(MOUNT, false, WORDS("--nonsense"), "'--nonsense'");
	check_refused(MOUNT, false, WORDS("-Z"), "'-Z'");
	check_refused(MOUNT, false, WORDS("-vZ"), "'-Z'");
	check_refused(MOUNT, false, WORDS("--immutable=1"), "'--immutable=1'");
	check_refused(MOUNT, false, WORDS("--no"), "'--no'"); /* which? */
	check_refused(MOUNT, false, WORDS("-s"), "'-s'");
	check_refused(&verbs[2], false, WORDS("-o", "ro"), "'-o'");
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		char name[60];
		struct line *l;

		if (!row->argument)
			continue;
		snprintf(name, sizeof(name), "--%s", row->name);
		l = make_line(WORDS("src", "mnt", name));
		assert_int_equal(parse_as(l, verb_of(row), false), -EINVAL);
		assert_non_null(strstr(l->why.text, "needs a value"));
		assert_non_null(strstr(l->why.text, name));
		line_free(l);
	}
}

/* ---------------------------------------------------------------- mount(8) */

static void test_helper(void **state PX_UNUSED)
{
	/* mount(8): mount.fuse.pycfs SOURCE MOUNTPOINT [-sfnv] [-N NS]
	 * [-o OPTIONS] [-t TYPE] */
	struct line *l =
		make_line(WORDS("src", "mnt", "-sn", "-v", "-N", "ns", "-o",
				"rw,optimize=1", "-t", "fuse.pycfs"));

	assert_int_equal(parse_as(l, MOUNT, true), 0);
	assert_int_equal(l->o.n_args, 2);
	assert_string_equal(l->o.args[0], "src");
	assert_int_equal(l->o.optimize, 1);
	assert_false(l->o.fake || l->o.verbose || l->o.foreground);
	line_free(l);

	l = make_line(WORDS("src", "mnt", "-fv"));
	assert_int_equal(parse_as(l, MOUNT, true), 0);
	assert_true(l->o.fake);
	assert_false(l->o.verbose || l->o.foreground);
	line_free(l);

	/* By their names they are ours all the same. */
	l = make_line(
		WORDS("src", "mnt", "-o", "foreground,verbose", "-O0", "-j2"));
	assert_int_equal(parse_as(l, MOUNT, true), 0);
	assert_true(l->o.foreground && l->o.verbose && !l->o.fake);
	assert_true(l->o.optimize == 0 && l->o.jobs == 2);
	line_free(l);

	check_refused(MOUNT, true, WORDS("-o", "nonsense"), "'nonsense'");
	check_refused(MOUNT, true, WORDS("-X"), "'-X'");
	/* No helper: -f is ours, -s nobody's. */
	l = parsed(WORDS("-fv"));
	assert_true(l->o.foreground && l->o.verbose && !l->o.fake);
	line_free(l);
}

/* ------------------------------------------------------- SOURCE_DATE_EPOCH */

static void check_epoch(const struct px_verb *verb, const char *epoch,
			const char *const *words, int64_t mtime)
{
	struct line *l;

	setenv("SOURCE_DATE_EPOCH", epoch, 1);
	l = make_line(words);
	add_arguments(l, verb);
	if (parse_as(l, verb, false) != 0)
		fail_msg("%s", l->why.text);
	assert_true(l->o.mtime == mtime);
	line_free(l);
	unsetenv("SOURCE_DATE_EPOCH");
}

static void test_source_date_epoch(void **state PX_UNUSED)
{
	static const char *const bad[] = {"x", "-1", "1.5", " 1", "4294967296"};

	check_epoch(EXPORT, "1700000000", WORDS("-v"), 1700000000);
	check_epoch(EXPORT, "0", WORDS("-v"), 0);
	check_epoch(EXPORT, "", WORDS("-v"), -1);
	check_epoch(EXPORT, "5", WORDS("--mtime=7"), 7);
	check_epoch(MOUNT, "5", WORDS("-o", "mtime=0"), 0);
	/* A mount takes it only if it is asked to. */
	check_epoch(MOUNT, "1700000000", WORDS("-v"), -1);
	check_epoch(MOUNT, "5", WORDS("--mtime=content"), 5);
	check_epoch(MOUNT, "5", WORDS("--mtime=6", "--mtime=content"), 5);
	check_epoch(MOUNT, "5", WORDS("--mtime=content", "--mtime=6"), 6);
	check_epoch(EXPORT, "5", WORDS("--mtime=content"), 5);
	check_epoch(MOUNT, "", WORDS("--mtime=content"), 1577836800);
	/* Nobody asks for it. */
	check_epoch(EXPORT, "x", WORDS("--mtime=7"), 7);
	check_epoch(MOUNT, "x", WORDS("-v"), -1);
	for (size_t i = 0; i < PX_ARRAY_LEN(bad); i++) {
		setenv("SOURCE_DATE_EPOCH", bad[i], 1);
		check_refused(EXPORT, false, WORDS("-v"), "SOURCE_DATE_EPOCH");
		check_refused(EXPORT, false, WORDS("-v"), bad[i]);
		check_refused(MOUNT, false, WORDS("--mtime=content"), bad[i]);
	}
	unsetenv("SOURCE_DATE_EPOCH");
}

/* -------------------------------------------------------------------- help */

/* What px_opt_help prints; free() it. */
static char *help_of(const struct px_verb *verb)
{
	char path[] = "/tmp/pycfs-test-help-XXXXXX";
	const int fd = mkstemp(path), out = dup(STDOUT_FILENO);
	char *text = calloc(1, 20000);

	assert_true(fd >= 0 && out >= 0);
	unlink(path);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	px_opt_help(verb);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	assert_true(pread(fd, text, 19999, 0) > 0);
	close(fd);
	return text;
}

static void check_columns(const char *text)
{
	while (*text) {
		const size_t n = strcspn(text, "\n");

		if (n > 80 || (n > 0 && text[n - 1] == ' '))
			fail_msg("%zu columns: %.*s", n, (int)n, text);
		assert_true(text[n] == '\n');
		text += n + 1;
	}
}

static void test_help(void **state PX_UNUSED)
{
	for (size_t v = 0; v < PX_ARRAY_LEN(verbs); v++) {
		char *text = help_of(&verbs[v]);
		char usage[100];

		check_columns(text);
		snprintf(usage, sizeof(usage), "usage: pycfs %s [options] %s\n",
			 verbs[v].name, verbs[v].arguments);
		assert_int_equal(strncmp(text, usage, strlen(usage)), 0);
		/* Exactly the options that it takes, each with its value. */
		for (size_t i = 0; i < PX_N_OPTS; i++) {
			const struct px_opt_row *row = &px_opt_rows[i];
			char name[60], letter[8] = "    ";

			if (row->letter)
				snprintf(letter, sizeof(letter), "-%c, ",
					 row->letter);
			snprintf(name, sizeof(name), "\n  %s--%s%s%s ", letter,
				 row->name, row->argument ? " " : "",
				 row->argument ? row->argument : "");
			/* A long name has its text in the next line. */
			if (!strstr(text, name))
				name[strlen(name) - 1] = '\n';
			if ((strstr(text, name) != NULL) !=
			    takes(&verbs[v], row))
				fail_msg("%s --help, --%s", verbs[v].name,
					 row->name);
		}
		free(text);
	}
}

/* Every choice is taken, stored as what it is, and known to --help and to the
 * message about what is none. */
static void test_choices(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		const struct px_opt_choice *c = row->choices;
		char *help = help_of(verb_of(row));
		size_t n_defaults = 0;

		for (; c && c->name; c++) {
			char text[100];
			struct line *l;
			unsigned value;

			snprintf(text, sizeof(text), "--%s=%s", row->name,
				 c->name);
			l = make_line(WORDS(text));
			add_arguments(l, verb_of(row));
			assert_int_equal(parse_as(l, verb_of(row), false), 0);
			memcpy(&value, (char *)&l->o + row->at, sizeof(value));
			assert_int_equal(value, c->value);
			line_free(l);
			snprintf(text, sizeof(text), "--%s=?", row->name);
			check_refused(verb_of(row), false, WORDS(text),
				      c->name);
			if (!strstr(help, c->name))
				fail_msg("--%s %s", row->name, c->name);
			n_defaults += px_opt_is_default(row, c);
		}
		assert_true(n_defaults <= 1);
		free(help);
	}
	check_refused(MOUNT, false, WORDS("--on-error=?"),
		      "--on-error: fail, source or omit");
}

/* No word of the texts is lost by wrapping. */
static void test_help_is_complete(void **state PX_UNUSED)
{
	char *text = help_of(MOUNT);
	const char *at = text;

	for (const char *p = MOUNT->details; *p;) {
		const size_t n = strcspn(p, " ");
		char word[40];

		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		at = at ? strstr(at, word) : NULL;
		if (!at)
			fail_msg("\"%s\" is missing", word);
		p += n + (p[n] == ' ');
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_has_a_sample),
		cmocka_unit_test(test_every_row_by_name),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_view_row_by_o),
		cmocka_unit_test(test_o_is_of_the_verb),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_the_last_one_counts),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_commas_in_values),
		cmocka_unit_test(test_backslashes_in_values),
		cmocka_unit_test(test_values_are_kept),
		cmocka_unit_test(test_order_of_rules),
		cmocka_unit_test(test_rules_files),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_wrong_options),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_source_date_epoch),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_help_is_complete),
	};

	/* The environment of who runs this is no part of it. */
	unsetenv("SOURCE_DATE_EPOCH");
	unsetenv("POSIXLY_CORRECT");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
