/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: a daemon is slow to register what it does when a reader is
 * killed, so that the reader is dead by then. libfuse calls it at once in that
 * case, and uses the request afterwards: an answer given from within frees it
 * too early, and ends the daemon here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOW 12 /* so many requests at first; the others are not held up */

static _Atomic int n;
static _Thread_local int registering;

void fuse_req_interrupt_func(void *req, void (*func)(void *, void *),
			     void *data)
{
	void (*real)(void *, void (*)(void *, void *), void *) =
		dlsym(RTLD_NEXT, "fuse_req_interrupt_func");

	if (func && n++ < SLOW)
		usleep(300000);
	registering = 1;
	real(req, func, data);
	registering = 0;
}

int fuse_reply_err(void *req, int err)
{
	int (*real)(void *, int) = dlsym(RTLD_NEXT, "fuse_reply_err");

	if (registering)
		abort();
	return real(req, err);
}
