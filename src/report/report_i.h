/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_REPORT_I_H
#define PX_REPORT_REPORT_I_H
/*
 * What the files of the report share. Private to this folder. Functions that
 * return int return 0 or -errno.
 */

#include "modules.h"

#include "pycfs/report.h"
#include "pycfs/set.h"
#include "pycfs/walk.h"

/* ---- measure.c: compressed sizes and digests ---- */

struct px_measure {
	uint64_t deflate_bytes;
	uint64_t zstd_bytes;
};

struct px_meter; /* the compressors, which belong to one thread */

int px_meter_new(struct px_cache *c, struct px_meter **ret);
void px_meter_free(struct px_meter *m); /* NULL is fine */
/* Computes the digest and the compressed sizes of `n` bytes. The sizes are
 * taken from the cache if it has them. */
int px_meter_bytes(struct px_meter *m, const void *data, size_t n,
		   struct px_measure *ret, uint8_t digest[PX_DIGEST_SIZE]);
/* The same for the content of a file that is open at its start. -ESTALE if it
 * does not have exactly `n` bytes. */
int px_meter_fd(struct px_meter *m, int fd, uint64_t n, struct px_measure *ret,
		uint8_t digest[PX_DIGEST_SIZE]);

/* ---- file.c: the measurements of one file ---- */

/* Fills the members of `f` that depend on the content of the file, which is
 * `i`. All threads of a report share `one_large`, so that only one of them has
 * a large source in memory at a time. Blocks. */
int px_report_measure(const struct px_report_options *o, struct px_meter *meter,
		      pthread_mutex_t *one_large, const struct px_item *i,
		      struct px_report_file *f);

/* ---- risk.c ---- */

/* At which level a module is compiled whose source, at `source`, was read:
 * f->uses_docs is known, and f->source need not be. */
unsigned px_report_level(const struct px_report_options *o,
			 const struct px_report_file *f, const char *source);

/* ---- ask.c: asking, and waiting for the answer ---- */

/* The bytes that are shipped for the source `path`: 0 and a blob that is the
 * caller's, or NULL if it does not compile. Waits for a compile. -errno. */
int px_report_ask(struct px_content *c, const char *path, enum px_kind kind,
		  struct px_blob **ret);
/* What a worker of `pool` makes of a source at a level, in the canonical form
 * if there is one of it: 0 and a blob that is the caller's, or NULL if it
 * failed. Waits for it. -errno. */
int px_report_work(struct px_pool *pool, const char *path,
		   const struct px_buf *source, unsigned level, bool canonical,
		   struct px_blob **ret);

/* ---- pack.c: as one archive ---- */

/* Sets r->packed. Starts threads; calls o->tick as px_report_make does. 0;
 * -ECANCELED; -errno. */
int px_report_pack(struct px_report *r, const struct px_report_options *o);

/* ---- risk_list.c ---- */

/* Adds a risk, in the file with this index, or in none. Its strings must live
 * as long as the report. */
#define PX_NO_FILE SIZE_MAX
int px_report_add_risk(struct px_report *r, size_t file,
		       const struct px_report_risk *risk);
/* Gives the string to the report. NULL: there was no memory for it, or for the
 * list, and then it is freed. */
const char *px_report_own(struct px_report *r, char *text);

/* ---- risk.c ---- */

/* Adds the name of a file that is not in the view to those that
 * px_report_find_risks looks for: "a.tar.gz", "*.tar.gz" and "*.gz". A hash
 * that two names share could at worst add a risk. */
void px_report_add_name(struct px_set *hidden, const char *name);
/* Parses the findings of all files into r->risks. Findings that the rules
 * remedy already are left out, and files that are opened and not `hidden`. Sets
 * the grades of files and distributions. */
int px_report_find_risks(struct px_report *r, const struct px_report_options *o,
			 const struct px_set *hidden, struct px_modules *m);

/* ---- layer.c: what the files of the layer are to each other ---- */

/* Adds risks for what the file imports of the modules that rules hide. `list`
 * is what analysis.py found, whose risks have at most the grade `most`. */
int px_report_find_imports(struct px_report *r, const struct px_modules *m,
			   size_t file, unsigned most, const char *list);
/* Adds risks for what does not compile, for native modules and bytecode that
 * are for another Python, and for entry points of hidden modules. */
int px_report_look_at_layer(struct px_report *r,
			    const struct px_report_options *o,
			    const struct px_modules *m);

/* ---- metadata.c ---- */

/* Adds risks for licences and RECORDs that rules hide. */
int px_report_look_at_metadata(struct px_report *r,
			       const struct px_report_options *o);

/* ---- usage.c ---- */

/* Fills r->rules. */
int px_report_use_rules(struct px_report *r, const struct px_report_options *o);

/* ---- dist.c: which distribution a file belongs to ---- */

/* Fills r->dists and the `dist` of every file. */
int px_report_assign(struct px_report *r, struct px_tree *t);

#endif
