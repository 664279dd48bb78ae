/* SPDX-License-Identifier: MIT */
#ifndef PX_CONTENT_DIRS_H
#define PX_CONTENT_DIRS_H
/*
 * The views of directories, as far as no compile is needed for them. Where the
 * source does not change, each is made once and cached: RECORDs, and whoever
 * walks the tree, look at the same directories.
 *
 * Threads: any.
 */

#include "said.h"

#include "pycfs/content.h"

struct px_dirs;

/* `o` and `said` outlive it. -ENOMEM. */
int px_dirs_new(const struct px_content_options *o, struct px_said *said,
		struct px_dirs **ret);
void px_dirs_free(struct px_dirs *d); /* NULL is fine */

/* As px_content_view. */
int px_dirs_view(struct px_dirs *d, const char *path, enum px_kind kind,
		 struct px_view **ret, struct px_fingerprint *ret_fp,
		 bool *ret_stable);

/* As px_content_strays. */
struct px_strays *px_dirs_strays(struct px_dirs *d);

#endif
