/* SPDX-License-Identifier: MIT */
#ifndef PX_CPUS_H
#define PX_CPUS_H
/*
 * How much of the machine we may use.
 *
 * Threads: any. Reads /proc and cgroups, and so may block for a moment.
 */

/* CPUs that we may run on, but no more than cgroups give us the time of. At
 * least 1. */
unsigned px_cpus(void);

/* So many CPUs' time does the tightest cgroup that we are in allow, rounded up:
 * cpu.max (v2), or cpu.cfs_quota_us (v1), of ours and each above it. UINT_MAX:
 * there is no such limit. `root` is the directory that /proc is in, "/" on the
 * machine itself. */
unsigned px_cpus_quota(const char *root);

#endif
