/* SPDX-License-Identifier: MIT */
#ifndef PX_OUTPUT_ACCOUNT_ITEM_H
#define PX_OUTPUT_ACCOUNT_ITEM_H
/*
 * What an account has of one item of a walk. All functions read files, and may
 * block.
 *
 * Threads: one at a time.
 */

#include "pycfs/account.h"
#include "pycfs/walk.h"

/* Adds a file or link, which is `path` in the layer. `fd` is that of a file
 * whose bytes are not in the item; it is then at its start again. 0; -ESTALE if
 * the source of a module is not the one any more that was compiled; -errno. */
int px_account_item(struct px_account *a, struct px_tree *t, const char *path,
		    const struct px_item *i, int fd);
/* Checks that nobody has changed the file since it was opened, and was as `was`
 * says, so that what was read twice was the same. A file of px_tree_put is no
 * file of SOURCE. 0; -ESTALE; -errno. */
int px_account_unchanged(int fd, const struct px_stat *was);

#endif
