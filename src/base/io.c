/* SPDX-License-Identifier: MIT */
#include "pycfs/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* The size of one read of px_slurp, in bytes. */
#define PIECE 65536

ssize_t px_pread_full(int fd, void *data, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		const ssize_t got = pread(fd, (char *)data + done, n - done,
					  at + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int px_pread2(int fd, void *first, size_t n_first, void *second,
	      size_t n_second, off_t at)
{
	const struct iovec parts[] = {{first, n_first}, {second, n_second}};
	ssize_t n = preadv(fd, parts, PX_ARRAY_LEN(parts), at);
	size_t done;

	if (n == (ssize_t)(n_first + n_second))
		return 0;
	/* A short read is rare: it was interrupted by a signal, or limited by
	 * what the kernel reads in one call. Read the rest separately. */
	if (n < (ssize_t)n_first)
		n = px_pread_full(fd, first, n_first, at);
	if (n < (ssize_t)n_first)
		return n < 0 ? (int)n : -EIO;
	done = (size_t)n - n_first;
	n_second -= done;
	n = px_pread_full(fd, (char *)second + done, n_second,
			  at + (off_t)(n_first + done));
	if (n != (ssize_t)n_second)
		return n < 0 ? (int)n : -EIO;
	return 0;
}

ssize_t px_read_full(int fd, void *data, size_t n)
{
	uint8_t *p = data;
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, p + done, n - done);

		if (r == 0)
			break;
		if (r > 0)
			done += (size_t)r;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}

int px_write_full(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, p + done, n - done);

		if (r >= 0)
			done += (size_t)r;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int px_slurp(int fd, struct px_buf *out)
{
	char more;
	ssize_t n;
	int r;

	for (;;) {
		const size_t left = out->max - out->size;
		const size_t want = left < PIECE ? left : PIECE;

		/* The buffer is full. That is success only if the file ends
		 * here, which takes one more read to find out. */
		if (want == 0) {
			n = px_read_full(fd, &more, 1);
			return n < 0 ? (int)n : n > 0 ? -EFBIG : 0;
		}
		r = px_buf_reserve(out, want);
		if (r < 0)
			return r;
		n = px_read_full(fd, out->data + out->size, want);
		if (n < 0)
			return (int)n;
		out->size += (size_t)n;
		if ((size_t)n < want)
			return 0;
	}
}

static bool is_kept(long fd, const int *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* For kernels without close_range(2): closes what one pass through
 * /proc/self/fd lists, and returns how many descriptors it closed. While
 * descriptors are being closed, the kernel does not promise that a pass lists
 * all of them, so the caller repeats it until nothing is left to close. */
static unsigned close_listed(int first, const int *keep, size_t n)
{
	/* getdents64(2) fills this with struct dirent64, aligned to 8 bytes.
	 * opendir would allocate memory, which is not allowed after fork. */
	_Alignas(8) char buf[2048];
	const int dir =
		open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent64 *e;
	unsigned closed = 0;
	long got, at, fd;

	while ((got = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0)
		for (at = 0; at < got; at += e->d_reclen) {
			e = (const struct dirent64 *)(const void *)(buf + at);
			fd = strtol(e->d_name, NULL, 10);
			if (e->d_name[0] == '.' || fd < first || fd == dir ||
			    is_kept(fd, keep, n))
				continue;
			close((int)fd);
			closed++;
		}
	close(dir);
	return closed;
}

void px_close_others(int first, const int *keep, size_t n)
{
	unsigned from = (unsigned)first, to;
	size_t i;

	while (from <= INT32_MAX) {
		to = INT32_MAX;
		for (i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] <= to)
				to = (unsigned)keep[i] - 1;
		if (to + 1 != from && syscall(SYS_close_range, from, to, 0) < 0)
			break;
		from = to + 2;
	}
	/* close_range failed: Linux is older than 5.9, or a seccomp profile
	 * does not allow this call. */
	if (from <= INT32_MAX)
		while (close_listed(first, keep, n) > 0)
			;
}
