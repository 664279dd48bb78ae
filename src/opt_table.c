/* SPDX-License-Identifier: MIT */
/*
 * Every option, once: what it is called, what it takes, what it does, and how
 * --help says it.
 */
#include "opt_i.h"

#include "pycfs/export.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>

#define RULES_MAX (1u << 20)

#define VIEW	  PX_VERBS_VIEW
#define MOUNT	  PX_VERBS_MOUNT
#define EXPORT	  PX_VERB_EXPORT
#define REPORT	  PX_VERB_REPORT
#define ALL	  (VIEW | PX_VERB_UMOUNT | PX_VERB_CACHE | PX_VERB_REPORT)

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

/* Seconds, possibly with a fraction; strtod would take much more than that. */
static int set_timeout(struct px_opt *o, const char *v)
{
	static const char digits[] = "0123456789";
	const size_t whole = strspn(v, digits);
	const size_t part = v[whole] == '.' ? strspn(v + whole + 1, digits) : 0;
	double seconds;

	if (whole == 0 || v[whole + (part > 0) + part] != '\0')
		return -EINVAL;
	seconds = strtod(v, NULL);
	if (!(seconds >= 0 && seconds <= 86400))
		return -EINVAL;
	o->timeout_ms = (unsigned)(seconds * 1000);
	if (seconds > 0 && o->timeout_ms == 0)
		o->timeout_ms = 1; /* 0 would mean no deadline at all */
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

static int set_modes(struct px_opt *o, const char *v)
{
	o->normal_modes = strcmp(v, "normal") == 0;
	return o->normal_modes || strcmp(v, "source") == 0 ? 0 : -EINVAL;
}

static int set_prefix_dir(struct px_opt *o, const char *v)
{
	o->prefix_dir = v;
	return px_export_check_prefix(v);
}

/* What AWS Lambda takes, unzipped and zipped, in bytes ("Lambda quotas" of its
 * developer guide: 250 MB and 50 MB, which are MiB). */
#define LAMBDA_SIZE	  (250u << 20)
#define LAMBDA_COMPRESSED (50u << 20)

static int take_limit(const char *v, uint64_t lambda, uint64_t *ret)
{
	*ret = lambda;
	if (strcmp(v, "lambda") == 0)
		return 0;
	return px_parse_size(v, ret) < 0 || *ret == 0 ? -EINVAL : 0;
}

static int set_max_size(struct px_opt *o, const char *v)
{
	return take_limit(v, LAMBDA_SIZE, &o->max_size);
}

static int set_max_compressed(struct px_opt *o, const char *v)
{
	return take_limit(v, LAMBDA_COMPRESSED, &o->max_compressed_size);
}

static int set_max_age(struct px_opt *o, const char *v)
{
	return take_uint(v, 1000000, &o->max_age);
}

static int set_sort(struct px_opt *o, const char *v)
{
	static const char *const columns[] = {"name",	 "modules", "source",
					      "shipped", "other",   "native",
					      "deflate", "zstd"};
	size_t i;

	for (i = 0; i < PX_ARRAY_LEN(columns); i++)
		if (strcmp(v, columns[i]) == 0)
			o->sort = columns[i];
	return o->sort && strcmp(o->sort, v) == 0 ? 0 : -EINVAL;
}

static int set_top(struct px_opt *o, const char *v)
{
	return take_uint(v, UINT_MAX, &o->top);
}

static int set_diff(struct px_opt *o, const char *v)
{
	o->diff = v;
	return *v ? 0 : -EINVAL;
}

static int set_html(struct px_opt *o, const char *v)
{
	o->html = v;
	return *v ? 0 : -EINVAL;
}

static int set_fail_on(struct px_opt *o, const char *v)
{
	o->fail_on = strcmp(v, "breaks") == 0	   ? 3
		     : strcmp(v, "may-break") == 0 ? 2
						   : 0;
	return o->fail_on ? 0 : -EINVAL;
}

static int set_max_growth(struct px_opt *o, const char *v)
{
	const size_t n = strlen(v);
	uint64_t bytes;
	char *end;

	if (n > 1 && v[n - 1] == '%') {
		if (strspn(v, "0123456789.") != n - 1 || *v == '.')
			return -EINVAL;
		o->max_growth_percent = strtod(v, &end);
		return end == v + n - 1 ? 0 : -EINVAL;
	}
	if (px_parse_size(v, &bytes) < 0 || bytes > INT64_MAX)
		return -EINVAL;
	o->max_growth = (int64_t)bytes;
	return 0;
}

static int set_log_file(struct px_opt *o, const char *v)
{
	o->log_file = v;
	return *v ? 0 : -EINVAL;
}

static int add_rule(struct px_opt *o, enum px_rule_verb verb, unsigned level,
		    const char *pattern)
{
	const char *what = NULL;
	int r;

	if (!o->rules && px_rules_new(&o->rules) < 0)
		return -ENOMEM;
	r = px_rules_add(o->rules, verb, level, pattern, &what);
	if (r == -EINVAL)
		px_because(&o->bad, r, "bad pattern '%s': %s", pattern, what);
	return r;
}

static int set_exclude(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_EXCLUDE, 0, v);
}

static int set_include(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_INCLUDE, 0, v);
}

static int set_keep_source(struct px_opt *o, const char *v)
{
	return add_rule(o, PX_RULE_KEEP_SOURCE, 0, v);
}

static int set_optimize_for(struct px_opt *o, const char *v)
{
	if (*v < '0' || *v > '2' || v[1] != ':')
		return -EINVAL;
	return add_rule(o, PX_RULE_OPTIMIZE, (unsigned)(*v - '0'), v + 2);
}

static int set_rules(struct px_opt *o, const char *v)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = RULES_MAX};
	PX_AUTOCLOSE int fd = open(v, O_RDONLY | O_CLOEXEC);
	const char *what = NULL;
	size_t line = 0;
	ssize_t n = 1;
	int r;

	while (fd >= 0 && n > 0 && px_buf_reserve(&text, 4096) == 0) {
		n = px_read_full(fd, text.data + text.size, 4096);
		text.size += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n != 0)
		return px_because(&o->bad, -EINVAL,
				  "cannot read rules '%s': "
				  "%s",
				  v,
				  fd < 0  ? strerror(errno)
				  : n < 0 ? strerror((int)-n)
					  : "larger than 1 MiB");
	if (!o->rules && px_rules_new(&o->rules) < 0)
		return -ENOMEM;
	r = px_rules_parse(o->rules, (const char *)text.data, text.size, &line,
			   &what);
	if (r == -EINVAL)
		px_because(&o->bad, r, "%s:%zu: %s", v, line, what);
	return r;
}

static int set_profile(struct px_opt *o, const char *v)
{
	o->safe = strcmp(v, "safe") == 0;
	return o->safe || strcmp(v, "strict") == 0 ? 0 : -EINVAL;
}

/* src/profile_safe.rules, by tools/embed. */
extern const unsigned char px_profile_safe[];
extern const size_t px_profile_safe_size;

int px_opt_add_profile(struct px_opt *o)
{
	struct px_rules *all;
	const char *what;
	size_t line;
	int r = px_rules_new(&all);

	if (r < 0)
		return r;
	r = px_rules_parse(all, (const char *)px_profile_safe,
			   px_profile_safe_size, &line, &what);
	if (r == 0 && o->rules)
		r = px_rules_append(all, o->rules);
	if (r < 0) {
		px_rules_free(all);
		return r;
	}
	o->rules = all;
	return 0;
}

static int set_owner(struct px_opt *o, const char *v)
{
	const char *colon = strchr(v, ':');
	unsigned uid, gid;
	char text[16];

	if (!colon || colon - v >= (ptrdiff_t)sizeof(text))
		return -EINVAL;
	memcpy(text, v, (size_t)(colon - v));
	text[colon - v] = '\0';
	/* -1 means "unchanged" to chown(2): no owner of anything. */
	if (take_uint(text, UINT_MAX - 1, &uid) < 0 ||
	    take_uint(colon + 1, UINT_MAX - 1, &gid) < 0)
		return -EINVAL;
	o->uid = uid;
	o->gid = gid;
	return 0;
}

/* What a 32-bit field of a .pyc or a gzip header holds. */
int px_opt_mtime(struct px_opt *o, const char *v)
{
	unsigned seconds;

	if (take_uint(v, UINT_MAX, &seconds) < 0)
		return -EINVAL;
	o->mtime = seconds;
	return 0;
}

#define FLAG(member) NULL, offsetof(struct px_opt, member)

/* clang-format off */
const struct px_opt_row px_opt_rows[PX_N_OPTS] = {
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
	{"exclude", 0, "PATTERN", VIEW, set_exclude, 0,
	 "do not ship what matches, as in .gitignore; the last of these rules "
	 "that matches decides"},
	{"include", 0, "PATTERN", VIEW, set_include, 0,
	 "ship it all the same"},
	{"keep-source", 0, "PATTERN", VIEW, set_keep_source, 0,
	 "ship X.py itself, with its bytecode in __pycache__"},
	{"optimize-for", 0, "N:PATTERN", VIEW, set_optimize_for, 0,
	 "compile what matches at level N"},
	{"rules", 0, "FILE", VIEW, set_rules, 0,
	 "rules, one a line: exclude P, include P, keep-source P, optimize N P"},
	{"profile", 0, "PROFILE", VIEW, set_profile, 0,
	 "strict (default), or safe: before your rules, those for packages "
	 "known to break without source or docstrings"},
	{"owner", 0, "UID:GID", VIEW, set_owner, 0,
	 "show everything as owned by these (default: as in SOURCE; in an "
	 "archive 0:0)"},
	{"mtime", 0, "EPOCH", VIEW, px_opt_mtime, 0,
	 "modification time of everything, in seconds (default: "
	 "$SOURCE_DATE_EPOCH if set, else as in SOURCE)"},
	{"modes", 0, "MODES", VIEW, set_modes, 0,
	 "source (default), or normal: 0755 for directories and what is "
	 "executable, else 0644"},
	{"on-error", 0, "HOW", VIEW, set_on_error, 0,
	 "a module that does not compile: fail (stat and open give EIO, an "
	 "export ends; the default), source (shipped as .py), omit (not "
	 "listed)"},
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
	{"immutable", 0, NULL, MOUNT, FLAG(immutable),
	 "SOURCE will not change while mounted: faster, and once one module is asked for, all are compiled"},
	{"no-ahead", 0, NULL, MOUNT, FLAG(no_ahead),
	 "compile only what is asked for, not what is beside it"},
	{"foreground", 'f', NULL, PX_VERB_MOUNT, FLAG(foreground),
	 "stay in front; messages go to stderr"},
	{"log-file", 0, "FILE", MOUNT, set_log_file, 0,
	 "append messages to this file (default: stderr, or syslog in the "
	 "background)"},
	{"verbose", 'v', NULL, VIEW, FLAG(verbose),
	 "say more: what was mounted, and counters at the end"},
	{"fuse-debug", 0, NULL, PX_VERB_MOUNT, FLAG(fuse_debug),
	 "log every request (implies -f)"},
	{"options", 'o', "OPTIONS", MOUNT, px_opt_mount_options, 0,
	 "comma separated: any option above as name or name=value, allow_other, "
	 "auto_unmount, nonempty, and what mount(8) knows"},
	{"lazy", 'z', NULL, PX_VERB_UMOUNT, FLAG(lazy),
	 "detach now even if it is in use"},
	{"force", 0, NULL, EXPORT, FLAG(force),
	 "replace DEST if it is a directory that is not empty"},
	{"prefix-dir", 0, "PATH", EXPORT, set_prefix_dir, 0,
	 "put everything below this directory of DEST, such as "
	 "python/lib/python3.12/site-packages"},
	{"hardlink-dupes", 0, NULL, EXPORT, FLAG(hardlink_dupes),
	 "write equal files once, and hard links to it"},
	{"max-size", 0, "BYTES", EXPORT | PX_VERB_CACHE, set_max_size, 0,
	 "fail if the files are larger in all; K, M, G, or lambda (250M); "
	 "cache gc: forget the oldest above it"},
	{"max-compressed-size", 0, "BYTES", EXPORT, set_max_compressed, 0,
	 "fail if the archive is larger; K, M, G, or lambda (50M)"},
	{"print-digest", 0, NULL, EXPORT, FLAG(print_digest),
	 "print the sha256 of the archive, and of the tar in it (diff_id)"},
	{"max-age", 0, "DAYS", PX_VERB_CACHE, set_max_age, 0,
	 "gc: forget what was not used for so many days"},
	{"sort", 0, "COLUMN", REPORT, set_sort, 0,
	 "order of the table: name, modules, source, shipped (default), other, "
	 "native, deflate, zstd"},
	{"top", 0, "N", REPORT, set_top, 0,
	 "only the first N rows of the table"},
	{"files", 0, NULL, REPORT, FLAG(all_files),
	 "one row for each file, not for each distribution"},
	{"diff", 0, "OLD", REPORT, set_diff, 0,
	 "compare with what --json printed earlier"},
	{"max-growth", 0, "SIZE", REPORT, set_max_growth, 0,
	 "with --diff: fail if the layer grew by more bytes (K, M, G) or "
	 "percent (3%)"},
	{"html", 0, "FILE", REPORT, set_html, 0,
	 "write a page with a picture of the layer, for any browser"},
	{"suggest", 0, NULL, REPORT, FLAG(suggest),
	 "print the rules that keep what breaks from breaking; with "
	 "--fail-on may-break, those for what may break too"},
	{"fail-on", 0, "GRADE", REPORT, set_fail_on, 0,
	 "fail if a risk is found of this grade: breaks, or may-break and "
	 "worse"},
	{"quiet", 'q', NULL, EXPORT | REPORT, FLAG(quiet),
	 "no progress, even on a terminal"},
	{"json", 0, NULL, PX_VERB_CACHE | REPORT | EXPORT, FLAG(json),
	 "print JSON"},
	{"help", 'h', NULL, ALL, FLAG(help), "print this"},
};
/* clang-format on */
