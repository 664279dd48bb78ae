/* SPDX-License-Identifier: MIT */
#include "pycfs/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define BUF_FIRST_CAPACITY 256

void px_freep(void *pointer_to_pointer)
{
	int saved = errno;
	void *p;

	/* The caller's variable may be a pointer to any type. */
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
	errno = saved;
}

void px_closep(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

int px_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* What is formatted last is the reason; a path may have 4,095 bytes. */
#define SHORTENED_TAIL 256

void px_vshorten(char *buf, size_t size, const char *fmt, va_list args)
{
	static const char mark[] = "...";
	const size_t kept = size - SHORTENED_TAIL - sizeof(mark);
	PX_AUTOFREE char *all = NULL;
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(buf, size, fmt, args);
	if (n >= 0 && (size_t)n >= size && vasprintf(&all, fmt, again) < 0)
		all = NULL;
	va_end(again);
	if (!all)
		return;
	memcpy(buf + kept, mark, sizeof(mark) - 1);
	memcpy(buf + kept + sizeof(mark) - 1, all + n - SHORTENED_TAIL,
	       SHORTENED_TAIL + 1);
}

int px_because(struct px_why *why, int err, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		px_vshorten(why->text, sizeof(why->text), fmt, args);
		va_end(args);
	}
	return err;
}

void px_buf_fini(struct px_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->size = 0;
	b->capacity = 0;
}

int px_buf_reserve(struct px_buf *b, size_t n)
{
	size_t need;
	size_t capacity;
	uint8_t *data;

	if (n > b->max || b->size > b->max - n)
		return -EFBIG;
	need = b->size + n;
	if (need <= b->capacity)
		return 0;
	capacity = b->capacity < b->max / 2 ? b->capacity * 2 : b->max;
	if (capacity < BUF_FIRST_CAPACITY && BUF_FIRST_CAPACITY <= b->max)
		capacity = BUF_FIRST_CAPACITY;
	if (capacity < need)
		capacity = need;
	data = realloc(b->data, capacity);
	if (!data && capacity > need) {
		capacity = need;
		data = realloc(b->data, capacity);
	}
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int px_buf_add(struct px_buf *b, const void *data, size_t n)
{
	int r = px_buf_reserve(b, n);

	if (r < 0)
		return r;
	/* memcpy's pointers must not be NULL, however few the bytes. */
	if (n > 0)
		memcpy(b->data + b->size, data, n);
	b->size += n;
	return 0;
}

int px_buf_add_le32(struct px_buf *b, uint32_t v)
{
	uint8_t bytes[4];

	px_put_le32(bytes, v);
	return px_buf_add(b, bytes, sizeof(bytes));
}

int px_buf_add_le64(struct px_buf *b, uint64_t v)
{
	uint8_t bytes[8];

	px_put_le64(bytes, v);
	return px_buf_add(b, bytes, sizeof(bytes));
}

void px_buf_consume(struct px_buf *b, size_t n)
{
	if (n == 0)
		return;
	b->size -= n;
	memmove(b->data, b->data + n, b->size);
}

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
	/* Rare: a signal, or the kernel's bound on one call. */
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

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	/* Cannot fail: both clocks exist in every Linux. */
	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t px_now_ms(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t px_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

int px_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t v = 0;
	bool too_large = false;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		too_large |=
			__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
	if (p == text)
		return -EINVAL;
	if (*p) {
		const char *suffix = strchr(suffixes, *p);
		unsigned shift;

		if (!suffix || p[1])
			return -EINVAL;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		too_large |= v > UINT64_MAX >> shift;
		v <<= shift;
	}
	if (too_large)
		return -ERANGE;
	*ret_bytes = v;
	return 0;
}

char *px_path_join(const char *dir, const char *name)
{
	const size_t n_dir = strlen(dir), n_name = strlen(name);
	char *path = malloc(n_dir + n_name + 2), *p = path;

	if (!path)
		return NULL;
	p = mempcpy(p, dir, n_dir);
	if (n_dir > 0 && n_name > 0)
		*p++ = '/';
	memcpy(p, name, n_name + 1);
	return path;
}

int px_thread_start(pthread_t *ret, void *(*run)(void *), void *arg)
{
	static const int own[] = {SIGBUS,  SIGSEGV, SIGFPE, SIGILL,
				  SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all, before;
	size_t i;
	int r;

	sigfillset(&all);
	for (i = 0; i < PX_ARRAY_LEN(own); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static bool is_kept(long fd, const int *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* Without close_range: one pass through /proc/self/fd, which does not promise
 * to list all while some go. How many were closed. */
static unsigned close_listed(int first, const int *keep, size_t n)
{
	/* getdents64(2) fills it with struct dirent64, 8-byte aligned. */
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
	/* Linux before 5.9, or a seccomp profile as old. */
	if (from <= INT32_MAX)
		while (close_listed(first, keep, n) > 0)
			;
}

bool px_path_inside(const char *path, const char *dir)
{
	PX_AUTOFREE char *up = strdup(path);
	struct stat at, wanted;
	char *slash;

	if (!up)
		return true;
	if (stat(dir, &wanted) < 0)
		return false;
	for (;;) {
		if (stat(*up ? up : "/", &at) == 0 &&
		    at.st_dev == wanted.st_dev && at.st_ino == wanted.st_ino)
			return true;
		slash = strrchr(up, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
}

size_t px_utf8_sequence(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n, i;

	if (*p < 0x80)
		return 1;
	if (*p >= 0xC2 && *p <= 0xDF)
		n = 2;
	else if ((*p & 0xF0) == 0xE0)
		n = 3;
	else if (*p >= 0xF0 && *p <= 0xF4)
		n = 4;
	else
		return 0;
	if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) ||
	    (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F))
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return n;
}

uint32_t px_utf8_code(const char *text, size_t n)
{
	/* The bits of the first byte that are the character's. */
	static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
	uint32_t code = (unsigned char)*text & first[n];
	size_t i;

	for (i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3F);
	return code;
}

bool px_is_control(const char *text, size_t *ret_n)
{
	/* C0; DEL and C1; ALM; LRM and RLM; line and paragraph separators, LRE,
	 * RLE, PDF, LRO, RLO; LRI, RLI, FSI, PDI (Unicode 15: chapter 23.1, and
	 * UAX #9, table 2). */
	static const uint32_t ranges[][2] = {
		{0, 0x1F},	  {0x7F, 0x9F},	    {0x61C, 0x61C},
		{0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069},
	};
	const size_t n = px_utf8_sequence(text);
	uint32_t code;
	size_t i;

	*ret_n = n ? n : 1;
	if (n == 0)
		return true;
	code = px_utf8_code(text, n);
	for (i = 0; i < PX_ARRAY_LEN(ranges); i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return false;
}

char *px_clean(const char *text)
{
	char *copy = malloc(strlen(text) + 1), *to = copy;
	size_t n;

	if (!copy)
		return NULL;
	for (; *text; text += n)
		if (px_is_control(text, &n))
			*to++ = '?';
		else
			to = mempcpy(to, text, n);
	*to = '\0';
	return copy;
}
