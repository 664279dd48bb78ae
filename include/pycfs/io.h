/* SPDX-License-Identifier: MIT */
#ifndef PX_IO_H
#define PX_IO_H
/*
 * Reading and writing whole amounts of bytes, and closing what was inherited.
 *
 * Threads: any. Reads and writes block as the descriptor does.
 */

#include "pycfs/buf.h"

/* Reads or writes all of `n` bytes, going on after EINTR and short counts.
 * Returns bytes read (less than `n` only at end of file), or -errno. `at` is
 * an offset in the file, whose own does not move. */
ssize_t px_read_full(int fd, void *data, size_t n);
ssize_t px_pread_full(int fd, void *data, size_t n, off_t at);
/* Reads what lies side by side in the file to two places, in one call if it
 * can. 0; -EIO also if the file ends before. */
int px_pread2(int fd, void *first, size_t n_first, void *second,
	      size_t n_second, off_t at);
int px_write_full(int fd, const void *data, size_t n);

struct px_buf;

/* Appends all that can be read from `fd`, to its end. 0; -EFBIG: there is more
 * than the buffer may hold, and it has as much as it may; -ENOMEM; -errno of
 * the read. */
int px_slurp(int fd, struct px_buf *out);

/* Closes every descriptor from `first` on but those of `keep`, `n` of them in
 * any order, whoever opened them. Allocates nothing: it may be called between
 * fork and exec. */
void px_close_others(int first, const int *keep, size_t n);

#endif
