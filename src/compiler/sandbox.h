/* SPDX-License-Identifier: MIT */
#ifndef PX_COMPILER_SANDBOX_H
#define PX_COMPILER_SANDBOX_H
/*
 * Compiling needs memory, and a socket to read from and write to. The process
 * gives up everything else before it reads the first byte of source.
 */

#include "pycfs/util.h"

/* Memory for one worker, in bytes of address space. Compiling CPython's own
 * largest modules stays below 300 MB; a 100 MB literal needs about 2 GB. */
#define SANDBOX_ADDRESS_SPACE (4ull << 30)

/* Makes this the first process that the kernel kills if memory runs out, rather
 * than the daemon that files are read from. To be called before Python is
 * loaded, which takes memory. Who starts a worker says the same of it, which is
 * earlier, but the kernel lets nobody but root do so where the program may not
 * be read. */
void px_sandbox_go_first(void);

/* The user ID that a worker of root changes to. */
#define SANDBOX_USER 65534 /* nobody, Linux's overflow ID */

/* Changes from root to SANDBOX_USER, if that user exists in this namespace and
 * the pool can still kill this process then; drops all capabilities. Open
 * descriptors stay usable. -errno. */
int px_sandbox_drop_privileges(void);

/* Lowers a limit of resources (setrlimit(2)) to `n`; it is never raised.
 * -errno. */
int px_sandbox_limit(int resource, uint64_t n);

/* Gives up all capabilities. -errno. */
int px_sandbox_drop_capabilities(void);

/*
 * Makes this process end with its parent; drops its privileges; keeps other
 * processes of its user from reading its memory; and limits it: no core dumps,
 * no writing to files, SANDBOX_ADDRESS_SPACE of memory, and `cpu_seconds` of
 * CPU time (0: no limit). Then sets the filter of system calls. Returns 0;
 * -ENOTSUP: there is no such filter, but everything else is in force; or
 * another -errno with a sentence in `why`.
 */
int px_sandbox_enter(unsigned cpu_seconds, struct px_why *why);

/* Tries what an attacker would try, and what a compile needs, each in a process
 * of its own in the same sandbox, and prints a line for each on stdout. Returns
 * the exit status: 0, or 1 if something did not end as it must. */
int px_sandbox_self_test(void);

#endif
