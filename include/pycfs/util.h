/* SPDX-License-Identifier: MIT */
#ifndef PX_UTIL_H
#define PX_UTIL_H
/*
 * Helpers that every other module uses: cleanup at the end of a scope, transfer
 * of ownership, little-endian integers, clocks, starting a thread, and struct
 * px_why, which carries a sentence for the user next to an errno.
 *
 * Threads: every function here is reentrant, and there is no shared state.
 * This module never logs, never exits and never touches files.
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

/* Attributes for a local variable. When the variable goes out of scope,
 * PX_AUTOFREE calls free() on the pointer, PX_AUTOCLOSE calls close() on the
 * descriptor (unless it is negative), and PX_AUTO(fn) calls fn(&variable).
 * PX_AUTOFREE and PX_AUTOCLOSE leave errno as it was. */
#define PX_AUTOFREE  __attribute__((cleanup(px_freep)))
#define PX_AUTOCLOSE __attribute__((cleanup(px_closep)))
#define PX_AUTO(fn)  __attribute__((cleanup(fn)))

void px_freep(void *pointer_to_pointer);
void px_closep(const int *fd);

/* Transfers ownership: the expression has the value of the pointer `p`, and `p`
 * itself becomes NULL, so that no cleanup frees it. px_steal_fd does the same
 * for a descriptor, which becomes -1. */
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

/* Formats into `buf` like vsnprintf. A text that does not fit into `size` bytes
 * is shortened in the middle, with "..." in place of the missing part, because
 * the end of a message usually holds the reason. `size` must be at least 1024.
 * If memory runs out, the text is cut at its end. */
void px_vshorten(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

/*
 * Why an operation failed, as one sentence for the user that also says what to
 * do about it. A function with a parameter of this type fills it whenever it
 * returns an error, and leaves it alone otherwise.
 */
struct px_why {
	char text[1024];
};

/* Formats the sentence into `why`, which may be NULL, and returns `err` (a
 * negative errno), so that a caller can write `return px_because(why, -ENOENT,
 * "...")`. */
int px_because(struct px_why *why, int err, const char *fmt, ...)
	PX_PRINTF(3, 4);

/* The time now: px_now_ms is CLOCK_MONOTONIC in milliseconds, px_wall_ns is
 * CLOCK_REALTIME in nanoseconds since 1970. */
int64_t px_now_ms(void);
int64_t px_wall_ns(void);

/* Like pthread_create, but the new thread starts with signals blocked, so that
 * they are delivered to the threads that handle them. Only the signals that a
 * thread raises by a fault of its own (SIGSEGV, SIGBUS and the like) stay
 * unblocked. Returns 0 or -errno. */
int px_thread_start(pthread_t *ret, void *(*run)(void *), void *arg);
/* Waits up to `ms` milliseconds until the thread has ended. True: it has, and
 * must not be waited for again. */
bool px_thread_ended(pthread_t thread, int ms);

/* Converts `p`, a pointer to the member `member` of an object of type `type`,
 * into a pointer to that object. */
#define PX_CONTAINER(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

#include "pycfs/buf.h"
#include "pycfs/io.h"
#include "pycfs/path.h"
#include "pycfs/text.h"

#endif
