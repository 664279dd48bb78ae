/* SPDX-License-Identifier: MIT */
#include "pycfs/util.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

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

/* How many bytes at the end of a shortened message are kept. The reason is
 * formatted last, after a path that alone may have 4095 bytes. */
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

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	/* This cannot fail: both clocks exist on every Linux. */
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

int px_thread_start(pthread_t *ret, void *(*run)(void *), void *arg)
{
	/* The kernel sends these to the thread that caused them. */
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

/* glibc 2.31 and later wait by any clock, musl by one that may be set. */
#ifdef __GLIBC__
#define CLOCK		    CLOCK_MONOTONIC
#define JOIN(thread, until) pthread_clockjoin_np(thread, NULL, CLOCK, until)
#else
#define CLOCK		    CLOCK_REALTIME
#define JOIN(thread, until) pthread_timedjoin_np(thread, NULL, until)
#endif

bool px_thread_ended(pthread_t thread, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK, &until);
	until.tv_nsec += (long)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return JOIN(thread, &until) == 0;
}
