/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_CONFINE_H
#define PX_COMPILER_CONFINE_H
/*
 * Runs a program that may do anything, as far as possible without effect on
 * anything else: pycfs check imports what it is to check. Where the kernel and
 * what contains us allow it, the program has namespaces of its own, without a
 * network, in which all files but those of a scratch directory are read-only.
 * It is limited in time, memory and processes, and whatever it leaves behind is
 * killed. It has no capabilities.
 */

#include "pycfs/util.h"

struct px_confine {
	/* A directory that is there, in which it may write. Where it has a
	 * mount namespace, a file system in memory is mounted there. */
	const char *scratch;
	bool keep;	  /* what it has written there is kept */
	uint64_t memory;  /* bytes of address space of each process */
	unsigned seconds; /* until all of it is killed */
};

/* Exit statuses in place of the program's own. */
#define CONFINE_TOO_LATE 250 /* it was killed after `seconds` */
#define CONFINE_TOO_MANY 251 /* it had too many processes */
#define CONFINE_BROKEN	 252 /* it could not be started; stderr says why */
#define CONFINE_SIGNAL	 128 /* plus the number of the signal that ended it */

/* Runs argv[0], a path or a name in PATH, and returns the exit status for it.
 * `argv` ends with NULL. Only the main thread may exist. */
int px_confine_run(const struct px_confine *c, char **argv);

/* Prints, in one line, what is in force: the words "network", "files" and
 * "processes", as far as they have namespaces. Returns the exit status. */
int px_confine_probe(void);

#endif
