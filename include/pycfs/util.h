/* SPDX-License-Identifier: MIT */
#ifndef PX_UTIL_H
#define PX_UTIL_H
/*
 * What every other module uses: cleanup at the end of a scope, handing over
 * ownership, little-endian fields, the clocks, starting a thread, and a
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

/* CLOCK_MONOTONIC in milliseconds, CLOCK_REALTIME in nanoseconds. */
int64_t px_now_ms(void);
int64_t px_wall_ns(void);

/* pthread_create for a thread that gets no signals but those it causes itself:
 * the others are for who expects them. -errno. */
int px_thread_start(pthread_t *ret, void *(*run)(void *), void *arg);

/* The object of `type` whose `member` is at `p`. */
#define PX_CONTAINER(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

#include "pycfs/buf.h"
#include "pycfs/io.h"
#include "pycfs/path.h"
#include "pycfs/text.h"

#endif
