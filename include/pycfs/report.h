/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_H
#define PX_REPORT_H
/*
 * The report on a view: each file with its size in the view, compressed, as
 * source and as Python's own bytecode, the distribution that it belongs to, and
 * what may break. The measurements of a file are stored in the cache, so that a
 * second report has little to measure.
 *
 * Threads: px_report_make starts threads of its own. A finished report may be
 * read by any thread.
 * Owns: <zlib.h>, <zstd.h>.
 */

#include "pycfs/cache.h"
#include "pycfs/content.h"

/* Sums over a set of files. "Modules" are the generated .pyc of the view;
 * "other" files are all others, including a generated RECORD. */
struct px_report_sizes {
	uint64_t modules;
	uint64_t source_bytes;	 /* of the sources of these modules */
	uint64_t bytecode_bytes; /* of these modules, as in the view */
	/* of these modules, as Python's own .pyc in __pycache__ */
	uint64_t pycache_bytes;
	/* of all files, as compileall -o 2 -b and deleting every .py has it */
	uint64_t recipe_bytes;
	uint64_t other_files; /* all files but modules */
	uint64_t other_bytes;
	uint64_t native_bytes;	/* part of other_bytes: shared libraries */
	uint64_t stripped;	/* files that were stripped */
	uint64_t saved_bytes;	/* what that has taken off them */
	uint64_t deflate_bytes; /* of all files, each compressed by itself */
	uint64_t zstd_bytes;
	/* The same, with the source in place of each module. */
	uint64_t source_deflate_bytes;
	uint64_t source_zstd_bytes;
};

/* A module that is compiled to be compared with. */
struct px_report_compiled {
	uint64_t bytes;
	/* Where in o->spool its bytes are; -1: nowhere. */
	int64_t at;
};

/* One file of the view. Sizes are in bytes. "Of a module" means that the member
 * is 0 for other files. */
struct px_report_file {
	char *path; /* path in the view */
	/* path of its source in SOURCE; part of the memory of `path` */
	const char *source;
	size_t dist; /* index into px_report.dists */
	enum px_kind kind;
	uint64_t source_bytes; /* of a module */
	uint64_t bytes;
	struct px_report_compiled pycache; /* of a module: in __pycache__ */
	/* as compileall -o 2 -b has it; of any file */
	struct px_report_compiled recipe;
	uint64_t saved_bytes; /* by stripping it; else 0 */
	uint64_t deflate_bytes;
	uint64_t zstd_bytes;
	/* of a module; else deflate_bytes, zstd_bytes */
	uint64_t source_deflate_bytes;
	uint64_t source_zstd_bytes;
	uint8_t digest[PX_DIGEST_SIZE]; /* of the file's bytes in the view */
	uint8_t source_digest[PX_DIGEST_SIZE]; /* of a module's source */
	/* Risks as text in the form of px_pool_options.analyse, which
	 * px_report_find_risks cuts into fields in place; NULL if there are
	 * none. */
	char *findings;
	uint64_t uses_docs; /* 1: px_uses_docs, of a module */
	unsigned risk;	    /* the worst grade of its risks; 0: none */
};

/* A place that may break without source, docstrings or asserts, or without what
 * rules hide. The strings belong to the report. */
struct px_report_risk {
	const char *path; /* in SOURCE */
	unsigned line;	  /* 0: the file as a whole */
	unsigned grade;	  /* 1: good to know, 2: may break, 3: breaks */
	const char *rule, *reason, *detail, *remedy;
};

/* The rule of findings that an interpreter with -OO does not have: the code
 * asks for it. */
#define PX_REPORT_UNLESS_OO "doc-unless-oo"

/* The rule of modules that do not compile. */
#define PX_REPORT_NOT_COMPILED "not-compiled"

/* The names of the risks for what is hidden of a distribution's metadata. */
#define PX_REPORT_HIDDEN_LICENCE "hidden-licence"
#define PX_REPORT_HIDDEN_RECORD	 "hidden-record"

/* Whether a remedy is one for every module ("keep-source *"), because those
 * that use the one with the risk have to change, and not it. */
bool px_report_remedy_is_for_all(const char *remedy);

/* A distribution, or a top-level name whose files belong to no distribution. */
struct px_report_dist {
	char *name;    /* of the distribution, or the top-level name */
	char *version; /* "" if there is none */
	/* Its metadata, a path in SOURCE; NULL: it has none. */
	char *dir;
	unsigned risk;	/* the worst grade in its files; 0: none */
	bool installed; /* a distribution: it has a .dist-info or .egg-info */
	struct px_report_sizes sizes;
};

/* An entry of the source that is not in the view. If it is a directory, the
 * sums include all that is below it. */
struct px_report_hidden {
	char *path;	 /* path in SOURCE */
	const char *why; /* a static string: the reason */
	bool is_dir;
	uint64_t files;
	uint64_t bytes;
};

/* A rule, and the files that it decides about: a later one may match them,
 * too, and then decides. */
struct px_report_rule {
	char *text;    /* as in a rules file */
	bool built_in; /* of the profile, not the user's */
	bool matches;  /* anything in SOURCE; built in: decides anything */
	uint64_t files;
	uint64_t bytes; /* in the view; of an exclusion, in SOURCE */
};

/* A module that does not compile. */
struct px_report_fault {
	char *path;	     /* path in SOURCE */
	struct px_blob *why; /* its error; a reference that the report owns */
};

/* Files with equal content, in byte order of their paths. */
struct px_report_twins {
	uint64_t bytes; /* size of each of them */
	size_t n;
	size_t *files; /* indices into px_report.files */
};

/* Sizes of one archive of all files, in bytes. */
struct px_report_archive {
	uint64_t gzip; /* a tar, at level 6 */
	uint64_t zstd; /* a tar, at level 3 */
};

/* The layer, and what it is compared with, each as one archive. They are
 * measured distribution by distribution, and modules apart from other files:
 * what lies between them that could be shared is not found. */
struct px_report_packed {
	struct px_report_archive layer;
	struct px_report_archive recipe;  /* compileall -o 2 -b, no .py */
	struct px_report_archive sources; /* without bytecode */
	struct px_report_archive pip;	  /* sources and __pycache__ */
};

struct px_report {
	struct px_report_sizes total;
	struct px_report_packed packed;
	struct px_report_file *files; /* in byte order of their paths */
	size_t n_files;
	struct px_report_dist *dists; /* in order of names */
	size_t n_dists;
	struct px_report_hidden *hidden;
	size_t n_hidden;
	struct px_report_fault *faults;
	size_t n_faults;
	/* the set with the most redundant bytes first */
	struct px_report_twins *twins;
	size_t n_twins;
	struct px_report_risk *risks; /* in order of paths, then lines */
	size_t n_risks;
	char **texts; /* strings of risks that no px_report_file has */
	size_t n_texts;
	struct px_report_rule *rules; /* in their order */
	size_t n_rules;
	/* redundant bytes: all twins but one of each set */
	uint64_t twin_bytes;
	uint64_t hidden_files;
	uint64_t hidden_bytes;
};

struct px_report_options {
	struct px_content *content;
	/* Workers that produce the .pyc that Python itself would write, with
	 * debug ranges. Only their sizes are used. */
	struct px_pool *baseline;
	const struct px_python *python; /* the Python of `baseline` */
	/* Workers that produce what ships, at any level. */
	struct px_pool *recipe;
	/* workers that find risks; NULL: do not look for any */
	struct px_pool *analyser;
	const struct px_rules *rules; /* the same as those of `content` */
	unsigned optimize;     /* level where no rule applies: 0, 1 or 2 */
	unsigned run_optimize; /* level of the interpreter that will run it */
	/* Version of the code that finds risks. Cached findings of another
	 * version are not used. */
	const char *version;
	struct px_tree *tree;
	struct px_cache *cache;
	unsigned jobs; /* worker processes, and threads (at most 16) */
	/* A file for what is compiled to be measured only, which is wanted
	 * twice; -1: it is compiled twice. */
	int spool;
	_Atomic int64_t *spool_end; /* bytes in it */
	/* maximum size of a source in bytes, as in the content */
	size_t max_source;
	/* Called about every 100 ms from the calling thread with the number of
	 * files measured so far. If it returns false, the report ends with
	 * -ECANCELED. */
	bool (*tick)(void *arg, uint64_t files);
	void *tick_arg;
};

/* Makes a report and blocks until it is done. Everything in `o` is borrowed.
 * Returns 0; -ECANCELED if tick returned false; -errno. On failure `why` has a
 * sentence. Call px_report_fini in any case. */
int px_report_make(const struct px_report_options *o, struct px_report *ret,
		   struct px_why *why);
void px_report_fini(struct px_report *r);

/* Adds the sizes of one file to a sum. */
void px_report_add_sizes(struct px_report_sizes *to,
			 const struct px_report_file *f);
/* The total size in the view. */
static inline uint64_t px_report_bytes(const struct px_report_sizes *s)
{
	return s->bytecode_bytes + s->other_bytes;
}

#endif
