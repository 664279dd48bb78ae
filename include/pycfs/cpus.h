/* SPDX-License-Identifier: MIT */
#ifndef PX_CPUS_H
#define PX_CPUS_H
/*
 * How many CPUs we may use.
 *
 * Threads: any. Reads /proc and cgroups, and so may block for a moment.
 */

/* The CPUs that we may run on (sched_setaffinity(2)), but no more than
 * px_cpus_quota allows. At least 1. */
unsigned px_cpus(void);

/* The number of CPUs whose time our cgroup and those above it allow us, rounded
 * up: the lowest of cpu.max (v2) or cpu.cfs_quota_us (v1). UINT_MAX: there is
 * no limit. `root` is the directory that has proc/ in it: "/", except in tests.
 */
unsigned px_cpus_quota(const char *root);

#endif
