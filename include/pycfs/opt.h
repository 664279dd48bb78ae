/* SPDX-License-Identifier: MIT */
#ifndef PX_OPT_H
#define PX_OPT_H
/*
 * The command line. One table of verbs (verbs.h) and one of options feed the
 * parser, `-o name=value`, --help, the manual and the shells' completion.
 *
 * Threads: the main thread, at the start.
 */

#include "pycfs/pyc.h"
#include "pycfs/rules.h"
#include "pycfs/util.h"
#include "pycfs/view.h"

enum px_verb_bit {
	PX_VERB_MOUNT = 1,
	PX_VERB_RUN = 2,
	PX_VERB_UMOUNT = 4,
	PX_VERB_CACHE = 8,
	PX_VERB_REPORT = 16,
	PX_VERB_EXPORT = 32,
};

/* Of the table of a report. */
enum px_column {
	PX_COLUMN_NAME,
	PX_COLUMN_MODULES,
	PX_COLUMN_SOURCE,
	PX_COLUMN_SHIPPED,
	PX_COLUMN_OTHER,
	PX_COLUMN_NATIVE,
	PX_COLUMN_DEFLATE,
	PX_COLUMN_ZSTD,
	PX_N_COLUMNS,
};

/* What --jobs takes. */
#define PX_MAX_JOBS 1024

/* All that can be said. Strings point into argv or live as long as this. */
struct px_opt {
	enum px_verb_bit verb;
	const char *python; /* NULL: python3 of PATH */
	unsigned optimize;
	bool debug_ranges;
	enum px_pyc_mode mode;
	unsigned plain_marshal;	 /* CPython's bytes, not the canonical form */
	unsigned must_reproduce; /* nothing else than the canonical form */
	unsigned safe;		 /* also the rules of src/profile_safe.rules */
	struct px_rules *rules;	 /* in the order they were given; or NULL */
	int64_t uid, gid;	 /* --owner; -1: the source's */
	int64_t mtime;		 /* seconds; -1: the source's */
	unsigned normal_modes;	 /* 0755 and 0644 */
	const char *prefix;
	enum px_on_error on_error;
	unsigned jobs;		/* 0: one for each CPU we may use */
	unsigned timeout_ms;	/* 0: no deadline */
	const char *cache;	/* NULL: the default place */
	const char *cache_from; /* NULL: none */
	uint64_t cache_size;
	uint64_t max_source; /* bytes */
	bool no_cache;
	bool require_sandbox;
	bool foreground;
	bool immutable;
	bool no_ahead;
	bool verbose;
	const char *log_file;
	bool lazy;
	bool json;
	bool quiet;
	bool force;
	bool hardlink_dupes;
	bool print_digest;
	unsigned max_age; /* days; UINT_MAX: no limit */
	const char *html; /* NULL: none */
	const char *diff; /* NULL: with nothing */
	bool all_files;
	bool suggest;
	enum px_column sort;
	unsigned top;		      /* rows; 0: all */
	unsigned fail_on;	      /* 0: no grade; 2: may break; 3: breaks */
	int64_t max_growth;	      /* bytes; -1: no limit */
	double max_growth_percent;    /* negative: no limit */
	const char *prefix_dir;	      /* where in the archive; "" for none */
	uint64_t max_size;	      /* bytes; 0: no limit */
	uint64_t max_compressed_size; /* bytes; 0: no limit */
	bool fuse_debug;
	bool fake; /* mount(8)'s -f: check, do not mount */
	bool help;
	bool nonempty;
	char *fuse_options;   /* what -o has for libfuse; never NULL */
	const char *bad_item; /* of -o, after -EINVAL */
	struct px_why bad;    /* or what else was wrong; empty: the value */
	char **kept;	      /* what values point into */
	size_t n_kept;

	int n_args;
	char **args; /* what is left: SOURCE MOUNTPOINT, COMMAND... */
};

/* One of the words that an option takes. */
struct px_opt_choice {
	const char *name;
	unsigned value;
	const char *help; /* NULL: the name says it */
};

enum px_opt_type {
	PX_OPT_FLAG,   /* sets a bool; takes no value */
	PX_OPT_CHOICE, /* an unsigned: one of the words in `choices` */
	PX_OPT_TEXT,   /* a const char *, which may be "" if `max` is 0 */
	PX_OPT_COUNT,  /* an unsigned, up to `max` */
	PX_OPT_BYTES,  /* a uint64_t over 0, up to `max` if that is not 0 */
	PX_OPT_OTHER,  /* whatever `set` makes of it */
	PX_OPT_LIST,   /* -o: other options, separated by commas */
};

struct px_opt_row {
	const char *name;
	char letter;	      /* 0: none */
	const char *argument; /* what the value is called; NULL: a flag */
	unsigned verbs;	      /* those that take it: enum px_verb_bit */
	const char *help;
	enum px_opt_type type;
	size_t at; /* offset in struct px_opt of the member that it sets */
	unsigned max;
	const struct px_opt_choice *choices; /* up to one without a name */
	/* -EINVAL: a value that the option does not take. */
	int (*set)(struct px_opt *o, const char *value);
};

#define PX_N_OPTS 52
/* Of the rows of one name each has verbs of its own. */
extern const struct px_opt_row px_opt_rows[PX_N_OPTS];

/* True if `choice` is what `row` has where nothing is said. */
bool px_opt_is_default(const struct px_opt_row *row,
		       const struct px_opt_choice *choice);

struct px_verb {
	const char *name;
	enum px_verb_bit bit;
	int (*run)(struct px_opt *o);
	int min_args, max_args; /* max_args < 0: no limit */
	const char *arguments;
	const char *summary;
	const char *details;
};

/* Parses argv[1..] for `verb`. `helper` is true under mount(8), whose -f and
 * -v are not ours. 0, or -EINVAL with a sentence in `why`. */
int px_opt_parse(struct px_opt *o, const struct px_verb *verb, bool helper,
		 int argc, char **argv, struct px_why *why);
void px_opt_fini(struct px_opt *o);

/* Prints --help of one verb: 80 columns, on stdout. */
void px_opt_help(const struct px_verb *verb);

#endif
