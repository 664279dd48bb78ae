/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_VERDICT_H
#define PX_CONTENT_VERDICT_H
/*
 * Which of many modules compile: all of them are asked for, and when the last
 * one has answered, the work that depends on it goes on.
 *
 * Threads: one asks; answers may come in any.
 */

#include "module.h"

struct px_verdicts;

/* `rejected` has a member for each question, true if that module does not
 * compile, and is lent until this returns. `err` is 0, -ECANCELED or -ENOMEM.
 */
typedef void (*px_verdicts_done)(void *arg, int err, const bool *rejected);

/* Room for `n` questions. -ENOMEM: `done` is not called. */
int px_verdicts_new(const struct px_modules *ms, size_t n,
		    px_verdicts_done done, void *arg, struct px_verdicts **ret);

/* Question `i`, below n, each at most once: those not asked are not rejected.
 * A source that cannot be read is not rejected, either: whoever looks it up is
 * told why. */
void px_verdicts_ask(struct px_verdicts *v, size_t i, const char *path,
		     enum px_kind kind);

/* That was the last question: calls `done` once all are answered, perhaps
 * before this returns, and frees `v`. */
void px_verdicts_finish(struct px_verdicts *v);

/* As px_content_apply_verdicts and px_content_needs_verdicts. */
void px_verdicts_apply(const struct px_modules *ms, const char *dir,
		       struct px_view *v, px_content_view_done done, void *arg);
bool px_verdicts_needed(const struct px_content_options *o, enum px_kind kind);

#endif
