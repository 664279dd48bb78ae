/* SPDX-License-Identifier: MIT */
#ifndef PX_OPT_H
#define PX_OPT_H
/*
 * The command line. One table of verbs (verbs.h) and one table of options are
 * the source for the parser, for `-o name=value`, for --help, for the manual
 * and for the completion scripts of the shells.
 *
 * Threads: only the main thread, before any other thread is started, because
 * getopt_long(3) keeps its state in global variables.
 */

#include "pycfs/pyc.h"
#include "pycfs/python.h"
#include "pycfs/rules.h"
#include "pycfs/signer.h"
#include "pycfs/strip.h"
#include "pycfs/util.h"
#include "pycfs/view.h"

enum px_verb_bit {
	PX_VERB_MOUNT = 1,
	PX_VERB_RUN = 2,
	PX_VERB_UMOUNT = 4,
	PX_VERB_CACHE = 8,
	PX_VERB_REPORT = 16,
	PX_VERB_EXPORT = 32,
	PX_VERB_TRACEBACK = 64,
	PX_VERB_CHECK = 128,
	PX_VERB_VERIFY = 256,
};

/* The columns of the table that `pycfs report` prints. */
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

/* The largest number of compile processes that --jobs accepts. */
#define PX_MAX_JOBS 1024

/*
 * The values of all options of one command line. px_opt_parse fills it;
 * px_opt_fini frees what it owns. The strings point into argv, or into memory
 * that this structure owns.
 */
struct px_opt {
	enum px_verb_bit verb;
	const char *python; /* NULL: px_choose_python chooses one */
	enum px_python_worker worker;
	unsigned optimize;     /* level of optimization, 0 to 2 */
	unsigned run_optimize; /* that of the interpreter which runs it */
	bool debug_ranges;
	enum px_pyc_mode mode;
	/* These three are truth values. They are unsigned because they are set
	 * from a list of words (PX_OPT_CHOICE). */
	unsigned plain_marshal;	 /* write as CPython does, not canonically */
	unsigned must_reproduce; /* fail if there is no canonical form */
	unsigned safe; /* add the rules of src/cli/profile_safe.rules */
	struct px_rules *rules; /* in the order of the options; NULL: none */
	bool strip;		/* shared libraries that no rule names, too */
	const char *strip_tool; /* NULL: what is found */
	struct px_strip *stripper; /* what strips, once it was looked for;
				    * owned, NULL: nothing is stripped */
	int64_t uid, gid;	   /* --owner; -1: as in SOURCE */
	int64_t mtime;		   /* seconds since 1970; -1: as in SOURCE */
	bool mtime_by_content;	   /* and files have times before `mtime` */
	unsigned normal_modes;	   /* true: modes are 0755 and 0644 */
	const char *prefix; /* what co_filename starts with; "": nothing */
	enum px_on_error on_error;
	unsigned may_lose; /* true: --on-lost warn */
	char **follow;	   /* --follow-links: absolute paths; owned */
	size_t n_follow;
	unsigned jobs;		 /* 0: one for each CPU that we may use */
	unsigned timeout_ms;	 /* CPU time for one module; 0: no limit */
	const char *cache;	 /* a directory; NULL: the default one */
	const char *cache_from;	 /* a seed's directory; NULL: no seed */
	uint64_t cache_size;	 /* bytes */
	const char *remote;	 /* URL of a store that is shared; NULL: none */
	struct px_signer *trust; /* whose chunks are taken from it; owned */
	size_t n_trust;
	struct px_secret *secret; /* what is stored there is signed with; owned,
				   * NULL: nothing is stored */
	unsigned remote_wait;	  /* ms */
	unsigned remote_finish;	  /* seconds; UINT_MAX: as the verb needs */
	const char *by;		  /* cache clear: whose modules; NULL: all */
	uint64_t max_source;	  /* bytes of one module's source */
	bool no_cache;
	bool require_sandbox;
	bool foreground;
	bool immutable;
	bool no_ahead;
	bool verbose;
	const char *log_file; /* NULL: stderr or syslog */
	bool lazy;
	bool json;
	bool quiet;
	bool force;
	bool hardlink_dupes;
	/* export: archive to write; traceback: the same, or a directory */
	const char *sources;
	const char *sbom;  /* file to write; NULL: none */
	const char *layer; /* to compare sources with; NULL: none */
	/* export: file to write; verify: file to read. NULL: none */
	const char *manifest;
	const char *source; /* verify: what the layer was made of; NULL */
	bool print_digest;
	bool check;	   /* export, run: check first */
	bool all_modules;  /* check: not only those at the top */
	unsigned deadline; /* check: seconds for one process; 0: default */
	const char *junit; /* check: file to write; NULL: none */
	unsigned max_age;  /* days; UINT_MAX: no limit */
	const char *html;  /* file to write; NULL: no page */
	const char *diff;  /* earlier report's file; NULL: do not compare */
	bool all_files;
	bool suggest;
	enum px_column sort;
	unsigned top;		   /* rows to print; 0: all of them */
	unsigned fail_on;	   /* PX_FAIL_*, ORed; 0: never */
	int64_t max_growth;	   /* bytes; -1: no limit */
	double max_growth_percent; /* negative: no limit */
	const char *scripts; /* directory inside DEST; NULL: none wanted */
	const char *scripts_python;   /* NULL: from PATH where they run */
	const char *prefix_dir;	      /* directory inside DEST; "": its top */
	unsigned like_du;	      /* true: max_size is what du -sb counts */
	uint64_t max_size;	      /* bytes; 0: no limit */
	uint64_t max_compressed_size; /* bytes; 0: no limit */
	bool fuse_debug;
	bool fake; /* -f of mount(8): check the command line, do not mount */
	bool help; /* --help was given; the arguments were not checked */
	bool nonempty;
	char *fuse_options; /* options of -o for libfuse; owned, never NULL */
	/* Why an option was refused, for the message of the parser: the item of
	 * -o that is wrong, or a whole sentence. If neither is set, the message
	 * names the option and its value. */
	const char *bad_item;
	struct px_why bad;
	/* Copies of the values of -o, into which other values point. Owned. */
	char **kept;
	size_t n_kept;

	/* The arguments behind the options, such as SOURCE and MOUNTPOINT. */
	int n_args;
	int n_before; /* those before "--"; without it n_args */
	char **args;
	/* The variables of the environment that set an option, in the order of
	 * the table, joined by ", "; "": none. */
	char environment[128];
	/* The venv or project in which px_choose_source found SOURCE, an
	 * absolute path without symlinks; NULL: args[0] is as the user said. */
	const char *found_in;
};

/* One of the words that an option accepts as its value. */
struct px_opt_choice {
	const char *name;
	unsigned value;
	const char *help; /* NULL: the name needs no explanation */
};

/* What --fail-on looks for. */
enum px_fail {
	PX_FAIL_BREAKS = 1,
	PX_FAIL_MAY_BREAK = 2, /* or breaks */
	PX_FAIL_UNUSED_RULE = 4,
};

/* The type of an option's value, and of the member of struct px_opt that it
 * sets. */
enum px_opt_type {
	PX_OPT_FLAG,	/* a bool, set to true; the option has no value */
	PX_OPT_CHOICE,	/* an unsigned: the value of a word in `choices` */
	PX_OPT_CHOICES, /* the same, ORed if the option is repeated */
	PX_OPT_TEXT,	/* a const char *; "" is accepted only if `max` is 0 */
	PX_OPT_COUNT,	/* an unsigned from 0 to `max` */
	PX_OPT_BYTES, /* a uint64_t from 1 to `max`; `max` 0: no upper limit */
	PX_OPT_OTHER, /* any member: the function `set` parses the value */
	PX_OPT_LIST,  /* -o: other options, separated by commas */
};

/* One option of some verbs. */
struct px_opt_row {
	const char *name;     /* without the leading dashes */
	char letter;	      /* the short option; 0: there is none */
	const char *argument; /* name of the value in --help; NULL: no value */
	unsigned verbs;	      /* verbs that accept it: enum px_verb_bit, ORed */
	const char *help;
	enum px_opt_type type;
	size_t at;    /* offset in struct px_opt of the member that it sets */
	unsigned max; /* see enum px_opt_type */
	const struct px_opt_choice *choices; /* the last one has no name */
	/* The variable of the environment that stands for the option where it
	 * is not given; NULL: none. Only what says where and how loud has one,
	 * never what changes the bytes, names or the Python of a layer. */
	const char *env;
	/* Only for PX_OPT_OTHER. Returns 0, -ENOMEM, or -EINVAL for a value
	 * that the option does not accept. */
	int (*set)(struct px_opt *o, const char *value);
};

#define PX_N_OPTS 80
/* All options, in the order of --help. Two rows may have the same name, but
 * then no verb accepts both. */
extern const struct px_opt_row px_opt_rows[PX_N_OPTS];

/* Whether `choice` of `row` is the default, which holds if the option is not
 * given. `row` has choices. */
bool px_opt_is_default(const struct px_opt_row *row,
		       const struct px_opt_choice *choice);

/* One verb, such as `mount` in `pycfs mount`. */
struct px_verb {
	const char *name;
	enum px_verb_bit bit;
	int (*run)(struct px_opt *o); /* returns the exit status, see verbs.h */
	int min_args, max_args;	      /* max_args < 0: any number */
	const char *arguments;	      /* for the usage line */
	const char *summary;	      /* for the list of verbs */
	const char *details;	      /* for --help and the manual */
};

/*
 * Parses argv[1] and what follows it as a command line of `verb`, and stores
 * the values in `o`, whose former contents are ignored. `helper` is true if
 * mount(8) runs us as its helper: its -f and -v mean something else than ours,
 * and the variables in px_opt_row.env do not count, because root may run us so
 * with a user's environment.
 * Values point into `argv`, which must live as long as `o`.
 *
 * Returns 0, also for --help (o->help); or, with a sentence in `why`, -EINVAL
 * for a wrong command line or -ENOMEM. Call px_opt_fini in any case. Blocks
 * while it reads the files that --rules names.
 */
int px_opt_parse(struct px_opt *o, const struct px_verb *verb, bool helper,
		 int argc, char **argv, struct px_why *why);
void px_opt_fini(struct px_opt *o);

/* Says as much as --quiet, --verbose and the terminal ask for (log.h). */
void px_opt_talk(const struct px_opt *o);

/* Prints the text of `pycfs VERB --help` on stdout, 80 columns wide. */
void px_opt_help(const struct px_verb *verb);

#endif
