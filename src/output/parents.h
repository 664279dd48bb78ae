/* SPDX-License-Identifier: MIT */
#ifndef PX_OUTPUT_PARENTS_H
#define PX_OUTPUT_PARENTS_H
/*
 * The directories above a destination: those that are missing are made, and
 * removed again if nothing comes to be in them. Private to this folder.
 */

#include "pycfs/temp.h"

/* Opens the directory `path` and makes what is missing of it, with mode 0777
 * less the umask. `p` is of zeros with a negative `base`, and knows afterwards
 * what was made. 0 and a descriptor that the caller closes; -errno, and then
 * something may have been made all the same; -ENOENT if what is missing has
 * ".." in it. */
int px_parents_open(struct px_parents *p, const char *path, int *ret_fd);

/* They are to stay. Frees what `p` owns; twice is fine. */
void px_parents_keep(struct px_parents *p);

/* Removes those that were made and are empty, and frees what `p` owns. */
void px_parents_remove(struct px_parents *p);

#endif
