/* SPDX-License-Identifier: MIT */
#ifndef PX_REPORT_OTHERS_H
#define PX_REPORT_OTHERS_H
/*
 * What the layer is compared with: modules as others have them. Functions that
 * return int return 0 or -errno.
 *
 * Threads: any.
 */

#include "report_i.h"

/* ---- compiled.c: modules that are compiled to be compared with ---- */

/* One way to compile them. `name` and `format` are part of the keys of stored
 * sizes: raise the latter when they are measured otherwise. */
struct px_report_way {
	const char *name;
	unsigned format;
	struct px_pool *pool;
	unsigned level;
};

/* Sets `ret`, from the cache if it has that. The digest is of the source. 1: it
 * did not compile in time. -errno. Waits for a compile. */
int px_report_compile(const struct px_report_options *o,
		      const struct px_report_way *w, const char *path,
		      const struct px_buf *source,
		      const uint8_t digest[PX_DIGEST_SIZE],
		      struct px_report_compiled *ret);
/* Appends the bytes of `c`, compiled once more if they were not kept; nothing
 * if it does not compile. -errno. */
int px_report_compiled_bytes(const struct px_report_options *o,
			     const struct px_report_way *w, const char *path,
			     const struct px_buf *source,
			     const struct px_report_compiled *c,
			     struct px_buf *ret);

/* ---- recipe.c: what compileall -o 2 -b has ---- */

/* Whether the layer has the same for this module; as px_report_level. */
bool px_report_is_as_recipe(const struct px_report_options *o,
			    const struct px_report_file *f, const char *source);
/* Sets f->recipe, which for a module that ships as it is there needs
 * f->bytes only. The digest is of the source. 1: it did not compile in time.
 * -errno. Waits for a compile. */
int px_report_recipe(const struct px_report_options *o, const char *path,
		     const struct px_buf *source,
		     const uint8_t digest[PX_DIGEST_SIZE],
		     struct px_report_file *f);
/* Appends the bytes of a module that ships otherwise. -errno. */
int px_report_recipe_bytes(const struct px_report_options *o,
			   const struct px_report_file *f,
			   const struct px_buf *source, struct px_buf *ret);

/* ---- pycache.c: what Python itself has, or would have, in __pycache__ ---- */

/* Sets f->pycache: of what is there for this source, whose digest and
 * description are given, or else of what Python would write. 1: it did not
 * compile in time. -errno. Waits for a compile. */
int px_report_pycache(const struct px_report_options *o, const char *path,
		      const struct px_buf *source, const struct px_stat *st,
		      const uint8_t digest[PX_DIGEST_SIZE],
		      struct px_report_file *f);
/* Appends those bytes to `ret`: of what is there, of what px_report_pycache
 * compiled for this report, or compiled now. Nothing if it does not compile.
 * -errno. */
int px_report_pycache_bytes(const struct px_report_options *o,
			    const struct px_report_file *f,
			    const struct px_buf *source,
			    const struct px_stat *st, struct px_buf *ret);

#endif
