/* SPDX-License-Identifier: MIT */
#include "opt_i.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#define LONG_BASE 256 /* getopt's values for long options: row + this */

static const struct px_opt defaults = {
	.optimize = 2,
	.mode = PX_PYC_UNCHECKED_HASH,
	.prefix = "",
	.prefix_dir = "",
	.sort = PX_COLUMN_SHIPPED,
	.max_age = UINT_MAX,
	.max_growth = -1,
	.max_growth_percent = -1,
	.uid = -1,
	.gid = -1,
	.mtime = -1,
	.timeout_ms = 60000,
	.cache_size = 2ull << 30,
	.max_source = 64u << 20,
};

bool px_opt_is_default(const struct px_opt_row *row,
		       const struct px_opt_choice *choice)
{
	unsigned value;

	memcpy(&value, (const char *)&defaults + row->at, sizeof(value));
	return value == choice->value;
}

static int apply(struct px_opt *o, const struct px_opt_row *row,
		 const char *value)
{
	char *at = (char *)o + row->at;
	const struct px_opt_choice *c;

	if (row->set)
		return row->set(o, value);
	for (c = row->choices; c && c->name; c++)
		if (strcmp(c->name, value) == 0) {
			memcpy(at, &c->value, sizeof(c->value));
			return 0;
		}
	if (row->choices)
		return -EINVAL;
	*(bool *)at = true;
	return 0;
}

/* The choices of `row`, for a sentence. */
static const char *choices_text(const struct px_opt_row *row, bool explain,
				char *buf, size_t n)
{
	const struct px_opt_choice *c;
	size_t used = 0;

	for (c = row->choices; c->name && used < n; c++) {
		const bool usual = explain && px_opt_is_default(row, c);
		const char *help = explain && c->help ? c->help : "";
		const char *before = c == row->choices	    ? ""
				     : explain || c[1].name ? ", "
							    : " or ";

		used += (size_t)snprintf(
			buf + used, n - used, "%s%s%s%s%s%s%s", before, c->name,
			usual || *help ? " (" : "", help,
			usual && *help ? "; " : "", usual ? "default" : "",
			usual || *help ? ")" : "");
	}
	return buf;
}

/* Options that mount(8) and fstab add and that need nothing from us: the mount
 * is read-only, nosuid and nodev anyhow, and the rest is for other programs. */
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

/* The verb's option `name` of `n` bytes as in -o, where underscores are as good
 * as dashes. */
static const struct px_opt_row *find_row(unsigned verb, const char *name,
					 size_t n)
{
	size_t i, k;

	for (i = 0; i < PX_N_OPTS; i++) {
		const char *want = px_opt_rows[i].name;

		if (strlen(want) != n || !(px_opt_rows[i].verbs & verb) ||
		    px_opt_rows[i].set == px_opt_mount_options)
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
		return apply(o, row, equals ? equals + 1 : NULL);
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

/* Ends `p` at its first comma; a backslash makes a comma or a backslash part of
 * it. Any other is the value's: patterns have escapes of their own. */
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

int px_opt_mount_options(struct px_opt *o, const char *value)
{
	char *copy = strdup(value), *item, *next;
	char **kept;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	/* Values point into the copy: it lives as long as the options. */
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
	/* mount(8): fake, verbose, no mtab, sloppy, namespace, type. */
	if (helper)
		shorts = stpcpy(shorts, "fvnsN:t:");
	*shorts = '\0';
	longs[n] = (struct option){0};
}

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
			  row->choices ? choices_text(row, false, choices,
						      sizeof(choices))
				       : row->help);
}

static int parse_options(struct px_opt *o, const struct px_verb *verb,
			 bool helper, int argc, char **argv, struct px_why *why)
{
	struct option longs[PX_N_OPTS + 1] = {0};
	char shorts[PX_N_OPTS * 2 + 16];
	const struct px_opt_row *row;
	int c;

	make_getopt(verb, helper, longs, shorts);
	optind = 0; /* GNU: begin anew, also within an argument */
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
			return px_because(
				why, -EINVAL,
				"unknown option '%s' (see 'pycfs %s "
				"--help')",
				optopt > 0 && optopt < LONG_BASE
					? (char[]){'-', (char)optopt, '\0'}
					: argv[optind - 1],
				verb->name);
		if (apply(o, row, optarg) < 0)
			return bad_value(o, row, optarg, verb, why);
	}
	return optind;
}

int px_opt_parse(struct px_opt *o, const struct px_verb *verb, bool helper,
		 int argc, char **argv, struct px_why *why)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int r;

	*o = defaults;
	o->verb = verb->bit;
	o->fuse_options = strdup("");
	if (!o->fuse_options)
		return px_because(why, -ENOMEM, "out of memory");
	r = parse_options(o, verb, helper, argc, argv, why);
	if (r < 0 || o->help)
		return r < 0 ? r : 0;
	if (o->safe && px_opt_add_profile(o) < 0)
		return px_because(why, -ENOMEM, "out of memory");
	/* Only what shows times cares. */
	if ((verb->bit & PX_VERBS_VIEW) && o->mtime < 0 && epoch && *epoch &&
	    px_opt_mtime(o, epoch) < 0)
		return px_because(why, -EINVAL,
				  "bad SOURCE_DATE_EPOCH '%s': "
				  "seconds since 1970 are wanted",
				  epoch);
	o->args = argv + r;
	o->n_args = argc - r;
	if (o->n_args < verb->min_args)
		return px_because(why, -EINVAL,
				  "missing argument: pycfs %s [options] %s",
				  verb->name, verb->arguments);
	if (verb->max_args >= 0 && o->n_args > verb->max_args)
		return px_because(why, -EINVAL,
				  "unexpected argument '%s': pycfs %s "
				  "[options] %s",
				  o->args[verb->max_args], verb->name,
				  verb->arguments);
	return 0;
}

void px_opt_fini(struct px_opt *o)
{
	size_t i;

	for (i = 0; i < o->n_kept; i++)
		free(o->kept[i]);
	free(o->kept);
	px_rules_free(o->rules);
	free(o->fuse_options);
}

/* Prints `text` from column `indent` on, within 80 columns. */
static void print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text) {
		const int n = (int)strcspn(text, " ");

		if (column > indent && column + 1 + n > 79) {
			printf("\n%*s", indent, "");
			column = indent;
		}
		if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

void px_opt_help(const struct px_verb *verb)
{
	char text[512], choices[400];
	size_t i;
	int n;

	printf("usage: pycfs %s [options] %s\n\n", verb->name, verb->arguments);
	print_wrapped(verb->details, 0);
	printf("\noptions:\n");
	for (i = 0; i < PX_N_OPTS; i++) {
		const struct px_opt_row *row = &px_opt_rows[i];

		if (!(row->verbs & (unsigned)verb->bit))
			continue;
		n = row->letter ? printf("  -%c, --%s", row->letter, row->name)
				: printf("      --%s", row->name);
		if (row->argument)
			n += printf(" %s", row->argument);
		if (n < 29)
			printf("%*s", 30 - n, "");
		else
			printf("\n%*s", 30, "");
		snprintf(text, sizeof(text), "%s%s%s", row->help,
			 row->choices ? ": " : "",
			 row->choices ? choices_text(row, true, choices,
						     sizeof(choices))
				      : "");
		print_wrapped(text, 30);
	}
}
