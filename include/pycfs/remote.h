/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_H
#define PX_REMOTE_H
/*
 * A store of chunks (chunk.h) that many machines use: what it is asked for, and
 * what becomes of its answers. It is never trusted for the bytes, and nobody
 * has to wait for it: who asks goes on, and is told later.
 *
 *   file:///DIR   DIR/pycfs1/SIGNER/ab/NAME; SIGNER is the signer's id and NAME
 *                 that of the chunk, in hexadecimal digits, and ab its first
 *                 two
 *   http[s]://H/P the same below P, by GET and PUT
 *                 with ?layout=bazel: P/ac/KEY, as bazel-remote has it
 *   s3://B/P      the same below P, in bucket B
 *
 * Every signer that is trusted has a folder of its own, so that who has no key
 * cannot put anything in the way of those who have.
 *
 * A store that fails three times in a row, or has an object that is not what
 * its name says, is asked no more: the breaker is open. A warning says why,
 * once. With `retries` it is asked again after a minute, and if that fails
 * after two, four, eight and then every fifteen minutes.
 *
 * Threads: any. Some of its own fetch and check.
 */

#include "pycfs/chunk.h"
#include "pycfs/stats.h"

struct px_remote;

struct px_remote_options {
	const char *url;	       /* copied */
	const struct px_signer *trust; /* outlives it, as the others do */
	size_t n_trust;		       /* at least 1 */
	const struct px_secret *sign;  /* NULL: nothing is ever written */
	struct px_stats *stats;
	unsigned finish_ms; /* for storing, all in all */
	bool retries;
};

/* Whether such a URL can be used here. 0; -EINVAL; -EPROTONOSUPPORT; with a
 * sentence in `why`. Asks nobody. */
int px_remote_check_url(const char *url, struct px_why *why);

/* Asks nobody yet. -errno, with a sentence in `why`. */
int px_remote_open(const struct px_remote_options *o, struct px_remote **ret,
		   struct px_why *why);

/*
 * Called once for each question, in a thread of the remote's own; must not
 * block. `err` is 0 with the blobs of the chunk, in the order of the keys and
 * lent until this returns, and who signed it; a blob is NULL if its module is
 * not shared. Or -ENOENT: the store has no such chunk, or none that may be
 * used; -ECANCELED.
 */
typedef void (*px_remote_done)(void *arg, int err, struct px_blob *const *blobs,
			       const struct px_signer *by);

/* Asks for the chunk of `n` keys, which are copied. -ENOMEM: `done` is not
 * called. -EHOSTDOWN: nor is it then: the breaker is open. */
int px_remote_ask(struct px_remote *r, const px_chunk_key *keys, size_t n,
		  px_remote_done done, void *arg);

/* Whether the breaker lets questions through. */
bool px_remote_answers(struct px_remote *r);

/* Signs a chunk, to be stored by a thread; blobs as px_chunk_encode. Blocks
 * while too many bytes wait for that, until finish_ms after the first call. 0,
 * or -errno: it is not stored. What is not is counted, and the first time a
 * store refuses one a warning is logged. */
int px_remote_put(struct px_remote *r, const px_chunk_key *keys,
		  struct px_blob *const *blobs, size_t n);
/* Waits until all is stored, or finish_ms after the first px_remote_put. */
void px_remote_finish(struct px_remote *r);

/* Ends all questions with -ECANCELED, and stores nothing more. Waits a tenth of
 * a second at most for a store that does not answer. Twice is fine. */
void px_remote_stop(struct px_remote *r);
/* Of one that was stopped. NULL is fine. */
void px_remote_free(struct px_remote *r);

#endif
