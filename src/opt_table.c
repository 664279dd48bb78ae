/* SPDX-License-Identifier: MIT */
/*
 * Every option, once: what it is called, what it takes, what it does, and how
 * --help says it.
 */
#include "opt_i.h"

#include "pycfs/export.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>

#define RULES_MAX (1u << 20)

#define VIEW	  PX_VERBS_VIEW
#define MOUNT	  PX_VERBS_MOUNT
#define EXPORT	  PX_VERB_EXPORT
#define REPORT	  PX_VERB_REPORT
#define CACHE	  PX_VERB_CACHE
#define ALL	  (VIEW | PX_VERB_UMOUNT | CACHE)

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

static int take_size(const char *v, uint64_t *ret)
{
	return px_parse_size(v, ret) < 0 || *ret == 0 ? -EINVAL : 0;
}

static int set_python(struct px_opt *o, const char *v)
{
	o->python = v;
	return *v ? 0 : -EINVAL;
}

static int set_prefix(struct px_opt *o, const char *v)
{
	o->prefix = v;
	return 0;
}

static int set_jobs(struct px_opt *o, const char *v)
{
	return take_uint(v, PX_MAX_JOBS, &o->jobs);
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

/* A frame to a worker has at most 1 GiB, with the module's path in it. */
#define LARGEST_SOURCE (1023u << 20)

static int set_max_source(struct px_opt *o, const char *v)
{
	const int r = take_size(v, &o->max_source);

	return r == 0 && o->max_source > LARGEST_SOURCE ? -EINVAL : r;
}

static int set_cache_from(struct px_opt *o, const char *v)
{
	o->cache_from = v;
	return *v ? 0 : -EINVAL;
}

static int set_cache(struct px_opt *o, const char *v)
{
	o->cache = v;
	return *v ? 0 : -EINVAL;
}

static int set_cache_size(struct px_opt *o, const char *v)
{
	return take_size(v, &o->cache_size);
}

static int set_cache_limit(struct px_opt *o, const char *v)
{
	return take_size(v, &o->max_size);
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
	return strcmp(v, "lambda") == 0 ? 0 : take_size(v, ret);
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
	int r = fd < 0 ? -errno : px_slurp(fd, &text);

	if (r < 0)
		return px_because(
			&o->bad, -EINVAL, "cannot read rules '%s': %s", v,
			r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
	if (!o->rules && px_rules_new(&o->rules) < 0)
		return -ENOMEM;
	r = px_rules_parse(o->rules, (const char *)text.data, text.size, &line,
			   &what);
	if (r == -EINVAL)
		px_because(&o->bad, r, "%s:%zu: %s", v, line, what);
	return r;
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

#define CHOICES(...) ((const struct px_opt_choice[]){__VA_ARGS__, {0}})
#define CHOICE(member, ...) \
	NULL, CHOICES(__VA_ARGS__), offsetof(struct px_opt, member)
#define FLAG(member)  NULL, NULL, offsetof(struct px_opt, member)
#define SET(function) function, NULL, 0

/* clang-format off */
const struct px_opt_row px_opt_rows[PX_N_OPTS] = {
	{"python", 0, "PY", VIEW,
	 "compile with this Python: a path, a program name or a version "
	 "(default: python3 of PATH)", SET(set_python)},
	{"optimize", 'O', "N", VIEW, "optimize level",
	 CHOICE(optimize, {"0", 0, NULL}, {"1", 1, "no asserts"},
		{"2", 2, "no docstrings either"})},
	{"debug-ranges", 0, NULL, VIEW,
	 "keep column numbers for tracebacks (3.11 and later; a third larger)",
	 FLAG(debug_ranges)},
	{"invalidation-mode", 0, "MODE", VIEW,
	 "how Python sees that a .pyc is stale, as compileall has it",
	 CHOICE(mode, {"unchecked-hash", PX_PYC_UNCHECKED_HASH, NULL},
		{"checked-hash", PX_PYC_CHECKED_HASH, NULL},
		{"timestamp", PX_PYC_TIMESTAMP, NULL})},
	{"marshal", 0, "FORM", VIEW, "how code is written",
	 CHOICE(plain_marshal,
		{"canonical", false, "the same bytes everywhere"},
		{"cpython", true, "as CPython happens to write it"})},
	{"reproducible", 0, "WHEN", VIEW, "whether the same bytes are promised",
	 CHOICE(must_reproduce,
		{"possible", false, "if not, it is said once"},
		{"required", true, "else nothing is done"})},
	{"prefix", 0, "PATH", VIEW,
	 "what file names in tracebacks start with (default: they are relative "
	 "to SOURCE)", SET(set_prefix)},
	{"exclude", 0, "PATTERN", VIEW,
	 "do not ship what matches, as in .gitignore; the last of these rules "
	 "that matches decides", SET(set_exclude)},
	{"include", 0, "PATTERN", VIEW,
	 "ship it all the same", SET(set_include)},
	{"keep-source", 0, "PATTERN", VIEW,
	 "ship X.py itself, with its bytecode in __pycache__",
	 SET(set_keep_source)},
	{"optimize-for", 0, "N:PATTERN", VIEW,
	 "compile what matches at level N", SET(set_optimize_for)},
	{"rules", 0, "FILE", VIEW,
	 "rules, one a line: exclude P, include P, keep-source P, optimize N P",
	 SET(set_rules)},
	{"profile", 0, "PROFILE", VIEW, "rules that come before yours",
	 CHOICE(safe, {"strict", false, "none"},
		{"safe", true, "those for packages known to break without "
		 "source or docstrings"})},
	{"owner", 0, "UID:GID", VIEW,
	 "show everything as owned by these (default: as in SOURCE; in an "
	 "archive 0:0)", SET(set_owner)},
	{"mtime", 0, "EPOCH", VIEW,
	 "modification time of everything, in seconds (default: "
	 "$SOURCE_DATE_EPOCH if set, else as in SOURCE)", SET(px_opt_mtime)},
	{"modes", 0, "MODES", VIEW, "modes of what is shipped",
	 CHOICE(normal_modes, {"source", false, "as they are there"},
		{"normal", true, "0755 for directories and what is executable, "
		 "else 0644"})},
	{"on-error", 0, "HOW", VIEW, "a module that does not compile",
	 CHOICE(on_error, {"fail", PX_ON_ERROR_FAIL, "stat and open give EIO, "
		"an export ends"},
		{"source", PX_ON_ERROR_SOURCE, "it is shipped as .py"},
		{"omit", PX_ON_ERROR_OMIT, "it is not listed"})},
	{"jobs", 'j', "N", VIEW,
	 "compile processes (default: one per CPU that we may use, and have the "
	 "time of by cgroup)", SET(set_jobs)},
	{"timeout", 0, "SECONDS", VIEW,
	 "give a module up after so much CPU time (default 60; 0: never)",
	 SET(set_timeout)},
	{"max-source", 0, "BYTES", VIEW,
	 "compile no module whose source is larger; K, M, at most 1023M "
	 "(default 64M)", SET(set_max_source)},
	{"require-sandbox", 0, NULL, VIEW,
	 "fail where compile workers cannot be kept from system calls",
	 FLAG(require_sandbox)},
	{"cache", 0, "DIR", VIEW | CACHE,
	 "where compiled modules are kept (default: $PYCFS_CACHE, "
	 "/var/cache/pycfs for root, else ~/.cache/pycfs)", SET(set_cache)},
	{"cache-from", 0, "DIR", VIEW,
	 "also take what this cache has, and only read it",
	 SET(set_cache_from)},
	{"cache-size", 0, "BYTES", VIEW,
	 "evict what was not used for longest above this size; K, M, G "
	 "(default 2G)", SET(set_cache_size)},
	{"no-cache", 0, NULL, VIEW,
	 "keep compiled modules for this mount only", FLAG(no_cache)},
	{"immutable", 0, NULL, MOUNT,
	 "SOURCE will not change while mounted: faster, and once one module "
	 "is asked for, all are compiled", FLAG(immutable)},
	{"no-ahead", 0, NULL, MOUNT,
	 "compile only what is asked for, not what is beside it",
	 FLAG(no_ahead)},
	{"foreground", 'f', NULL, PX_VERB_MOUNT,
	 "stay in front; messages go to stderr", FLAG(foreground)},
	{"log-file", 0, "FILE", MOUNT,
	 "append messages to this file (default: stderr, or syslog in the "
	 "background)", SET(set_log_file)},
	{"verbose", 'v', NULL, VIEW,
	 "say more: what was mounted, and counters at the end", FLAG(verbose)},
	{"fuse-debug", 0, NULL, PX_VERB_MOUNT,
	 "log every request (implies -f)", FLAG(fuse_debug)},
	{"options", 'o', "OPTIONS", MOUNT,
	 "comma separated: any option above as name or name=value, allow_other, "
	 "auto_unmount, nonempty, and what mount(8) knows",
	 SET(px_opt_mount_options)},
	{"lazy", 'z', NULL, PX_VERB_UMOUNT,
	 "detach now even if it is in use", FLAG(lazy)},
	{"force", 0, NULL, EXPORT,
	 "replace DEST if it is a directory that is not empty", FLAG(force)},
	{"prefix-dir", 0, "PATH", EXPORT,
	 "put everything below this directory of DEST, such as "
	 "python/lib/python3.12/site-packages", SET(set_prefix_dir)},
	{"hardlink-dupes", 0, NULL, EXPORT,
	 "write equal files once, and hard links to it", FLAG(hardlink_dupes)},
	{"max-size", 0, "BYTES", EXPORT,
	 "fail if the files are larger in all; K, M, G, or lambda (250M)",
	 SET(set_max_size)},
	{"max-compressed-size", 0, "BYTES", EXPORT,
	 "fail if the archive is larger; K, M, G, or lambda (50M)",
	 SET(set_max_compressed)},
	{"print-digest", 0, NULL, EXPORT,
	 "print the sha256 of the archive, and of the tar in it (diff_id)",
	 FLAG(print_digest)},
	{"max-age", 0, "DAYS", CACHE,
	 "gc: forget what was not used for so many days", SET(set_max_age)},
	{"max-size", 0, "BYTES", CACHE,
	 "gc: forget what was not used for longest above this size; K, M, G",
	 SET(set_cache_limit)},
	{"sort", 0, "COLUMN", REPORT, "order of the table",
	 CHOICE(sort, {"name", PX_COLUMN_NAME, NULL},
		{"modules", PX_COLUMN_MODULES, NULL},
		{"source", PX_COLUMN_SOURCE, NULL},
		{"shipped", PX_COLUMN_SHIPPED, NULL},
		{"other", PX_COLUMN_OTHER, NULL},
		{"native", PX_COLUMN_NATIVE, NULL},
		{"deflate", PX_COLUMN_DEFLATE, NULL},
		{"zstd", PX_COLUMN_ZSTD, NULL})},
	{"top", 0, "N", REPORT,
	 "only the first N rows of the table", SET(set_top)},
	{"files", 0, NULL, REPORT,
	 "one row for each file, not for each distribution", FLAG(all_files)},
	{"diff", 0, "OLD", REPORT,
	 "compare with what --json printed earlier", SET(set_diff)},
	{"max-growth", 0, "SIZE", REPORT,
	 "with --diff: fail if the layer grew by more bytes (K, M, G) or "
	 "percent (3%)", SET(set_max_growth)},
	{"html", 0, "FILE", REPORT,
	 "write a page with a picture of the layer, for any browser",
	 SET(set_html)},
	{"suggest", 0, NULL, REPORT,
	 "print the rules that keep what breaks from breaking; with "
	 "--fail-on may-break, those for what may break too", FLAG(suggest)},
	{"fail-on", 0, "GRADE", REPORT, "fail if a risk is found of this grade",
	 CHOICE(fail_on, {"breaks", 3, NULL}, {"may-break", 2, "or worse"})},
	{"quiet", 'q', NULL, EXPORT | REPORT,
	 "no progress, even on a terminal", FLAG(quiet)},
	{"json", 0, NULL, CACHE | REPORT | EXPORT,
	 "print JSON", FLAG(json)},
	{"help", 'h', NULL, ALL, "print this", FLAG(help)},
};
/* clang-format on */

/* An enum that has no negative value is an unsigned (GCC and clang). */
static_assert(sizeof(enum px_pyc_mode) == sizeof(unsigned) &&
		      sizeof(enum px_on_error) == sizeof(unsigned) &&
		      sizeof(enum px_column) == sizeof(unsigned),
	      "choices are stored as unsigned");
