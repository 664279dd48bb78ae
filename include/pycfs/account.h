/* SPDX-License-Identifier: MIT */
#ifndef PX_ACCOUNT_H
#define PX_ACCOUNT_H
/*
 * The files of a layer with their digests: what an export has written, what a
 * directory has, or what somebody says of a layer.
 *
 * Threads: an account belongs to one thread at a time.
 */

#include "pycfs/digest.h"
#include "pycfs/tree.h"

struct px_account_file {
	char *path; /* below the top of the layer */
	/* Path in SOURCE of what it is or was made from; part of the memory of
	 * `path`. "": nobody knows. */
	const char *source;
	bool is_link;
	bool made;	/* its bytes are not those of `source` */
	bool uses_docs; /* px_uses_docs, of a module */
	uint8_t sha256[PX_SHA256_SIZE]; /* of its bytes; a symlink's target */
	uint8_t source_sha256[PX_SHA256_SIZE]; /* if `made` */
};

/* All zero: empty. */
struct px_account {
	struct px_account_file *all;
	size_t n, capacity;
};

/* Adds a copy of `file`, paths included. -ENOMEM. */
int px_account_add(struct px_account *a, const struct px_account_file *file);
/* Puts the files in byte order of their paths. */
void px_account_sort(struct px_account *a);
/* Adds all regular files and symlinks of `tree`, without `source`. Stops with
 * -EINVAL at what is neither of them nor a directory, and with an error of
 * px_tree_list or px_tree_open_file where it cannot read; `why` has a sentence.
 * If tick(arg) is false, that is -ECANCELED. Blocks while it reads. */
int px_account_read(struct px_account *a, struct px_tree *tree,
		    bool (*tick)(void *arg), void *arg, struct px_why *why);
/* The SHA-256 of what is left to read of `fd`. -errno. Blocks. */
int px_account_digest(int fd, uint8_t ret[PX_SHA256_SIZE]);
void px_account_fini(struct px_account *a);

#endif
