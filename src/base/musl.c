/* SPDX-License-Identifier: MIT */
/*
 * What Debian's static libraries ask of glibc and musl does not have. They are
 * compiled with -D_FORTIFY_SOURCE=2, which calls functions that check the sizes
 * of buffers (Linux Standard Base 5.0, Core, chapter 14.4, __fprintf_chk; glibc
 * 2.36, debug/explicit_bzero_chk.c). These here do the work of the plain ones.
 * A library that needs another of them is not linked, and that ends the build.
 */
#include <features.h>
#ifndef __GLIBC__
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int px_fprintf_chk(FILE *to, int flag, const char *format,
		   ...) __asm__("__fprintf_chk");
void px_explicit_bzero_chk(void *data, size_t n,
			   size_t size) __asm__("__explicit_bzero_chk");

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

void px_explicit_bzero_chk(void *data, size_t n, size_t size)
{
	if (n > size)
		__builtin_trap();
	explicit_bzero(data, n);
}
#endif
