/* SPDX-License-Identifier: MIT */
#include "pycfs/opt.h"

#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#define VIEW	  (PX_VERB_MOUNT | PX_VERB_RUN)
#define ALL	  (VIEW | PX_VERB_UMOUNT | PX_VERB_CACHE | PX_VERB_REPORT)
#define LONG_BASE 256 /* getopt's values for long options: row + this */

struct option_row {
	const char *name;
	char letter;	      /* 0: none */
	const char *argument; /* NULL: a flag */
	unsigned verbs;
	int (*set)(struct px_opt *o, const char *value); /* -EINVAL: bad */
	size_t flag; /* offset of a bool, where `set` is NULL */
	const char *help;
};

static int take_uint(const char *text, unsigned max, unsigned *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 ||
	    v > max)
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

static int set_python(struct px_opt *o, const char *v)
{
	o->python = v;
	return *v ? 0 : -EINVAL;
}

static int set_optimize(struct px_opt *o, const char *v)
{
	return take_uint(v, 2, &o->optimize);
}

static int set_mode(struct px_opt *o, const char *v)
{
	return px_pyc_parse_mode(v, &o->mode);
}

static int set_marshal(struct px_opt *o, const char *v)
{
	o->plain_marshal = strcmp(v, "cpython") == 0;
	return o->plain_marshal || strcmp(v, "canonical") == 0 ? 0 : -EINVAL;
}

static int set_prefix(struct px_opt *o, const char *v)
{
	o->prefix = v;
	return 0;
}

static int set_on_error(struct px_opt *o, const char *v)
{
	static const char *const names[] = {
		[PX_ON_ERROR_FAIL] = "fail",
		[PX_ON_ERROR_SOURCE] = "source",
		[PX_ON_ERROR_OMIT] = "omit",
	};
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(names); i++) {
		if (strcmp(v, names[i]) == 0) {
			o->on_error = (enum px_on_error)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_jobs(struct px_opt *o, const char *v)
{
	return take_uint(v, 1024, &o->jobs);
}

/* Seconds, possibly with a fraction. */
static int set_timeout(struct px_opt *o, const char *v)
{
	double seconds;
	char *end;

	errno = 0;
	seconds = strtod(v, &end);
	if (!isdigit((unsigned char)*v) || *end != '\0' || errno != 0 ||
	    !(seconds >= 0 && seconds <= 86400))
		return -EINVAL;
	o->timeout_ms = (unsigned)(seconds * 1000);
	return 0;
}

static int set_cache(struct px_opt *o, const char *v)
{
	o->cache = v;
	return *v ? 0 : -EINVAL;
}

static int set_cache_size(struct px_opt *o, const char *v)
{
	return px_parse_size(v, &o->cache_size) < 0 || o->cache_size == 0
		       ? -EINVAL
		       : 0;
}

static int set_log_file(struct px_opt *o, const char *v)
{
	o->log_file = v;
	return *v ? 0 : -EINVAL;
}

static int set_mount_options(struct px_opt *o, const char *v);

#define FLAG(member) NULL, offsetof(struct px_opt, member)

/* clang-format off */
static const struct option_row rows[] = {
	{"python", 0, "PY", VIEW, set_python, 0,
	 "compile with this Python: a path, a program name or a version "
	 "(default: python3 of PATH)"},
	{"optimize", 'O', "N", VIEW, set_optimize, 0,
	 "optimize level 0, 1 (no asserts) or 2 (no docstrings either; the "
	 "default)"},
	{"debug-ranges", 0, NULL, VIEW, FLAG(debug_ranges),
	 "keep column numbers for tracebacks (3.11 and later; a third larger)"},
	{"invalidation-mode", 0, "MODE", VIEW, set_mode, 0,
	 "unchecked-hash (default), checked-hash or timestamp, as compileall"},
	{"marshal", 0, "FORM", VIEW, set_marshal, 0,
	 "canonical (default): the same bytes everywhere; cpython: as CPython "
	 "happens to write them"},
	{"prefix", 0, "PATH", VIEW, set_prefix, 0,
	 "what file names in tracebacks start with (default: they are relative "
	 "to SOURCE)"},
	{"on-error", 0, "HOW", VIEW, set_on_error, 0,
	 "a module that does not compile: fail (stat and open give EIO; the "
	 "default), source (shipped as .py), omit (not listed)"},
	{"jobs", 'j', "N", VIEW, set_jobs, 0,
	 "compile processes (default: one per CPU)"},
	{"timeout", 0, "SECONDS", VIEW, set_timeout, 0,
	 "give a module up after this time (default 60; 0: never)"},
	{"cache", 0, "DIR", VIEW | PX_VERB_CACHE, set_cache, 0,
	 "where compiled modules are kept (default: $PYCFS_CACHE, "
	 "/var/cache/pycfs for root, else ~/.cache/pycfs)"},
	{"cache-size", 0, "BYTES", VIEW, set_cache_size, 0,
	 "evict what was not used for longest above this size; K, M, G "
	 "(default 2G)"},
	{"no-cache", 0, NULL, VIEW, FLAG(no_cache),
	 "keep compiled modules for this mount only"},
	{"immutable", 0, NULL, VIEW, FLAG(immutable),
	 "SOURCE will not change while mounted: faster"},
	{"no-ahead", 0, NULL, VIEW, FLAG(no_ahead),
	 "compile only what is asked for, not what is beside it"},
	{"foreground", 'f', NULL, PX_VERB_MOUNT, FLAG(foreground),
	 "stay in front; messages go to stderr"},
	{"log-file", 0, "FILE", VIEW, set_log_file, 0,
	 "append messages to this file (default: stderr, or syslog in the "
	 "background)"},
	{"verbose", 'v', NULL, VIEW, FLAG(verbose),
	 "say more: what was mounted, and counters at the end"},
	{"fuse-debug", 0, NULL, PX_VERB_MOUNT, FLAG(fuse_debug),
	 "log every request (implies -f)"},
	{"options", 'o', "OPTIONS", VIEW, set_mount_options, 0,
	 "comma separated: any option above as name or name=value, allow_other, "
	 "auto_unmount, nonempty, and what mount(8) knows"},
	{"lazy", 'z', NULL, PX_VERB_UMOUNT, FLAG(lazy),
	 "detach now even if it is in use"},
	{"json", 0, NULL, PX_VERB_CACHE | PX_VERB_REPORT, FLAG(json),
	 "print JSON"},
	{"help", 'h', NULL, ALL, FLAG(help), "print this"},
};
/* clang-format on */

static int apply(struct px_opt *o, const struct option_row *row,
		 const char *value)
{
	if (row->set)
		return row->set(o, value);
	*(bool *)((char *)o + row->flag) = true;
	return 0;
}

/* Options that mount(8) and fstab add and that need nothing from us: the mount
 * is read-only anyhow, and the rest is for other programs. */
static bool is_ignored(const char *name)
{
	static const char *const ignored[] = {
		"ro",	  "rw",	     "defaults", "auto",    "noauto",
		"user",	  "nouser",  "users",	 "owner",   "group",
		"nofail", "_netdev", "relatime", "noatime", "nodiratime",
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
		"allow_other", "allow_root", "auto_unmount", "dev",    "nodev",
		"suid",	       "nosuid",     "exec",	     "noexec",
	};
	size_t i;

	if (strncmp(name, "max_read=", 9) == 0)
		return true;
	for (i = 0; i < PX_ARRAY_LEN(passed); i++)
		if (strcmp(name, passed[i]) == 0)
			return true;
	return false;
}

/* `name` of `n` bytes as in -o, where underscores are as good as dashes. */
static const struct option_row *find_row(const char *name, size_t n)
{
	size_t i, k;

	for (i = 0; i < PX_ARRAY_LEN(rows); i++) {
		const char *want = rows[i].name;

		if (strlen(want) != n || !(rows[i].verbs & VIEW) ||
		    rows[i].set == set_mount_options)
			continue;
		for (k = 0; k < n; k++)
			if (want[k] != (name[k] == '_' ? '-' : name[k]))
				break;
		if (k == n)
			return &rows[i];
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
	const struct option_row *row = find_row(item, n);

	if (row && !row->argument == !equals)
		return apply(o, row, equals ? equals + 1 : NULL);
	if (strcmp(item, "nonempty") == 0) {
		o->nonempty = true;
		return 0;
	}
	if (is_ignored(item))
		return 0;
	return is_for_fuse(item) ? pass_to_fuse(o, item) : -EINVAL;
}

/* Ends `p` at its first comma; a backslash makes a comma part of it. */
static char *cut_item(char *p)
{
	char *to = p;

	for (; *p && *p != ','; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		*to++ = *p;
	}
	p = *p ? p + 1 : NULL;
	*to = '\0';
	return p;
}

static int set_mount_options(struct px_opt *o, const char *value)
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
	for (i = 0; i < PX_ARRAY_LEN(rows); i++) {
		const struct option_row *row = &rows[i];

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

static const struct option_row *row_of(int c)
{
	size_t i;

	if (c >= LONG_BASE)
		return &rows[c - LONG_BASE];
	for (i = 0; i < PX_ARRAY_LEN(rows); i++)
		if (rows[i].letter == c)
			return &rows[i];
	return NULL;
}

static int bad_value(const struct px_opt *o, const struct option_row *row,
		     const char *value, const struct px_verb *verb,
		     struct px_why *why)
{
	if (o->bad_item)
		return px_because(why, -EINVAL,
				  "bad or unknown mount option '%s' (see "
				  "'pycfs %s --help')",
				  o->bad_item, verb->name);
	return px_because(why, -EINVAL, "bad value '%s' for --%s: %s", value,
			  row->name, row->help);
}

static int parse_options(struct px_opt *o, const struct px_verb *verb,
			 bool helper, int argc, char **argv, struct px_why *why)
{
	struct option longs[PX_ARRAY_LEN(rows) + 1] = {0};
	char shorts[PX_ARRAY_LEN(rows) * 2 + 16];
	const struct option_row *row;
	int c;

	make_getopt(verb, helper, longs, shorts);
	optind = 1;
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
	int r;

	*o = (struct px_opt){
		.optimize = 2,
		.mode = PX_PYC_UNCHECKED_HASH,
		.prefix = "",
		.timeout_ms = 60000,
		.cache_size = 2ull << 30,
		.fuse_options = strdup(""),
	};
	if (!o->fuse_options)
		return px_because(why, -ENOMEM, "out of memory");
	r = parse_options(o, verb, helper, argc, argv, why);
	if (r < 0 || o->help)
		return r < 0 ? r : 0;
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
	size_t i;
	int n;

	printf("usage: pycfs %s [options] %s\n\n", verb->name, verb->arguments);
	print_wrapped(verb->details, 0);
	printf("\noptions:\n");
	for (i = 0; i < PX_ARRAY_LEN(rows); i++) {
		const struct option_row *row = &rows[i];

		if (!(row->verbs & (unsigned)verb->bit))
			continue;
		n = row->letter ? printf("  -%c, --%s", row->letter, row->name)
				: printf("      --%s", row->name);
		if (row->argument)
			n += printf(" %s", row->argument);
		printf("%*s", n < 29 ? 30 - n : 1, "");
		if (n >= 30)
			printf("\n%*s", 30, "");
		print_wrapped(row->help, 30);
	}
}
