/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_DEPOT_DIR_H
#define PX_REMOTE_DEPOT_DIR_H
/*
 * Objects in a directory. A name is a path in it.
 *
 * Threads: any. Calls block as the file system does.
 */

#include "pycfs/chunk.h"

struct px_depot_dir;

int px_depot_dir_open(const char *dir, struct px_depot_dir **ret); /* -ENOMEM */
void px_depot_dir_close(struct px_depot_dir *d); /* NULL is fine */

/* As px_depot_get and px_depot_put. */
int px_depot_dir_get(const struct px_depot_dir *d, const char *name, bool keep,
		     struct px_buf *ret);
int px_depot_dir_put(const struct px_depot_dir *d, const char *name,
		     const void *data, size_t n);

#endif
