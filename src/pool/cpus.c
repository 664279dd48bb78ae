/* SPDX-License-Identifier: MIT */
#include "pycfs/cpus.h"

#include "pycfs/util.h"

#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>

/* No kernel is built for more: Linux 6.12 allows 8,192 (NR_CPUS_RANGE_END in
 * arch/x86/Kconfig). */
#define MAX_CPUS (1u << 20)

/* CPUs that this process may run on. The set has to be large enough for every
 * CPU that the kernel could have (EINVAL if it is not), so larger ones are
 * tried. */
static unsigned n_allowed(void)
{
	unsigned max, n = 0;

	for (max = CPU_SETSIZE; max <= MAX_CPUS && n == 0; max *= 2) {
		const size_t size = CPU_ALLOC_SIZE(max);
		cpu_set_t *set = CPU_ALLOC(max);

		if (!set)
			return 1;
		if (sched_getaffinity(0, size, set) == 0)
			n = (unsigned)CPU_COUNT_S(size, set);
		else if (errno != EINVAL)
			n = 1;
		CPU_FREE(set);
	}
	return n > 0 ? n : 1;
}

static bool read_text(const char *dir, const char *name, char ret[64])
{
	PX_AUTOFREE char *path = px_path_join(dir, name);
	PX_AUTOCLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	const ssize_t n = fd < 0 ? -1 : px_read_full(fd, ret, 63);

	if (n < 0)
		return false;
	ret[n] = '\0';
	return true;
}

/* CPUs whose time cgroup `dir` allows, rounded up; UINT_MAX: no limit. Its
 * files have microseconds of CPU time in a period of so many microseconds (v2:
 * Documentation/admin-guide/cgroup-v2.rst; v1: scheduler/sched-bwc.rst, of
 * Linux 6.12). No limit is "max" in v2 and -1 in v1: neither is above 0. */
static unsigned quota_of(const char *dir)
{
	char first[64], second[64];
	char *rest = first;
	long long time, period;
	long long cpus;

	if (read_text(dir, "cpu.max", first)) {
		time = strtoll(first, &rest, 10);
		period = strtoll(rest, NULL, 10);
	} else if (read_text(dir, "cpu.cfs_quota_us", first) &&
		   read_text(dir, "cpu.cfs_period_us", second)) {
		time = strtoll(first, NULL, 10);
		period = strtoll(second, NULL, 10);
	} else {
		return UINT_MAX;
	}
	if (time <= 0 || period <= 0)
		return UINT_MAX;
	cpus = (time - 1) / period + 1;
	return cpus < UINT_MAX ? (unsigned)cpus : UINT_MAX;
}

/* The lowest quota of cgroup `path` and those above it, up to the directory
 * where they are mounted. In a container `path` may be that of the host, which
 * does not exist here; then only that directory counts. */
static unsigned quota_below(const char *mounted, const char *path)
{
	PX_AUTOFREE char *dir = px_path_join(mounted, path);
	unsigned least = UINT_MAX, n;
	char *slash;

	while (dir) {
		n = quota_of(dir);
		least = n < least ? n : least;
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < strlen(mounted))
			break;
		*slash = '\0';
	}
	return least;
}

/* The path, relative to the mount, of the cgroup that we are in: that of v2, or
 * of v1 the one with the controller "cpu". Lines are "number:controllers:/path"
 * (cgroups(7)); those of v2 name no controllers. The caller frees it; NULL:
 * there is none. */
static char *own_cgroup(const char *root, bool v2)
{
	PX_AUTOFREE char *path = px_path_join(root, "proc/self/cgroup");
	FILE *f = path ? fopen(path, "re") : NULL;
	char *found = NULL, *line = NULL;
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0) {
		char *names = strchr(line, ':'), *at, *word, *rest;
		bool is_it;

		at = names ? strchr(names + 1, ':') : NULL;
		if (!at)
			continue;
		*at++ = '\0';
		at[strcspn(at, "\n")] = '\0';
		is_it = v2 && names[1] == '\0';
		for (word = strtok_r(names + 1, ",", &rest); word && !v2;
		     word = strtok_r(NULL, ",", &rest))
			is_it |= strcmp(word, "cpu") == 0;
		if (is_it)
			found = strdup(at + strspn(at, "/"));
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

unsigned px_cpus_quota(const char *root)
{
	PX_AUTOFREE char *path = px_path_join(root, "proc/self/mounts");
	FILE *f = path ? setmntent(path, "re") : NULL;
	unsigned least = UINT_MAX, n;
	char buffer[2 * PATH_MAX];
	struct mntent m;

	while (f && getmntent_r(f, &m, buffer, sizeof(buffer))) {
		const bool v2 = strcmp(m.mnt_type, "cgroup2") == 0;
		PX_AUTOFREE char *at = NULL, *own = NULL;

		if (!v2 && (strcmp(m.mnt_type, "cgroup") != 0 ||
			    !hasmntopt(&m, "cpu")))
			continue;
		at = px_path_join(root, m.mnt_dir + 1);
		own = own_cgroup(root, v2);
		n = at && own ? quota_below(at, own) : UINT_MAX;
		least = n < least ? n : least;
	}
	if (f)
		endmntent(f);
	return least;
}

unsigned px_cpus(void)
{
	const unsigned allowed = n_allowed(), quota = px_cpus_quota("/");

	return quota < allowed ? quota : allowed;
}
