/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_SANDBOX_H
#define PX_COMPILER_SANDBOX_H
/*
 * Compiling needs memory and two ends of a socket. Everything else is taken
 * away before the first byte of source is read.
 */

#include "pycfs/util.h"

/* Memory for one worker, in bytes of address space. Compiling CPython's own
 * largest modules stays below 300 MB; a 100 MB literal needs about 2 GB. */
#define SANDBOX_ADDRESS_SPACE (4ull << 30)

/* Dies with its parent, loses capabilities, new privileges, core dumps and
 * address space, then closes the system call filter. Returns 0, or -ENOTSUP
 * if the kernel has no seccomp: the rest is in force then all the same. */
int px_sandbox_enter(struct px_why *why);

/* Tries, in processes of their own behind the same filter, what an attacker
 * would try, and what a compile needs; prints a line for each on stdout. The
 * exit status: 0, or 1 if one did not go as it must. */
int px_sandbox_self_test(void);

#endif
