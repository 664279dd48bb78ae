/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_H
#define PX_CONTENT_H
/*
 * From a module's source path to the size and bytes of its .pyc: found in the
 * cache by the file's fingerprint or by the source's bytes, or compiled once
 * for everybody who waits. Also compiles the other modules of a directory
 * before anybody asks for them, and generates RECORDs.
 *
 *   ask -> is the fingerprint in the index?
 *     yes: answer; the source is not read
 *     no: read and hash the source; has the cache a blob for these bytes?
 *       yes: add the fingerprint to the index; answer
 *       no: compile; store blob and fingerprint; answer
 *
 * Threads: any. A callback is called in the caller's thread if the answer is at
 * hand, else in the pool's thread, in one of the content's own, or in that of
 * another caller. It must not block.
 *
 * A callback may free everything that belongs to the request, `arg`, `path` and
 * `st` included: none of it is used after the callback was called. What the
 * callback is given is borrowed until it returns. The thread that called it
 * goes on inside the content afterwards, so that an answer to the last request
 * does not mean that the content is unused: content, tree, cache, pool and
 * stats have to exist until px_pool_stop and px_content_stop have returned.
 */

#include "pycfs/cache.h"
#include "pycfs/pool.h"
#include "pycfs/remote.h"
#include "pycfs/scripts.h"
#include "pycfs/strip.h"
#include "pycfs/stray.h"
#include "pycfs/view.h"

struct px_content;

struct px_content_options {
	struct px_tree *tree;
	struct px_cache *cache;
	struct px_pool *pool;
	const struct px_python *python;
	/* What the names in __pycache__ have, as px_view_options; NULL: as of
	 * an interpreter that runs without -O. */
	const char *cache_tag;
	struct px_stats *stats;
	const struct px_rules *rules; /* NULL: none */
	unsigned optimize;	      /* level, unless a rule has another */
	enum px_on_error on_error;
	/* Attributes of everything; negative: as in the source. */
	int64_t uid, gid;
	int64_t mtime; /* seconds since 1970 */
	/* The time of each file depends on its bytes, so that files of one size
	 * that differ have, but for one in 2^23, different times: it is up to
	 * 2^24 s before `mtime`, which is not negative. */
	bool mtime_by_content;
	bool normal_modes; /* permissions are 0755 and 0644 */
	/* Bytes of a module's source. A larger one is refused, and the refusal
	 * is not stored. 0: as much as a worker can be sent. */
	uint64_t max_source;
	/* Bytes of all sources together that were read and are not compiled
	 * yet; further ones wait to be read. 0: 128 MiB. */
	uint64_t in_flight;
	bool debug_ranges;
	bool canonical;	 /* bytecode in the form of marshal.h, instead of as
			  * CPython wrote it */
	bool ahead;	 /* compile the modules beside one that is asked for */
	bool ahead_tree; /* and then those of the whole tree */
	bool immutable;	 /* the source does not change while this exists */
	bool silent;	 /* log no module that does not compile */
	bool gathers;	 /* collect strays (stray.h) and do not log them */
	bool may_lose;	 /* a module lost to a link is logged as a warning */
	enum px_pyc_mode mode;
	const char *prefix; /* what co_filename begins with; "" for nothing */
	/* Where compiled modules may come from; NULL: nowhere else. */
	struct px_remote *remote;
	unsigned remote_wait_ms; /* that whoever asks waits for it at most */
	bool signs; /* keep in mind what it lacks, for px_content_push */
	/* What strips the files that rules name, or, with `strip_all`, shared
	 * libraries that no rule names as well; NULL: nothing is stripped. */
	struct px_strip *strip;
	bool strip_all;
	/* Scripts that were put into the tree, for RECORDs; NULL: none. */
	const struct px_scripts *scripts;
};

/* `o` is copied; everything it points to outlives the content. -errno. */
int px_content_new(const struct px_content_options *o, struct px_content **ret);

/* Takes all that the remote has of this tree into the cache. Blocks until all
 * its answers are there. Without a remote nothing is done. */
void px_content_pull(struct px_content *c);

/* Gives the remote what it lacked when it was asked, if the content signs: what
 * is compiled by now, or with `compile` all. Blocks until it has that, or as
 * long as it may take (remote.h). */
void px_content_push(struct px_content *c, bool compile);

/* From now on nothing is compiled that nobody asked for, and the remote is
 * asked nothing. Returns at once. To end a content: px_content_stop_new_work,
 * px_remote_stop, px_pool_stop, px_content_stop (by then every request has been
 * answered), px_content_free, px_pool_free, px_remote_free. */
void px_content_stop_new_work(struct px_content *c);

/* Answers with -ECANCELED the requests whose source waits to be read, and those
 * that would need a compile from now on. Waits for the content's own threads,
 * which may be reading. Twice is fine. */
void px_content_stop(struct px_content *c);
void px_content_free(struct px_content *c); /* NULL is fine */

/* The attributes of one name of the view, for stat(2) or an archive. */
struct px_attr {
	enum px_kind kind;
	uint32_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime;	 /* whole seconds since 1970, 1980 or later */
	uint64_t size;	 /* bytes */
	uint64_t source; /* px_content_source of the file it comes from */
	/* Of a file that is stripped; else both are 0. */
	uint64_t tag;	     /* changes when its bytes do */
	uint64_t unstripped; /* bytes of its source */
};

/* What is said of a generated file: a module, or a RECORD. */
struct px_module {
	struct px_attr attr;
	enum px_blob_kind kind; /* CODE; else it does not compile */
	uint64_t tag;		/* changes when the bytes do; never 0 */
	uint64_t source_size;	/* bytes */
	/* Of a module: the key of its blob in the cache. Modules with equal
	 * sources may have one blob, and differ in their co_filename only. */
	uint8_t key[PX_DIGEST_SIZE];
	/* Borrowed, unless from px_content_peek: the bytes, or why it does not
	 * compile. NULL if only the size was wanted and the blob was not at
	 * hand. */
	struct px_blob *blob;
};

enum px_want {
	PX_WANT_SIZE,
	PX_WANT_BYTES,
};

/* `err` is 0 with a module; or it is -errno, without one: -ENOENT and the like
 * from the source, -ECANCELED when stopping, -ENOMEM. */
typedef void (*px_content_done)(void *arg, int err, const struct px_module *m);

/* In the functions that follow, `st` is the state of the source file if the
 * caller has it (px_entry.st), else NULL. */

/* Asks for what is generated from the source file `path`;
 * px_kind_is_made(kind). `done` is called exactly once, perhaps before this
 * returns. Does not wait for a compile, but reads the file system and the
 * cache, and may read the source.
 */
void px_content_get(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, px_content_done done, void *arg);

/* The bytes of the module `path` of which only the size was asked for, by its
 * px_module.key: 0 and a blob that is the caller's; -ENOENT: the cache does not
 * have them any more, and the module has to be asked for again; -ENOMEM. */
int px_content_bytes(struct px_content *c, const char *path,
		     const uint8_t key[PX_DIGEST_SIZE], struct px_blob **ret);

/* What the cache has of a module; nothing is read from the source or compiled.
 * 0 and *ret, whose blob is the caller's (NULL unless bytes are wanted);
 * -ENOENT: the cache does not have it, or it is a RECORD; -errno of the source.
 */
int px_content_peek(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, struct px_module *ret);

/* Opens what is shipped of a file that is not generated, for reading, from its
 * beginning on: the file itself, or what stripping has left of it. `known`: a
 * listing has just shown it to be a regular file. *ret_st is the state of the
 * source, *ret_size the bytes that are open. The caller closes *ret_fd. Blocks
 * while it is stripped. -errno as px_tree_open_file, -ENOMEM. */
int px_content_open(struct px_content *c, const char *path, bool known,
		    int *ret_fd, struct px_stat *ret_st, uint64_t *ret_size);

/* Attributes of what is not generated, or those that something generated will
 * have, but for its size, which is that of its source, and its time where that
 * depends on its bytes. -ESTALE if it is no longer of that kind; -ENOENT and
 * the like. Where times depend on bytes it reads a file that the cache does not
 * know, and where a rule strips it, it does that: it blocks meanwhile. */
int px_content_attr(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    struct px_attr *ret);

/*
 * The view of directory `path` (of `kind` DIR or PYCACHE) as it is now, without
 * the directories that exclusion leaves empty. What the user should know of is
 * logged, each thing once. *ret_fp is the directory's fingerprint; *ret_stable
 * is false if the view may change while that fingerprint stays the same.
 * -errno.
 */
int px_content_view(struct px_content *c, const char *path, enum px_kind kind,
		    struct px_view **ret, struct px_fingerprint *ret_fp,
		    bool *ret_stable);

/* `shown` is borrowed; NULL if `err` is not 0. */
typedef void (*px_content_view_done)(void *arg, int err, struct px_view *shown);

/*
 * Where a module that does not compile is shown differently (--on-error), the
 * names of directory `dir` depend on which modules compile. This asks for all
 * modules of its view `v`, which compiles those that the cache does not have,
 * and hands over the view as it is shown. `done` is called exactly once,
 * perhaps before this returns; `err` is -ECANCELED or -ENOMEM.
 */
void px_content_apply_verdicts(struct px_content *c, const char *dir,
			       struct px_view *v, px_content_view_done done,
			       void *arg);

/* Whether the views of directories of this kind need that. */
bool px_content_needs_verdicts(const struct px_content *c, enum px_kind kind);

/* What is astray in the directories whose views were asked for, if the content
 * gathers it; else NULL. It is the content's, and must not be read while others
 * ask for views. */
struct px_strays *px_content_strays(struct px_content *c);

/* Waits until all that was compiled is committed to the cache, 5 s at most. As
 * px_cache_flush. */
int px_content_flush(struct px_content *c);

/* A number for the file that has this fingerprint: a hash of device and inode,
 * never 0. */
uint64_t px_content_source(const struct px_fingerprint *fp);

/* Logs a warning, once, if `path`, which is shipped as it is and open as `fd`,
 * is a .pyc that the target's Python cannot import. Other files are ignored. */
void px_content_check_pyc(struct px_content *c, const char *path, int fd);

#endif
