/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/cpus.h"
#include "pycfs/util.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

/* A machine's files below a directory of ours, and what they amount to. */
#define MAX_FILES 8

struct file {
	const char *path;
	const char *text;
};

#define V1                                                              \
	"tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"                           \
	"cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n" \
	"cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
#define V2     "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
#define AT1    "sys/fs/cgroup/cpu,cpuacct/"
#define AT2    "sys/fs/cgroup/"
#define MOUNTS "proc/self/mounts"
#define OWN    "proc/self/cgroup"

static const struct {
	const char *title;
	struct file files[MAX_FILES];
	unsigned cpus;
} machines[] = {
	{"nothing at all", {{0}}, UINT_MAX},
	{"v2, no limit",
	 {{MOUNTS, V2},
	  {OWN, "0::/a/b\n"},
	  {AT2 "a/b/cpu.max", "max 100000\n"}},
	 UINT_MAX},
	{"v2",
	 {{MOUNTS, V2},
	  {OWN, "0::/a/b\n"},
	  {AT2 "a/b/cpu.max", "200000 100000\n"}},
	 2},
	{"v2, a part of a CPU is one",
	 {{MOUNTS, V2}, {OWN, "0::/\n"}, {AT2 "cpu.max", "1000 100000\n"}},
	 1},
	{"v2, two and a half are three",
	 {{MOUNTS, V2}, {OWN, "0::/\n"}, {AT2 "cpu.max", "250000 100000\n"}},
	 3},
	{"v2, the one above is tighter",
	 {{MOUNTS, V2},
	  {OWN, "0::/a/b/c\n"},
	  {AT2 "a/b/c/cpu.max", "800000 100000\n"},
	  {AT2 "a/b/cpu.max", "max 100000\n"},
	  {AT2 "a/cpu.max", "300000 100000\n"}},
	 3},
	{"v2, what is beside is not ours",
	 {{MOUNTS, V2},
	  {OWN, "0::/a\n"},
	  {AT2 "a/cpu.max", "800000 100000\n"},
	  {AT2 "b/cpu.max", "100000 100000\n"},
	  {"cpu.max", "100000 100000\n"},
	  {"sys/fs/cpu.max", "100000 100000\n"}},
	 8},
	{"v2, a path of the host: what is mounted is ours",
	 {{MOUNTS, V2},
	  {OWN, "0::/docker/0123\n"},
	  {AT2 "cpu.max", "400000 100000\n"}},
	 4},
	{"v1",
	 {{MOUNTS, V1},
	  {OWN, "5:memory:/x\n4:cpu,cpuacct:/a\n1:name=systemd:/y\n"},
	  {AT1 "a/cpu.cfs_quota_us", "150000\n"},
	  {AT1 "a/cpu.cfs_period_us", "50000\n"},
	  {AT1 "cpu.cfs_quota_us", "-1\n"},
	  {AT1 "cpu.cfs_period_us", "100000\n"}},
	 3},
	{"v1, no limit",
	 {{MOUNTS, V1},
	  {OWN, "4:cpuacct,cpu:/\n"},
	  {AT1 "cpu.cfs_quota_us", "-1\n"},
	  {AT1 "cpu.cfs_period_us", "100000\n"}},
	 UINT_MAX},
	{"v1, cpuset is not cpu",
	 {{MOUNTS, V1},
	  {OWN, "4:cpuset:/a\n3:cpuacct:/a\n"},
	  {AT1 "a/cpu.cfs_quota_us", "100000\n"},
	  {AT1 "a/cpu.cfs_period_us", "100000\n"}},
	 UINT_MAX},
	{"both: the tighter",
	 {{MOUNTS, V1 "cgroup2 /sys/fs/cgroup/uni\\040fied cgroup2 rw 0 0\n"},
	  {OWN, "4:cpu,cpuacct:/\n0::/b\n"},
	  {AT1 "cpu.cfs_quota_us", "500000\n"},
	  {AT1 "cpu.cfs_period_us", "100000\n"},
	  {AT2 "uni fied/b/cpu.max", "200000 100000\n"}},
	 2},
	{"nonsense",
	 {{MOUNTS, V2 "\n\nx\n" V1},
	  {OWN, "\n:\n::\n4:cpu:\n0::/a\n"},
	  {AT2 "a/cpu.max", "x y\n"},
	  {AT2 "cpu.max", ""},
	  {AT1 "cpu.cfs_quota_us", "100000\n"},
	  {AT1 "cpu.cfs_period_us", "0\n"}},
	 UINT_MAX},
	{"more than can be",
	 {{MOUNTS, V2},
	  {OWN, "0::/\n"},
	  {AT2 "cpu.max", "9223372036854775807 1\n"}},
	 UINT_MAX},
};

static int remove_one(const char *path, const struct stat *st PX_UNUSED,
		      int type PX_UNUSED, struct FTW *at PX_UNUSED)
{
	return remove(path);
}

static void put(const char *root, const struct file *f)
{
	char path[PATH_MAX];
	char *slash;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, f->path);
	for (slash = strchr(path + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(px_write_full(fd, f->text, strlen(f->text)), 0);
	close(fd);
}

static void test_quota(void **state PX_UNUSED)
{
	for (size_t i = 0; i < PX_ARRAY_LEN(machines); i++) {
		char root[] = "/tmp/px-cpus-XXXXXX";
		unsigned got;

		assert_non_null(mkdtemp(root));
		for (size_t k = 0; k < MAX_FILES && machines[i].files[k].path;
		     k++)
			put(root, &machines[i].files[k]);
		got = px_cpus_quota(root);
		nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		if (got != machines[i].cpus)
			fail_msg("%s: %u", machines[i].title, got);
	}
}

/* The kernel of a machine with so many CPUs, which wants a place for
 * each (kernel/sched/syscalls.c, sched_getaffinity, of Linux 6.12). */
static unsigned n_fake;

int sched_getaffinity(pid_t pid PX_UNUSED, size_t size, cpu_set_t *set)
{
	if (size * 8 < n_fake) {
		errno = EINVAL;
		return -1;
	}
	memset(set, 0, size);
	for (unsigned i = 0; i < n_fake; i++)
		CPU_SET_S(i, size, set);
	return 0;
}

static void test_many(void **state PX_UNUSED)
{
	static const unsigned numbers[] = {1, 64, 1024, 1025, 4096, 100000};
	const unsigned quota = px_cpus_quota("/");

	for (size_t i = 0; i < PX_ARRAY_LEN(numbers); i++) {
		n_fake = numbers[i];
		assert_int_equal(px_cpus(), n_fake < quota ? n_fake : quota);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
