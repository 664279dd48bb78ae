/* SPDX-License-Identifier: MIT */
#include "opt_table.h"
#include "opt_value.h"
#include "opt_wrong.h"
#include "pycfs/log.h"

#include <getopt.h>
#include <stdio.h>

/* getopt_long returns LONG_BASE plus the index of the row for a long option,
 * which no character of a short option can be. */
#define LONG_BASE 256

/* Whether -o may have this option, but we need not act on it. Users write such
 * options in fstab, and mount(8) adds some: a view is always read-only, nosuid
 * and nodev, and the others are for other programs. */
static bool is_ignored(const char *name)
{
	static const char *const ignored[] = {
		"ro",	  "rw",	     "defaults", "auto",    "noauto",
		"user",	  "nouser",  "users",	 "owner",   "group",
		"nofail", "_netdev", "relatime", "noatime", "nodiratime",
		"nosuid", "nodev",
	};
	size_t i;

	if (strncmp(name, "x-", 2) == 0 || strncmp(name, "comment=", 8) == 0)
		return true;
	for (i = 0; i < PX_ARRAY_LEN(ignored); i++)
		if (strcmp(name, ignored[i]) == 0)
			return true;
	return false;
}

/* Whether libfuse handles this option of -o. */
static bool is_for_fuse(const char *name)
{
	static const char *const passed[] = {
		"allow_other", "allow_root", "auto_unmount", "exec", "noexec",
	};
	size_t i;

	if (strncmp(name, "max_read=", 9) == 0)
		return true;
	for (i = 0; i < PX_ARRAY_LEN(passed); i++)
		if (strcmp(name, passed[i]) == 0)
			return true;
	return false;
}

/* Returns the option of `verb` that -o calls `name`, which has `n` bytes and
 * may have underscores in place of dashes; NULL if there is none. */
static const struct px_opt_row *find_row(unsigned verb, const char *name,
					 size_t n)
{
	size_t i, k;

	for (i = 0; i < PX_N_OPTS; i++) {
		const char *want = px_opt_rows[i].name;

		if (strlen(want) != n || !(px_opt_rows[i].verbs & verb) ||
		    px_opt_rows[i].type == PX_OPT_LIST)
			continue;
		for (k = 0; k < n; k++)
			if (want[k] != (name[k] == '_' ? '-' : name[k]))
				break;
		if (k == n)
			return &px_opt_rows[i];
	}
	return NULL;
}

static int pass_to_fuse(struct px_opt *o, const char *item)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", o->fuse_options,
		     *o->fuse_options ? "," : "", item) < 0)
		return -ENOMEM;
	free(o->fuse_options);
	o->fuse_options = joined;
	return 0;
}

static int set_item(struct px_opt *o, const char *item)
{
	const char *equals = strchr(item, '=');
	const size_t n = equals ? (size_t)(equals - item) : strlen(item);
	const struct px_opt_row *row = find_row(o->verb, item, n);

	if (row && !row->argument == !equals)
		return px_opt_take(o, row, equals ? equals + 1 : NULL);
	if (strcmp(item, "nonempty") == 0) {
		o->nonempty = true;
		return 0;
	}
	if (is_ignored(item))
		return 0;
	if (strcmp(item, "suid") == 0 || strcmp(item, "dev") == 0)
		return px_because(
			&o->bad, -EINVAL,
			"mount option '%s': a view has no set-user-ID "
			"files and no devices: leave it out",
			item);
	return is_for_fuse(item) ? pass_to_fuse(o, item) : -EINVAL;
}

/* Cuts the first item off the list `p`, in place, and returns the rest of the
 * list; NULL: there is no more. A comma ends an item unless a backslash is
 * before it. "\\" stands for one backslash. Before any other character a
 * backslash is kept, because patterns have escapes of their own. */
static char *cut_item(char *p)
{
	char *to = p;

	for (; *p && *p != ','; p++) {
		p += *p == '\\' && (p[1] == ',' || p[1] == '\\');
		*to++ = *p;
	}
	p = *p ? p + 1 : NULL;
	*to = '\0';
	return p;
}

/* Sets the options in `value`, which is the value of -o. */
static int take_list(struct px_opt *o, const char *value)
{
	char *copy = strdup(value), *item, *next;
	char **kept;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	/* The values of the options will point into the copy, so that it has
	 * to live as long as they do. */
	kept = realloc(o->kept, (o->n_kept + 1) * sizeof(*kept));
	if (!kept) {
		free(copy);
		return -ENOMEM;
	}
	o->kept = kept;
	o->kept[o->n_kept++] = copy;
	for (item = copy; item && r == 0; item = next) {
		next = cut_item(item);
		if (*item)
			r = set_item(o, item);
		if (r < 0)
			o->bad_item = item;
	}
	return r;
}

static void make_getopt(const struct px_verb *verb, bool helper,
			struct option *longs, char *shorts)
{
	size_t i, n = 0;

	*shorts++ = ':';
	for (i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];

		if (!(row->verbs & (unsigned)verb->bit))
			continue;
		longs[n].name = row->name;
		longs[n].has_arg =
			row->argument ? required_argument : no_argument;
		longs[n].val = LONG_BASE + (int)i;
		n++;
		if (row->letter && !(helper && strchr("fv", row->letter))) {
			*shorts++ = row->letter;
			if (row->argument)
				*shorts++ = ':';
		}
	}
	/* The options that mount(8) passes to a helper: fake, verbose, no mtab,
	 * sloppy, namespace, type. */
	if (helper)
		shorts = stpcpy(shorts, "fvnsN:t:");
	*shorts = '\0';
	longs[n] = (struct option){0};
}

/* Returns the row of the option for which getopt_long returned `c`. */
static const struct px_opt_row *row_of(int c)
{
	size_t i;

	if (c >= LONG_BASE)
		return &px_opt_rows[c - LONG_BASE];
	for (i = 0; i < PX_N_OPTS; i++)
		if (px_opt_rows[i].letter == c)
			return &px_opt_rows[i];
	return NULL;
}

static int bad_value(const struct px_opt *o, const struct px_opt_row *row,
		     const char *value, const struct px_verb *verb,
		     struct px_why *why)
{
	char choices[256];

	if (*o->bad.text) {
		*why = o->bad;
		return -EINVAL;
	}
	if (o->bad_item)
		return px_because(why, -EINVAL,
				  "bad or unknown mount option '%s' (see "
				  "'pycfs %s --help')",
				  o->bad_item, verb->name);
	return px_because(why, -EINVAL, "bad value '%s' for --%s: %s", value,
			  row->name,
			  row->choices ? px_opt_choices(row, false, choices,
							sizeof(choices))
				       : row->help);
}

static int take_row(struct px_opt *o, const struct px_opt_row *row,
		    const char *value, const struct px_verb *verb,
		    struct px_why *why)
{
	const int r = row->type == PX_OPT_LIST ? take_list(o, value)
					       : px_opt_take(o, row, value);

	return r < 0 ? bad_value(o, row, value, verb, why) : 0;
}

static bool is_off(const char *value)
{
	return strcmp(value, "0") == 0 || strcmp(value, "no") == 0 ||
	       strcmp(value, "false") == 0;
}

/* Takes what the environment says of options that are not in `given`. */
static int take_environment(struct px_opt *o, const struct px_verb *verb,
			    const bool given[PX_N_OPTS], struct px_why *why)
{
	size_t used = 0;

	for (size_t i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];
		const char *v = row->env ? getenv(row->env) : NULL;
		struct px_why wrong;

		if (!v || !*v || given[i] ||
		    !(row->verbs & (unsigned)verb->bit) ||
		    (row->type == PX_OPT_FLAG && is_off(v)))
			continue;
		if (take_row(o, row, v, verb, &wrong) < 0)
			return px_because(why, -EINVAL,
					  "%s in the environment: %s", row->env,
					  wrong.text);
		if (used < sizeof(o->environment))
			used += (size_t)snprintf(o->environment + used,
						 sizeof(o->environment) - used,
						 "%s%s", used > 0 ? ", " : "",
						 row->env);
	}
	return 0;
}

/* How many arguments come after a "--" that ends the options, in argv as it was
 * before getopt_long permutes it; `n` of the values of options are "--", too.
 * -1: there is none. */
static int count_behind(int argc, char **argv, int n)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0 && n-- == 0)
			return argc - i - 1;
	return -1;
}

static int parse_options(struct px_opt *o, const struct px_verb *verb,
			 bool helper, int argc, char **argv, struct px_why *why)
{
	struct option longs[PX_N_OPTS + 1] = {0};
	PX_AUTOFREE char **was = calloc((size_t)argc + 1, sizeof(*was));
	bool given[PX_N_OPTS] = {false};
	char shorts[PX_N_OPTS * 2 + 16];
	int behind, n_dashes = 0;
	const struct px_opt_row *row;
	int c, r = 0;

	if (!was)
		return px_because(why, -ENOMEM, "out of memory");
	memcpy(was, argv, (size_t)argc * sizeof(*was));
	make_getopt(verb, helper, longs, shorts);
	optind = 0; /* GNU getopt: forget the state of an earlier call */
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (helper && c < LONG_BASE && strchr("fvnsNt", c)) {
			o->fake |= c == 'f';
			continue;
		}
		if (c == ':')
			return px_because(why, -EINVAL,
					  "option '%s' needs a value",
					  argv[optind - 1]);
		row = c == '?' ? NULL : row_of(c);
		if (!row)
			return px_opt_unknown(
				verb,
				optopt > 0 && optopt < LONG_BASE
					? (char[]){'-', (char)optopt, '\0'}
					: argv[optind - 1],
				why);
		given[row - px_opt_rows] = true;
		n_dashes += row->argument && optarg == argv[optind - 1] &&
			    strcmp(optarg, "--") == 0;
		r = take_row(o, row, optarg, verb, why);
		if (r < 0)
			return r;
	}
	if (!helper && !o->help)
		r = take_environment(o, verb, given, why);
	o->args = argv + optind;
	o->n_args = argc - optind;
	behind = count_behind(argc, was, n_dashes);
	o->n_before = o->n_args - (behind > 0 ? behind : 0);
	return r;
}

int px_opt_parse(struct px_opt *o, const struct px_verb *verb, bool helper,
		 int argc, char **argv, struct px_why *why)
{
	int r;

	*o = px_opt_defaults;
	o->verb = verb->bit;
	o->fuse_options = strdup("");
	if (!o->fuse_options)
		return px_because(why, -ENOMEM, "out of memory");
	r = parse_options(o, verb, helper, argc, argv, why);
	if (r < 0 || o->help)
		return r < 0 ? r : 0;
	/* What is verified has the rules of its manifest. */
	if (o->safe && o->verb != PX_VERB_VERIFY && px_opt_add_profile(o) < 0)
		return px_because(why, -ENOMEM, "out of memory");
	if (px_opt_epoch(o, why) < 0)
		return -EINVAL;
	/* Of the cache's verbs not all need one. */
	r = o->verb == PX_VERB_CACHE ? 0 : px_opt_check_remote(o, why);
	if (r < 0)
		return r;
	if (o->n_args < verb->min_args)
		return px_opt_missing(verb, o->n_args, why);
	if (verb->max_args >= 0 && o->n_args > verb->max_args)
		return px_because(why, -EINVAL,
				  "unexpected argument '%s': pycfs %s "
				  "[options] %s",
				  o->args[verb->max_args], verb->name,
				  verb->arguments);
	return 0;
}

void px_opt_talk(const struct px_opt *o)
{
	px_log_init(PX_LOG_STDERR, o->quiet ? PX_LOG_WARNING
				   : o->verbose || isatty(STDERR_FILENO)
					   ? PX_LOG_INFO
					   : PX_LOG_NOTICE);
}

void px_opt_fini(struct px_opt *o)
{
	size_t i;

	for (i = 0; i < o->n_kept; i++)
		free(o->kept[i]);
	free(o->kept);
	for (i = 0; i < o->n_follow; i++)
		free(o->follow[i]);
	free(o->follow);
	px_rules_free(o->rules);
	px_strip_free(o->stripper);
	if (o->secret)
		px_secret_wipe(o->secret);
	free(o->secret);
	free(o->trust);
	free(o->fuse_options);
}
