/* SPDX-License-Identifier: MIT */
/*
 * The worker inside the user's interpreter. pycfs-compiler.so is this file and
 * all that pycfs-compiler is made of; the dynamic loader puts it before the
 * libraries of a Python's own program (LD_PRELOAD, ld.so(8)). That program's
 * first code, which the C library has given it, hands its main function to
 * __libc_start_main (glibc 2.36, sysdeps/x86_64/start.S and
 * csu/libc-start.c). The one below is found first, and hands over the worker's
 * in its place: so the program's own code never runs, but all functions of
 * Python that it exports are there, as in a libpython.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

int main(int argc, char **argv);

/* The type of __libc_start_main: the program's main function, its arguments,
 * three functions that start and end it, and the end of its stack. */
typedef int start_main(int (*start)(int, char **), int argc, char **argv,
		       void (*init)(void), void (*fini)(void),
		       void (*end_loader)(void), void *stack_end);

__attribute__((visibility("default")))
start_main px_takeover __asm__("__libc_start_main");

int px_takeover(int (*start)(int, char **), int argc, char **argv,
		void (*init)(void), void (*fini)(void),
		void (*end_loader)(void), void *stack_end)
{
	void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
	start_main *next;

	(void)start;
	if (!symbol)
		return 1;
	memcpy(&next, &symbol, sizeof(next));
	return next(main, argc, argv, init, fini, end_loader, stack_end);
}
