/* SPDX-License-Identifier: MIT */
#ifndef PX_IO_H
#define PX_IO_H
/*
 * Reading and writing an exact number of bytes, reading a file to its end, and
 * closing inherited descriptors.
 *
 * Threads: any. Reads and writes block for as long as the descriptor does.
 */

#include "pycfs/buf.h"

/* Read `n` bytes into `data`, continuing after EINTR and after short reads.
 * Both return the number of bytes read, which is less than `n` only at the end
 * of the file, or -errno. px_pread_full reads at the offset `at` (bytes) and
 * does not move the descriptor's own file position. */
ssize_t px_read_full(int fd, void *data, size_t n);
ssize_t px_pread_full(int fd, void *data, size_t n, off_t at);
/* Reads `n_first` + `n_second` consecutive bytes of the file, starting at the
 * offset `at`, into the two buffers, with a single system call if possible.
 * Returns 0; -EIO if the file ends too early; -errno. */
int px_pread2(int fd, void *first, size_t n_first, void *second,
	      size_t n_second, off_t at);
/* Writes all `n` bytes, continuing after EINTR and after short writes. Returns
 * 0 or -errno. */
int px_write_full(int fd, const void *data, size_t n);

struct px_buf;

/* Appends everything from the descriptor's position to the end of the file to
 * `out`. Returns 0; -EFBIG if the file has more bytes than fit into the buffer,
 * which then is filled up to its maximum; -ENOMEM; or the -errno of a failed
 * read. */
int px_slurp(int fd, struct px_buf *out);

/* Closes every open descriptor of this process whose number is at least
 * `first`, except the `n` descriptors in `keep` (in any order). It allocates
 * nothing and may therefore be called between fork and exec. */
void px_close_others(int first, const int *keep, size_t n);

#endif
