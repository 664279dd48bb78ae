/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int look(void *arg, const struct px_mount *m)
{
	struct px_mount *found = arg;

	if (strcmp(m->path, found->path) != 0)
		return 0;
	found->id = m->id;
	found->dev = m->dev;
	return 42;
}

static void test_the_root_is_listed(void **state PX_UNUSED)
{
	PX_AUTOCLOSE int fd = open("/", O_PATH | O_CLOEXEC);
	struct px_mount m = {.path = "/"};
	struct px_mount_id id, again;
	dev_t dev;

	assert_int_equal(px_mounts_each(look, &m), 42);
	assert_int_equal(px_mount_id_of(fd, &id), 0);
	assert_int_equal(m.id, id.id);
	assert_int_equal(px_mounts_device(fd, "", &dev), 0);
	assert_int_equal(px_mounts_device(AT_FDCWD, "/", &dev), 0);
	assert_int_equal(m.dev, dev);
	assert_int_equal(px_mounts_is_pycfs(dev), 0);
	assert_int_equal(px_mount_id_of(fd, &again), 0);
	assert_true(px_mount_id_equal(&id, &again));
	assert_int_equal(px_mount_id_of(-1, &id), -ENOENT);
	assert_int_equal(px_mounts_device(fd, "no such name", &dev), -ENOENT);
}

/* A name that mountinfo escapes; two mounts on it, of which the last counts.
 * In a mount namespace of a child's own. */
static int in_a_namespace(void)
{
	char path[] = "/tmp/pycfs mounts\\\n\tXXXXXX";
	struct px_mount m = {.path = path};
	struct px_mount_id first, second;
	PX_AUTOCLOSE int fd = -1;
	dev_t dev;

	if (!mkdtemp(path) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("a b", path, "tmpfs", 0, NULL) < 0)
		return 1;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (px_mount_id_of(fd, &first) < 0 || px_mounts_each(look, &m) != 42 ||
	    m.id != first.id)
		return 2;
	if (px_mounts_device(AT_FDCWD, path, &dev) < 0 || dev != m.dev)
		return 3;
	if (mount("c", path, "tmpfs", 0, NULL) < 0)
		return 4;
	close(fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (px_mount_id_of(fd, &second) < 0 ||
	    px_mount_id_equal(&first, &second))
		return 5;
	umount2(path, MNT_DETACH);
	umount2(path, MNT_DETACH);
	return rmdir(path) < 0 ? 6 : 0;
}

static void test_a_mount_is_told_from_another(void **state PX_UNUSED)
{
	int status;
	pid_t child;

	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0)
		_exit(in_a_namespace());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_root_is_listed),
		cmocka_unit_test(test_a_mount_is_told_from_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
