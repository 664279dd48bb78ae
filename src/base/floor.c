/* SPDX-License-Identifier: MIT */
/*
 * Functions that the C library may lack, and that the worker and what it is
 * linked with call: a part of the portable build's dynamic programs alone, in
 * which they are hidden and come before the C library's own. For glibc these
 * are the functions that 2.17 does not have, which tools/lower links for; the
 * comments say which version has them. musl lacks what checks the sizes of
 * buffers for -D_FORTIFY_SOURCE=2, with which Debian compiles its libraries
 * (Linux Standard Base 5.0, Core, chapter 14.4, __fprintf_chk; glibc 2.36,
 * debug/explicit_bzero_chk.c). If another one is missing, the build ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STANDS_FOR(name) __asm__(name) __attribute__((visibility("hidden")))

void px_explicit_bzero_chk(void *data, size_t n, size_t size)
	STANDS_FOR("__explicit_bzero_chk");

/* 2.25 */
void px_explicit_bzero_chk(void *data, size_t n, size_t size)
{
	if (n > size)
		__builtin_trap();
	explicit_bzero(data, n);
}

#ifndef __GLIBC__
int px_fprintf_chk(FILE *to, int flag, const char *format, ...)
	STANDS_FOR("__fprintf_chk");

int px_fprintf_chk(FILE *to, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vfprintf(to, format, args);
	va_end(args);
	return n;
}
#else
void px_explicit_bzero(void *data, size_t n) STANDS_FOR("explicit_bzero");
ssize_t px_getrandom(void *buf, size_t n, unsigned flags)
	STANDS_FOR("getrandom");
void *px_reallocarray(void *old, size_t n, size_t size)
	STANDS_FOR("reallocarray");
int px_memfd_create(const char *name, unsigned flags)
	STANDS_FOR("memfd_create");
int px_fcntl64(int fd, int what, ...) STANDS_FOR("fcntl64");
int px_clockjoin(pthread_t thread, void **ret, clockid_t clock,
		 const struct timespec *until)
	STANDS_FOR("pthread_clockjoin_np");
int px_stat64(const char *path, struct stat64 *ret) STANDS_FOR("stat64");
int px_fstat64(int fd, struct stat64 *ret) STANDS_FOR("fstat64");
int px_fstat(int fd, struct stat64 *ret) STANDS_FOR("fstat");

/* 2.25. The assembly that does nothing keeps the compiler from leaving out what
 * nobody reads. */
void px_explicit_bzero(void *data, size_t n)
{
	memset(data, 0, n);
	__asm__ volatile("" : : "r"(data) : "memory");
}

/* 2.25 */
ssize_t px_getrandom(void *buf, size_t n, unsigned flags)
{
	return syscall(SYS_getrandom, buf, n, flags);
}

/* 2.26 */
void *px_reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

/* 2.27 */
int px_memfd_create(const char *name, unsigned flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

/* 2.28, by which programs with files of any size call it. Its argument is a
 * number or a pointer, both of which are as long. */
int px_fcntl64(int fd, int what, ...)
{
	va_list args;
	long argument;

	va_start(args, what);
	argument = va_arg(args, long);
	va_end(args);
	return (int)syscall(SYS_fcntl, fd, what, argument);
}

/* 2.31. A clock that may be set is near enough where there is no other. */
int px_clockjoin(pthread_t thread, void **ret, clockid_t clock,
		 const struct timespec *until)
{
	struct timespec now, there;

	clock_gettime(clock, &now);
	clock_gettime(CLOCK_REALTIME, &there);
	there.tv_sec += until->tv_sec - now.tv_sec;
	there.tv_nsec += until->tv_nsec - now.tv_nsec;
	if (there.tv_nsec < 0) {
		there.tv_nsec += 1000000000;
		there.tv_sec--;
	} else if (there.tv_nsec >= 1000000000) {
		there.tv_nsec -= 1000000000;
		there.tv_sec++;
	}
	return pthread_timedjoin_np(thread, ret, &there);
}

/* 2.33; before, they were macros. */
int px_stat64(const char *path, struct stat64 *ret)
{
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, ret, 0);
}

int px_fstat64(int fd, struct stat64 *ret)
{
	return (int)syscall(SYS_newfstatat, fd, "", ret, AT_EMPTY_PATH);
}

/* The same where off_t has 64 bits, in libraries that do not ask for it. */
int px_fstat(int fd, struct stat64 *ret)
{
	return px_fstat64(fd, ret);
}
#endif
