/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: CLOCK_REALTIME is off by as many seconds as the file named by
 * $CLOCK_SHIM holds at its beginning (int64). A test changes the file and so
 * makes the clock jump under a running process, and under that one only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t offset(void)
{
	static const volatile int64_t *at;
	const char *path;
	void *map;
	int fd;

	if (!at) {
		path = getenv("CLOCK_SHIM");
		fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		map = fd < 0 ? MAP_FAILED
			     : mmap(NULL, sizeof(*at), PROT_READ, MAP_SHARED,
				    fd, 0);
		if (fd >= 0)
			close(fd);
		if (map == MAP_FAILED)
			return 0;
		at = map;
	}
	return *at;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))(uintptr_t)dlsym(
			RTLD_NEXT, "clock_gettime");
	r = real(clock, ts);
	if (r == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += offset();
	return r;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;
	int r = clock_gettime(CLOCK_REALTIME, &ts);

	(void)zone;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return r;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
