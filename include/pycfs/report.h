/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_H
#define PX_REPORT_H
/*
 * What a layer has in it and what it costs: each file of the view, how large
 * it is as shipped, compressed, as source and as Python's own bytecode, and
 * which distribution it belongs to. What a file's bytes come to is kept in the
 * cache under their digest, so that a second report measures little.
 *
 * Threads: px_report_make uses several; what it made, any.
 * Owns: <zlib.h>, <zstd.h>.
 */

#include "pycfs/cache.h"
#include "pycfs/content.h"

/* Sums over some files. */
struct px_report_sizes {
	uint64_t modules;
	uint64_t source_bytes;	 /* of modules */
	uint64_t bytecode_bytes; /* of the same, as shipped */
	uint64_t pycache_bytes;	 /* of the same, as Python's __pycache__ */
	uint64_t other_files;	 /* shipped as they are, or a RECORD */
	uint64_t other_bytes;
	uint64_t native_bytes;	/* of other: shared libraries */
	uint64_t deflate_bytes; /* of all, each file by itself */
	uint64_t zstd_bytes;
	uint64_t source_deflate_bytes; /* the same with modules as sources */
	uint64_t source_zstd_bytes;
};

struct px_report_file {
	char *path;	    /* in the view */
	const char *source; /* in SOURCE; into `path` */
	size_t dist;	    /* index of distributions */
	enum px_kind kind;
	uint64_t source_bytes; /* of a module; else 0 */
	uint64_t bytes;
	uint64_t pycache_bytes; /* of a module; else 0 */
	uint64_t deflate_bytes;
	uint64_t zstd_bytes;
	uint64_t source_deflate_bytes; /* of a module; else as above */
	uint64_t source_zstd_bytes;
	uint8_t digest[PX_DIGEST_SIZE]; /* of the bytes */
	char *findings; /* as px_pool_options.analyse has them; or NULL */
	unsigned risk;	/* the worst grade of them; 0: none */
};

/* Something that may break without source, docstrings or asserts. Strings
 * belong to the file. */
struct px_report_risk {
	size_t file; /* index */
	unsigned line;
	unsigned grade; /* 1: to know, 2: may break, 3: breaks */
	const char *rule, *reason, *detail, *remedy;
};

struct px_report_dist {
	char *name;    /* of a top-level name that belongs to none: that name */
	char *version; /* "" if it is none */
	unsigned risk; /* the worst grade */
	bool installed; /* there is a RECORD or egg-info of it */
	struct px_report_sizes sizes;
};

struct px_report_hidden {
	char *path;	 /* in SOURCE */
	const char *why; /* static */
	uint64_t files;
	uint64_t bytes;
};

struct px_report_fault {
	char *path;	     /* in SOURCE */
	struct px_blob *why; /* line, column, message */
};

/* Files with the same bytes, in the order of their paths. */
struct px_report_twins {
	uint64_t bytes; /* of each */
	size_t n;
	size_t *files; /* indices */
};

struct px_report {
	struct px_report_sizes total;
	struct px_report_file *files; /* in the order of their paths */
	size_t n_files;
	struct px_report_dist *dists; /* by name */
	size_t n_dists;
	struct px_report_hidden *hidden;
	size_t n_hidden;
	struct px_report_fault *faults;
	size_t n_faults;
	struct px_report_twins *twins; /* the most wasteful first */
	size_t n_twins;
	struct px_report_risk *risks; /* by file and line */
	size_t n_risks;
	uint64_t twin_bytes; /* in all copies but one of each */
	uint64_t hidden_files;
	uint64_t hidden_bytes;
};

struct px_report_options {
	struct px_content *content;
	/* Makes what Python itself would write, with debug ranges, of which
	 * only the size is kept. */
	struct px_pool *baseline;
	const struct px_python *python; /* whose that is */
	struct px_pool *analyser;	/* NULL: no risks are looked for */
	const struct px_rules *rules;	/* as the content has them */
	unsigned optimize;
	const char *version; /* of what finds risks: findings are kept by it */
	struct px_tree *tree;
	struct px_cache *cache;
	unsigned jobs;
	size_t max_source; /* bytes, as the content has it */
	/* As px_export_options has it; files done so far. */
	bool (*tick)(void *arg, uint64_t files);
	void *tick_arg;
};

/* 0, or -errno with a sentence in `why`; -ECANCELED: tick said so. Call
 * px_report_fini in any case. Blocks until done. */
int px_report_make(const struct px_report_options *o, struct px_report *ret,
		   struct px_why *why);
void px_report_fini(struct px_report *r);

void px_report_add_sizes(struct px_report_sizes *to,
			 const struct px_report_file *f);
/* All that is shipped. */
static inline uint64_t px_report_bytes(const struct px_report_sizes *s)
{
	return s->bytecode_bytes + s->other_bytes;
}

#endif
