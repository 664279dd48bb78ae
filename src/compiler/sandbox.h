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

/* The kernel ends this process first where memory runs out, and not a daemon
 * that files are read from. Before Python takes its memory. */
void px_sandbox_go_first(void);

/* Whom a worker of root becomes. */
#define SANDBOX_USER 65534 /* nobody, Linux's overflow ID */

/* Root becomes SANDBOX_USER, where there is one and who kills workers may still
 * kill it; loses all capabilities. What is open stays open. */
int px_sandbox_drop_privileges(void);

/*
 * Dies with its parent, loses its privileges and what it could do to files,
 * cannot be read by others of its user, and gets limits: no core dumps, no
 * bytes in files, SANDBOX_ADDRESS_SPACE of memory, and `cpu_seconds` of CPU
 * time (0: any). Then closes the system call filter. Returns 0, or -ENOTSUP if
 * the kernel has no seccomp: the rest is in force then all the same.
 */
int px_sandbox_enter(unsigned cpu_seconds, struct px_why *why);

/* Tries, in processes of their own behind the same filter, what an attacker
 * would try, and what a compile needs; prints a line for each on stdout. The
 * exit status: 0, or 1 if one did not go as it must. */
int px_sandbox_self_test(void);

#endif
