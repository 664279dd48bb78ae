/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_H
#define PX_CONTENT_H
/*
 * From a module's source path to its size and bytes: found by the file's
 * fingerprint, found by its content, or compiled once for everybody who waits.
 * Also compiles a directory's other modules before they are asked for.
 *
 *   ask -> fingerprint in the index? -> yes: done, nothing is read
 *            no: read and hash; blob known? -> yes: done, index it
 *              no: compile; store; index it
 *
 * Threads: any. Callbacks come in the caller's thread when the answer is known
 * at once, else in the pool's; they must not block.
 */

#include "pycfs/cache.h"
#include "pycfs/pool.h"
#include "pycfs/view.h"

struct px_content;

struct px_content_options {
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_pool *pool;
	const struct px_python *python;
	struct px_stats *stats;
	unsigned optimize;
	bool debug_ranges;
	bool canonical; /* bytecode as marshal.h says, not as CPython wrote it
			 */
	bool ahead;	/* compile siblings of what is asked for */
	enum px_pyc_mode mode;
	const char *prefix; /* what co_filename starts with; "" for none */
};

/* Everything pointed to outlives the content. -ENOMEM. */
int px_content_new(const struct px_content_options *o, struct px_content **ret);
/* Begins no more work; returns at once. To end: quiet, px_pool_stop (which
 * answers everybody who waits), px_content_free, px_pool_free. */
void px_content_quiet(struct px_content *c);
void px_content_free(struct px_content *c); /* NULL is fine */

/* A module's answer. */
struct px_module {
	struct px_stat st; /* of the source */
	enum px_blob_kind kind;
	uint64_t size;	      /* bytes of the .pyc, when kind is CODE */
	uint64_t tag;	      /* changes when the bytes do */
	struct px_blob *blob; /* borrowed; NULL unless asked for, or when
			       * the module was just compiled */
};

enum px_want {
	PX_WANT_SIZE,
	PX_WANT_BYTES,
};

/* err is 0 with a module, or -errno without: -ENOENT and the like from the
 * source, -ECANCELED when stopping, -ENOMEM. */
typedef void (*px_content_done)(void *arg, int err, const struct px_module *m);

/* Asks for the module compiled from `path`; `done` is called exactly once. */
void px_content_get(struct px_content *c, const char *path, enum px_want want,
		    px_content_done done, void *arg);

/* What is known of it without reading or compiling: 0 and *ret (blob is
 * NULL), or -ENOENT: unknown yet, or -errno of the source. */
int px_content_peek(struct px_content *c, const char *path,
		    struct px_module *ret);

/*
 * Which modules of directory `dir` compile, for views that show rejected ones
 * differently: asks for all of `v` and hands over the settled view (borrowed).
 * Listing such a view therefore compiles it. `done` is called exactly once.
 */
typedef void (*px_content_settled)(void *arg, int err, struct px_view *settled);
void px_content_settle(struct px_content *c, const char *dir, struct px_view *v,
		       enum px_on_error how, px_content_settled done,
		       void *arg);

/* Waits until what was compiled is in the cache, 5 s at most. */
void px_content_flush(struct px_content *c);

/* Logs what is unusual in directory `dir`, each thing once. */
void px_content_notes(struct px_content *c, const char *dir,
		      const struct px_view *v);

/* Logs once if the .pyc open as `fd`, which is shipped as it is, belongs to
 * another Python. */
void px_content_check_pyc(struct px_content *c, const char *path, int fd);

#endif
