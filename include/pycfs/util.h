/* SPDX-License-Identifier: MIT */
#ifndef PX_UTIL_H
#define PX_UTIL_H
/*
 * The small tools every other module is made of: scope cleanup, ownership
 * hand-over, little-endian fields, a byte buffer with a hard maximum, and a
 * sentence for the user that travels beside an errno.
 *
 * Threads: everything here is reentrant; no object is shared.
 * Does not: log, exit, or touch files.
 */

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PX_UNUSED	     __attribute__((unused))
#define PX_ARRAY_LEN(a)	     (sizeof(a) / sizeof((a)[0]))

/* Frees or closes at the end of the scope. errno survives. */
#define PX_AUTOFREE  __attribute__((cleanup(px_freep)))
#define PX_AUTOCLOSE __attribute__((cleanup(px_closep)))
#define PX_AUTO(fn)  __attribute__((cleanup(fn)))

void px_freep(void *pointer_to_pointer);
void px_closep(const int *fd);

/* Hands a pointer or descriptor over; the source no longer owns it. */
#define PX_STEAL(p)                             \
	(__extension__({                        \
		__typeof__(p) px_stolen_ = (p); \
		(p) = NULL;                     \
		px_stolen_;                     \
	}))
int px_steal_fd(int *fd);

static inline uint32_t px_get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t px_get_le64(const uint8_t *p)
{
	return (uint64_t)px_get_le32(p) | (uint64_t)px_get_le32(p + 4) << 32;
}

static inline void px_put_le32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void px_put_le64(uint8_t *p, uint64_t v)
{
	px_put_le32(p, (uint32_t)v);
	px_put_le32(p + 4, (uint32_t)(v >> 32));
}

/* vsnprintf, but what does not fit is cut out of the middle: the end of a
 * message is the reason. `size` is at least 1024. */
void px_vshorten(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

/*
 * Why something failed, for the person who asked: one sentence with the way
 * out. Functions that take one fill it exactly when they return an error.
 */
struct px_why {
	char text[1024];
};

/* Fills `why` (may be NULL) and returns `err`, so that a caller can write
 * `return px_because(why, -ENOENT, "...")`. */
int px_because(struct px_why *why, int err, const char *fmt, ...)
	PX_PRINTF(3, 4);

/*
 * A growing byte buffer that refuses to grow past `max` bytes.
 * Invariant: size <= capacity <= max. Zero-initialise apart from `max`.
 */
struct px_buf {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t max;
};

void px_buf_fini(struct px_buf *b);

/* Makes room for `n` more bytes. -EFBIG past max, -ENOMEM. */
int px_buf_reserve(struct px_buf *b, size_t n);
/* Appends. The same errors; the buffer is unchanged on failure. */
int px_buf_add(struct px_buf *b, const void *data, size_t n);
int px_buf_add_le32(struct px_buf *b, uint32_t v);
int px_buf_add_le64(struct px_buf *b, uint64_t v);
/* Drops the first `n` bytes (n <= size). */
void px_buf_consume(struct px_buf *b, size_t n);

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

/* Closes every descriptor from `first` on but those of `keep`, `n` of them in
 * any order, whoever opened them. Allocates nothing: it may be called between
 * fork and exec. */
void px_close_others(int first, const int *keep, size_t n);

/* CLOCK_MONOTONIC in milliseconds, CLOCK_REALTIME in nanoseconds. */
int64_t px_now_ms(void);
int64_t px_wall_ns(void);

/* pthread_create for a thread that gets no signals but those it causes itself:
 * the others are for who expects them. -errno. */
int px_thread_start(pthread_t *ret, void *(*run)(void *), void *arg);

/* "dir/name", or the other if one of them is ""; the caller's. NULL: ENOMEM. */
char *px_path_join(const char *dir, const char *name);

/* Whether `path`, absolute and without links, is the directory `dir` or below
 * it, under whatever name: a bind mount of it is the same directory. False if
 * there is no `dir`. */
bool px_path_inside(const char *path, const char *dir);

/* Bytes of the UTF-8 sequence that `text` begins with, 1 to 4 (RFC 3629: no
 * surrogates, nothing overlong); 0: it is none. */
size_t px_utf8_sequence(const char *text);

/* The code point of such a sequence of `n` bytes. */
uint32_t px_utf8_code(const char *text, size_t n);

/* Whether the character that `text` begins with (not its end) must not be shown
 * as it is: a control (C0, DEL, C1), which terminals obey; a mark that turns
 * the direction of what is around it, or ends a line; or no UTF-8 at all, which
 * a terminal may take for a control of its own character set. *ret_n: its
 * bytes. */
bool px_is_control(const char *text, size_t *ret_n);

/* `text` with a question mark for each such character; the caller's. NULL:
 * ENOMEM. */
char *px_clean(const char *text);

/* Parses a decimal count with an optional K, M, G or T suffix (powers of
 * 1024) into bytes. -EINVAL if malformed, -ERANGE if too large. */
int px_parse_size(const char *text, uint64_t *ret_bytes);

#endif
