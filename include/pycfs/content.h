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
 * at once, else in the pool's, one of the content's own, or that of another who
 * asks; they must not block.
 *
 * What a callback may free: all that the caller has to do with the request,
 * `arg`, `path` and `st` among it; none of that is touched once the callback
 * was called. What it is given is lent until it returns: it copies, or takes a
 * reference. The thread that called it then goes on in the content, which, like
 * tree, cache, pool and stats, has to be there until px_pool_stop and
 * px_content_stop have returned: being answered does not mean that nobody is
 * inside any more.
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
	const struct px_rules *rules; /* NULL: none */
	unsigned optimize;	      /* where no rule says otherwise */
	enum px_on_error on_error;
	/* Attributes of everything; negative: as in the source. */
	int64_t uid, gid;
	int64_t mtime;	   /* seconds */
	bool normal_modes; /* 0755 and 0644 */
	/* Bytes of a module's source: a larger one is refused, and that is not
	 * stored. 0: what a worker can be sent. */
	uint64_t max_source;
	/* Bytes of all sources that are read and not compiled yet; further ones
	 * are read once there is room. 0: 128 MiB. */
	uint64_t in_flight;
	bool debug_ranges;
	bool canonical;	 /* bytecode as marshal.h says, not as CPython wrote it
			  */
	bool ahead;	 /* compile siblings of what is asked for */
	bool ahead_tree; /* and then the whole tree */
	bool immutable;	 /* what a listing found stays true */
	bool silent;	 /* who asks reports what does not compile */
	enum px_pyc_mode mode;
	const char *prefix; /* what co_filename starts with; "" for none */
};

/* Everything pointed to outlives the content. -ENOMEM. */
int px_content_new(const struct px_content_options *o, struct px_content **ret);
/* Begins no more work by itself; returns at once. To end: quiet, px_pool_stop,
 * px_content_stop (by then everybody who waits has been answered),
 * px_content_free, px_pool_free. */
void px_content_quiet(struct px_content *c);
/* Answers who waits for room with -ECANCELED, and whoever asks for a compile
 * from now on, and waits for the content's own threads, which may be reading.
 * Twice is fine. */
void px_content_stop(struct px_content *c);
void px_content_free(struct px_content *c); /* NULL is fine */

/* What a name of the view is, ready for stat(2) or an archive. */
struct px_attr {
	enum px_kind kind;
	uint32_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;	 /* whole seconds, 1980 or later */
	uint64_t size;	 /* bytes */
	uint64_t source; /* which file it comes from: device and inode */
};

/* An answer about a made file: a module, or a RECORD. */
struct px_module {
	struct px_attr attr;
	enum px_blob_kind kind; /* CODE: there are bytes; else: refused */
	uint64_t tag;		/* changes when the bytes do; never 0 */
	uint64_t source_size;	/* bytes */
	/* Of a module that is no RECORD: names its bytes. */
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *blob; /* borrowed; NULL unless asked for, or when it
			       * was just made */
};

enum px_want {
	PX_WANT_SIZE,
	PX_WANT_BYTES,
};

/* err is 0 with a module, or -errno without: -ENOENT and the like from the
 * source, -ECANCELED when stopping, -ENOMEM. */
typedef void (*px_content_done)(void *arg, int err, const struct px_module *m);

/* `st` here and below: what the source is, if that is known (px_entry.st), or
 * NULL. Asks for what is made of the source file `path`; px_kind_is_made(kind).
 * `done` is called exactly once. */
void px_content_get(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, px_content_done done, void *arg);

/* The bytes of a module of which only the size was asked for, by its
 * px_module.key: 0 and a blob that is the caller's, or -ENOENT: they are gone,
 * ask for it again. */
int px_content_bytes(struct px_content *c, const uint8_t key[PX_DIGEST_SIZE],
		     struct px_blob **ret);

/* What is known of a module without reading or compiling: 0 and *ret,
 * whose blob is the caller's (NULL unless bytes are wanted), or -ENOENT:
 * unknown yet, or -errno of the source. */
int px_content_peek(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, struct px_module *ret);

/* Attributes of anything that is not made. -ESTALE if it became something
 * else; -ENOENT and the like. */
int px_content_attr(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    struct px_attr *ret);

/*
 * Directory `path` (of `kind` DIR or PYCACHE) as it is now, without what is
 * left empty by exclusion. What is unusual is logged, each thing once.
 * *ret_fp belongs to the listing; *ret_stable is false if the view may change
 * without that fingerprint changing. -errno.
 */
int px_content_view(struct px_content *c, const char *path, enum px_kind kind,
		    struct px_view **ret, struct px_fingerprint *ret_fp,
		    bool *ret_stable);

/*
 * Which modules of directory `dir` compile, for views that show rejected ones
 * differently: asks for all of `v` and hands over the settled view (borrowed).
 * Listing such a view therefore compiles it. `done` is called exactly once.
 */
typedef void (*px_content_settled)(void *arg, int err, struct px_view *settled);
void px_content_settle(struct px_content *c, const char *dir, struct px_view *v,
		       px_content_settled done, void *arg);
/* Whether directories of this kind have to be settled before they are shown. */
bool px_content_unsettled(const struct px_content *c, enum px_kind kind);

/* Waits until what was compiled is in the cache, 5 s at most. As
 * px_cache_flush. */
int px_content_flush(struct px_content *c);

/* px_attr.source of a file with this fingerprint; never 0. */
uint64_t px_content_source(const struct px_fingerprint *fp);

/* Logs once if `path`, open as `fd` and shipped as it is, is a .pyc of another
 * Python. */
void px_content_check_pyc(struct px_content *c, const char *path, int fd);

#endif
