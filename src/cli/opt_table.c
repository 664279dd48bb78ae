/* SPDX-License-Identifier: MIT */
/*
 * The table of options. It is the only place that has the name of an option,
 * the type of its value, its default and its help text.
 */
#include "opt_table.h"
#include "opt_value.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#define VIEW   PX_VERBS_VIEW
#define MOUNT  PX_VERBS_MOUNT
#define EXPORT PX_VERB_EXPORT
#define REPORT PX_VERB_REPORT
#define CACHE  PX_VERB_CACHE
#define TRACE  PX_VERB_TRACEBACK
#define CHECK  PX_VERB_CHECK
#define VERIFY PX_VERB_VERIFY
/* What compiles, and how it is done. */
#define WORK (FORM | VERIFY)
/* What decides what is compiled, and so what machines can share. */
#define FORM (VIEW | CACHE)
#define ALL  (VIEW | PX_VERB_UMOUNT | CACHE | TRACE | VERIFY)

/* The largest source that can be compiled, in bytes. A message to a worker has
 * at most 1 GiB, and contains the path of the module, too. */
#define LARGEST_SOURCE (1023u << 20)
#define MAX_DAYS       1000000

const struct px_opt px_opt_defaults = {
	.optimize = 2,
	.safe = true,
	.mode = PX_PYC_UNCHECKED_HASH,
	.prefix = "/site-packages",
	.prefix_dir = "",
	.sort = PX_COLUMN_SHIPPED,
	.max_age = UINT_MAX,
	.max_growth = -1,
	.max_growth_percent = -1,
	.uid = -1,
	.gid = -1,
	.mtime = -1,
	.timeout_ms = 60000,
	.remote_wait = 100,
	.remote_finish = UINT_MAX,
	.cache_size = 2ull << 30,
	.max_source = 64u << 20,
};

bool px_opt_is_default(const struct px_opt_row *row,
		       const struct px_opt_choice *choice)
{
	unsigned value;

	if (row->type != PX_OPT_CHOICE)
		return false;
	memcpy(&value, (const char *)&px_opt_defaults + row->at, sizeof(value));
	return value == choice->value;
}

const char *px_opt_choices(const struct px_opt_row *row, bool explain,
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

#define AT(member)	     .at = offsetof(struct px_opt, member)
#define CHOICE(member, ...)  CHOOSE(PX_OPT_CHOICE, member, __VA_ARGS__)
#define CHOICES(member, ...) CHOOSE(PX_OPT_CHOICES, member, __VA_ARGS__)
#define CHOOSE(kind, member, ...)                                           \
	.type = kind, AT(member), .choices = (const struct px_opt_choice[]) \
	{                                                                   \
		__VA_ARGS__,                                                \
		{                                                           \
			0                                                   \
		}                                                           \
	}
#define FLAG(member)	    .type = PX_OPT_FLAG, AT(member)
#define TEXT(member)	    .type = PX_OPT_TEXT, AT(member), .max = 1
#define EMPTY_TEXT(member)  .type = PX_OPT_TEXT, AT(member)
#define COUNT(member, most) .type = PX_OPT_COUNT, AT(member), .max = most
#define BYTES(member, most) .type = PX_OPT_BYTES, AT(member), .max = most
#define SET(function)	    .type = PX_OPT_OTHER, .set = function
#define LIST		    .type = PX_OPT_LIST

/* clang-format off */
const struct px_opt_row px_opt_rows[PX_N_OPTS] = {
	{"python", 0, "PY", WORK,
	 "compile with this Python: a path, a program name or a version "
	 "(default: the version that SOURCE is for, else python3 of PATH)",
	 TEXT(python)},
	{"worker", 0, "FROM", WORK,
	 "where compile workers have that Python from; the bytes are the same",
	 CHOICE(worker,
		{"auto", PX_PYTHON_AUTO, "libpython if it has one"},
		{"libpython", PX_PYTHON_LIBPYTHON, NULL},
		{"interpreter", PX_PYTHON_INTERPRETER, "its own program"})},
	{"optimize", 'O', "N", FORM, "optimize level",
	 CHOICE(optimize, {"0", 0, NULL}, {"1", 1, "no asserts"},
		{"2", 2, "no docstrings either"})},
	{"run-optimize", 0, "N", FORM,
	 "level of the interpreter that will run it",
	 CHOICE(run_optimize, {"0", 0, NULL}, {"1", 1, "-O"},
		{"2", 2, "-OO, PYTHONOPTIMIZE=2"})},
	{"debug-ranges", 0, NULL, FORM,
	 "keep column numbers for tracebacks (3.11 and later; a third larger)",
	 FLAG(debug_ranges)},
	{"invalidation-mode", 0, "MODE", FORM,
	 "how Python sees that a .pyc is stale, as in compileall",
	 CHOICE(mode, {"unchecked-hash", PX_PYC_UNCHECKED_HASH, NULL},
		{"checked-hash", PX_PYC_CHECKED_HASH, NULL},
		{"timestamp", PX_PYC_TIMESTAMP, NULL})},
	{"marshal", 0, "FORM", FORM, "how code is written",
	 CHOICE(plain_marshal,
		{"canonical", false, "the same bytes everywhere"},
		{"cpython", true, "as CPython happens to write it"})},
	{"reproducible", 0, "WHEN", FORM, "whether the same bytes are promised",
	 CHOICE(must_reproduce,
		{"possible", false, "a warning if they cannot be"},
		{"required", true, "an error if they cannot be"})},
	{"prefix", 0, "PATH", FORM | TRACE,
	 "what file names in tracebacks start with (default: /site-packages)",
	 EMPTY_TEXT(prefix)},
	{"exclude", 0, "PATTERN", FORM,
	 "do not ship what matches, as in .gitignore; the last of these rules "
	 "that matches decides", SET(px_opt_exclude)},
	{"include", 0, "PATTERN", FORM,
	 "ship what matches, although an earlier rule excludes it",
	 SET(px_opt_include)},
	{"keep-source", 0, "PATTERN", FORM,
	 "ship X.py itself, with its bytecode in __pycache__",
	 SET(px_opt_keep_source)},
	{"optimize-for", 0, "N:PATTERN", FORM,
	 "compile what matches at level N", SET(px_opt_optimize_for)},
	{"rules", 0, "FILE", FORM,
	 "rules, one a line: exclude P, include P, keep-source P, optimize N P, "
	 "keep-docs P, local P, strip P, no-strip P",
	 SET(px_opt_rules)},
	{"profile", 0, "PROFILE", FORM, "rules that come before yours",
	 CHOICE(safe, {"safe", true, "those for packages known to break without "
		 "source or docstrings"},
		{"strict", false, "none"})},
	{"strip", 0, NULL, VIEW,
	 "take symbols that nothing is linked by off shared libraries, unless a "
	 "rule says no-strip",
	 FLAG(strip)},
	{"strip-tool", 0, "PROGRAM", VIEW | VERIFY,
	 "what strips: GNU strip, llvm-strip or eu-strip (default: what of them "
	 "is in PATH)",
	 TEXT(strip_tool)},
	{"owner", 0, "UID:GID", VIEW,
	 "show everything as owned by these (default: as in SOURCE; in an "
	 "archive 0:0)", SET(px_opt_owner)},
	{"mtime", 0, "EPOCH", VIEW,
	 "modification time of everything, in seconds, or content: of each file "
	 "by its bytes (default: as in SOURCE; of an export $SOURCE_DATE_EPOCH "
	 "if set)", SET(px_opt_mtime)},
	{"modes", 0, "MODES", VIEW, "modes of what is shipped",
	 CHOICE(normal_modes, {"source", false, "as they are there"},
		{"normal", true, "0755 for directories and what is executable, "
		 "else 0644"})},
	{"on-error", 0, "HOW", FORM, "a module that does not compile",
	 CHOICE(on_error, {"fail", PX_ON_ERROR_FAIL, "stat and open give EIO, "
		"an export ends"},
		{"source", PX_ON_ERROR_SOURCE, "it is shipped as .py"},
		{"omit", PX_ON_ERROR_OMIT, "it is not listed"})},
	{"on-lost", 0, "HOW", VIEW,
	 "a module that is lost to a link, or an export without modules",
	 CHOICE(may_lose, {"fail", false, "export and report fail"},
		{"warn", true, "they only say so"})},
	{"follow-links", 0, "ROOT", WORK,
	 "ship what links into this directory lead to, as if it stood there; "
	 "may be repeated", SET(px_opt_follow_links)},
	{"scripts", 0, "DIR", MOUNT | EXPORT,
	 "also ship the console scripts of the distributions, made anew, in this "
	 "directory of the mount or DEST, such as bin", SET(px_opt_scripts)},
	{"scripts-python", 0, "PATH", MOUNT | EXPORT,
	 "the Python that runs them (default: python3.X of PATH, the version that "
	 "compiles)", SET(px_opt_scripts_python)},
	{"jobs", 'j', "N", WORK,
	 "compile processes (default: $PYCFS_JOBS, else as many as there are "
	 "CPUs, or as the cgroup's limit allows)", COUNT(jobs, PX_MAX_JOBS),
	 .env = "PYCFS_JOBS"},
	{"timeout", 0, "SECONDS", WORK,
	 "give up on a module after this much CPU time (default 60; 0: never)",
	 SET(px_opt_timeout)},
	{"max-source", 0, "BYTES", FORM,
	 "compile no module whose source is larger; K, M, at most 1023M "
	 "(default 64M)", BYTES(max_source, LARGEST_SOURCE)},
	{"require-sandbox", 0, NULL, WORK,
	 "fail where compile workers cannot be kept from system calls",
	 FLAG(require_sandbox)},
	{"cache", 0, "DIR", VIEW | CACHE | VERIFY,
	 "where compiled modules are kept (default: $PYCFS_CACHE, "
	 "/var/cache/pycfs for root, else ~/.cache/pycfs)", TEXT(cache),
	 .env = "PYCFS_CACHE"},
	{"cache-from", 0, "DIR", VIEW | VERIFY,
	 "also use the modules in this other cache, which is only read "
	 "(default: $PYCFS_CACHE_FROM)", TEXT(cache_from),
	 .env = "PYCFS_CACHE_FROM"},
	{"cache-size", 0, "BYTES", VIEW | VERIFY,
	 "evict what was not used for longest above this size; K, M, G "
	 "(default: $PYCFS_CACHE_SIZE, else 2G)", BYTES(cache_size, 0),
	 .env = "PYCFS_CACHE_SIZE"},
	{"remote", 0, "URL", FORM,
	 "share compiled modules with other machines: a store, file:///DIR, "
	 "https://HOST/PATH or s3://BUCKET/PREFIX (default: $PYCFS_REMOTE)",
	 SET(px_opt_remote), .env = "PYCFS_REMOTE"},
	{"remote-trust", 0, "KEY", FORM,
	 "take from it what this key has signed: NAME:KEY, or @FILE with such "
	 "lines; may be repeated (default: $PYCFS_REMOTE_TRUST)",
	 SET(px_opt_remote_trust), .env = "PYCFS_REMOTE_TRUST"},
	{"remote-sign", 0, "FILE", MOUNT | EXPORT | CACHE,
	 "also store there what it lacks, signed with this key of cache keygen; "
	 "nothing is taken from the local cache then", SET(px_opt_remote_sign)},
	{"remote-wait", 0, "MS", FORM,
	 "whoever reads a module waits for the store for so long (default 100; "
	 "0: never); all such waiting in vain adds up to a second at most",
	 COUNT(remote_wait, 60000)},
	{"remote-finish", 0, "SECONDS", MOUNT | EXPORT | CACHE,
	 "at the end store for so long (default 30; of a mount 5)",
	 COUNT(remote_finish, 86400)},
	{"by", 0, "NAME", CACHE,
	 "clear: only what this key has signed", TEXT(by)},
	{"no-cache", 0, NULL, VIEW | VERIFY,
	 "keep compiled modules for this mount only", FLAG(no_cache)},
	{"immutable", 0, NULL, MOUNT,
	 "SOURCE will not change while mounted: faster, and once one module "
	 "is asked for, all are compiled", FLAG(immutable)},
	{"no-ahead", 0, NULL, MOUNT,
	 "compile only modules that are asked for, not also those beside them",
	 FLAG(no_ahead)},
	{"foreground", 'f', NULL, PX_VERB_MOUNT,
	 "stay in the foreground; messages go to stderr", FLAG(foreground)},
	{"log-file", 0, "FILE", MOUNT,
	 "append messages to this file (default: $PYCFS_LOG, else stderr, or "
	 "syslog in the background)", TEXT(log_file), .env = "PYCFS_LOG"},
	{"verbose", 'v', NULL, VIEW | VERIFY,
	 "say more: what was mounted, and counters at the end", FLAG(verbose)},
	{"fuse-debug", 0, NULL, PX_VERB_MOUNT,
	 "log every request (implies -f)", FLAG(fuse_debug)},
	{"options", 'o', "OPTIONS", MOUNT,
	 "comma separated: any option above as name or name=value, allow_other, "
	 "auto_unmount, nonempty, and what mount(8) knows",
	 LIST},
	{"lazy", 'z', NULL, PX_VERB_UMOUNT,
	 "detach now even if it is in use", FLAG(lazy)},
	{"force", 0, NULL, EXPORT,
	 "replace DEST if it is a directory that is not empty", FLAG(force)},
	{"prefix-dir", 0, "PATH", EXPORT | TRACE,
	 "put everything below this directory of DEST, such as "
	 "python/lib/python3.12/site-packages", SET(px_opt_prefix_dir)},
	{"hardlink-dupes", 0, NULL, EXPORT,
	 "write equal files once, and hard links to it", FLAG(hardlink_dupes)},
	{"sources", 0, "FILE", EXPORT,
	 "also write what the modules were made of to this .tar, .tar.gz, "
	 ".tar.zst or .zip, for pycfs traceback", TEXT(sources)},
	{"sources", 0, "FILE", TRACE,
	 "where the lines are: an archive of export --sources, or a directory "
	 "of sources", TEXT(sources)},
	{"layer", 0, "LAYER", TRACE,
	 "check that the .pyc files of this directory, tar or zip were made of "
	 "these sources", TEXT(layer)},
	{"manifest", 0, "FILE", EXPORT,
	 "also write what is in the layer and what it was made of to this file, "
	 "for pycfs verify: an in-toto statement with SLSA provenance",
	 TEXT(manifest)},
	{"manifest", 0, "FILE", VERIFY,
	 "what export --manifest wrote with the layer", TEXT(manifest)},
	{"source", 0, "SOURCE", VERIFY,
	 "what the layer is said to be made of: make it again and compare",
	 TEXT(source)},
	{"sbom", 0, "FILE", EXPORT | REPORT,
	 "also write a list of the distributions that ship, with their licences, "
	 "as CycloneDX 1.5 in JSON", TEXT(sbom)},
	{"max-size", 0, "BYTES", EXPORT,
	 "fail if the files are larger in all; K, M, G, or lambda (250M)",
	 SET(px_opt_max_size)},
	{"size-like", 0, "HOW", EXPORT, "what --max-size counts",
	 CHOICE(like_du, {"files", false, "the bytes of files"},
		{"du", true, "as du -sb does: also links, and 4,096 for each "
		 "directory"})},
	{"max-compressed-size", 0, "BYTES", EXPORT,
	 "fail if the archive is larger; K, M, G, or lambda (50M)",
	 SET(px_opt_max_compressed)},
	{"layer", 0, "LAYER", CHECK,
	 "check this directory, tar or zip, whoever made it (default: what a "
	 "mount of SOURCE shows)", TEXT(layer)},
	{"check", 0, NULL, EXPORT | MOUNT,
	 "first check, as pycfs check does, that the layer does what its source "
	 "does: it runs the code of both", FLAG(check)},
	{"all", 0, NULL, CHECK,
	 "import every module, and not only those at the top", FLAG(all_modules)},
	{"deadline", 0, "SECONDS", CHECK,
	 "stop what has not ended after this time (default: 60; of COMMAND: "
	 "never)", COUNT(deadline, 86400)},
	{"junit", 0, "FILE", CHECK,
	 "also write what was found to this file, as JUnit XML", TEXT(junit)},
	{"print-digest", 0, NULL, EXPORT,
	 "print the sha256 of the archive, and of the tar in it (diff_id)",
	 FLAG(print_digest)},
	{"max-age", 0, "DAYS", CACHE,
	 "gc: remove what was not used for this many days",
	 COUNT(max_age, MAX_DAYS)},
	{"max-size", 0, "BYTES", CACHE,
	 "gc: remove what was not used for longest, down to this size; K, M, G",
	 BYTES(max_size, 0)},
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
	 "only the first N rows of the table, or of --diff", COUNT(top, UINT_MAX)},
	{"files", 0, NULL, REPORT,
	 "one row for each file, not for each distribution", FLAG(all_files)},
	{"diff", 0, "OLD", REPORT,
	 "compare with what --json printed earlier", TEXT(diff)},
	{"max-growth", 0, "SIZE", REPORT,
	 "with --diff: fail if the layer grew by more bytes (K, M, G) or "
	 "percent (3%)", SET(px_opt_max_growth)},
	{"html", 0, "FILE", REPORT,
	 "write a page with a picture of the layer, for any browser",
	 TEXT(html)},
	{"suggest", 0, NULL, CHECK,
	 "look for rules that cure what was found, by trying, and print them",
	 FLAG(suggest)},
	{"suggest", 0, NULL, REPORT,
	 "print the rules that keep what breaks from breaking; those for what "
	 "may break are comments, unless --fail-on may-break is given",
	 FLAG(suggest)},
	{"fail-on", 0, "GRADE", REPORT, "fail if a risk of this grade, or such a rule, is found; may be repeated",
	 CHOICES(fail_on, {"breaks", PX_FAIL_BREAKS, NULL},
		 {"may-break", PX_FAIL_MAY_BREAK, "or worse"},
		 {"unused-rule", PX_FAIL_UNUSED_RULE, "one that matches "
		  "nothing"})},
	{"quiet", 'q', NULL, ALL,
	 "errors and warnings only, even on a terminal (or $PYCFS_QUIET=1)",
	 FLAG(quiet), .env = "PYCFS_QUIET"},
	{"json", 0, NULL, CACHE | REPORT | EXPORT | CHECK | VERIFY,
	 "print JSON", FLAG(json)},
	{"help", 'h', NULL, ALL, "print this help", FLAG(help)},
};
/* clang-format on */

/* take_choice stores an unsigned in a member that may be an enum. GCC and clang
 * represent an enum without negative values as an unsigned. */
static_assert(sizeof(enum px_pyc_mode) == sizeof(unsigned) &&
		      sizeof(enum px_on_error) == sizeof(unsigned) &&
		      sizeof(enum px_column) == sizeof(unsigned),
	      "choices are stored as unsigned");
