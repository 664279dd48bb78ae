/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include "pycfs/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

/* Runs a script of sh and returns its wait status; what it writes to stdout is
 * in `said`. `s` may have anything but program, argv and fds set. */
static int run(struct px_spawn s, const char *script, char said[256])
{
	const char *argv[] = {"sh", "-c", script, NULL};
	int fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s.program = "/bin/sh";
	s.argv = argv;
	s.fds[0] = PX_SPAWN_NULL;
	s.fds[1] = fds[1];
	s.n_fds = 2;
	assert_int_equal(px_spawn(&s, &pid), 0);
	close(fds[1]);
	n = px_read_full(fds[0], said, 255);
	assert_true(n >= 0);
	said[n] = '\0';
	close(fds[0]);
	return px_spawn_wait(pid, INT64_MAX);
}

static void test_status(void **state PX_UNUSED)
{
	char said[256];
	int status = run((struct px_spawn){0}, "echo one; exit 7", said);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(said, "one\n");
	status = run((struct px_spawn){0}, "kill -TERM $$", said);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void test_place_and_environment(void **state PX_UNUSED)
{
	const char *const envp[] = {"ONE=1", NULL};
	char said[256];

	setenv("PX_TEST", "here", 1);
	assert_int_equal(run((struct px_spawn){.dir = "/proc"},
			     "pwd; echo $PX_TEST", said),
			 0);
	assert_string_equal(said, "/proc\nhere\n");
	assert_int_equal(run((struct px_spawn){.envp = envp},
			     "echo \"$ONE-$PX_TEST\"", said),
			 0);
	assert_string_equal(said, "1-\n");
	assert_int_equal(run((struct px_spawn){.own_group = true},
			     "cut -d' ' -f5 /proc/$$/stat; echo $$", said),
			 0);
	assert_memory_equal(said, strchr(said, '\n') + 1,
			    (size_t)(strchr(said, '\n') - said));
}

/* Blocked signals stay blocked only if asked for. */
static void test_signal_mask(void **state PX_UNUSED)
{
	sigset_t usr1;
	char said[256];

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	assert_int_equal(
		run((struct px_spawn){0}, "kill -USR1 $$; echo on", said),
		SIGUSR1);
	assert_string_equal(said, "");
	assert_int_equal(run((struct px_spawn){.keep_signal_mask = true},
			     "kill -USR1 $$; echo on", said),
			 0);
	assert_string_equal(said, "on\n");
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
}

/* Descriptors that lie where the child gets others: here 1 and 2 are exchanged,
 * and 3 stays where it is, although it is close-on-exec. */
static void test_descriptors_that_overlap(void **state PX_UNUSED)
{
	const char *const argv[] = {
		"sh", "-c", "echo out; echo err >&2; echo three >&3", NULL};
	const struct px_spawn s = {
		.program = "sh",
		.argv = argv,
		.fds = {PX_SPAWN_SAME, 2, 1, 3},
		.n_fds = 4,
	};
	char name[3][40], text[3][64];
	int saved[4], fd, i, r;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		snprintf(name[i], sizeof(name[i]), "/tmp/spawn-%d-XXXXXX", i);
		fd = mkstemp(name[i]);
		assert_true(fd >= 0);
		saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 100);
		dup3(fd, i + 1, O_CLOEXEC);
		if (fd > 3)
			close(fd);
	}
	r = px_spawn(&s, &pid);
	if (r == 0)
		r = px_spawn_wait(pid, INT64_MAX);
	for (i = 0; i < 3; i++) {
		const ssize_t n = px_pread_full(i + 1, text[i], 63, 0);

		text[i][n > 0 ? n : 0] = '\0';
		if (saved[i] >= 0) {
			dup2(saved[i], i + 1);
			close(saved[i]);
		} else {
			close(i + 1);
		}
		unlink(name[i]);
	}
	assert_int_equal(r, 0);
	assert_string_equal(text[0], "err\n");
	assert_string_equal(text[1], "out\n");
	assert_string_equal(text[2], "three\n");
}

static void test_what_cannot_start(void **state PX_UNUSED)
{
	const char *const argv[] = {"none", NULL};
	struct px_spawn s = {.program = "/nonexistent/program", .argv = argv};
	pid_t pid;

	assert_int_equal(px_spawn(&s, &pid), -ENOENT);
	s.program = "no-such-program-in-path";
	assert_int_equal(px_spawn(&s, &pid), -ENOENT);
	s.program = "/etc/passwd";
	assert_int_equal(px_spawn(&s, &pid), -EACCES);
}

static pid_t start_sleep(void)
{
	const char *const argv[] = {"sleep", "60", NULL};
	const struct px_spawn s = {.program = "sleep", .argv = argv};
	pid_t pid;

	assert_int_equal(px_spawn(&s, &pid), 0);
	return pid;
}

static void test_waiting(void **state PX_UNUSED)
{
	pid_t pid = start_sleep();
	int64_t begun = px_now_ms();
	int status;

	assert_int_equal(px_spawn_wait(pid, px_now_ms() + 50), -ETIMEDOUT);
	assert_true(px_now_ms() - begun >= 50);
	/* It was killed, and nothing of it is left. */
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(px_spawn_wait(pid, INT64_MAX), -ECHILD);
	assert_int_equal(px_spawn_wait(pid, px_now_ms() + 50), -ECHILD);

	status = px_spawn_kill(start_sleep());
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_the_first_to_end(void **state PX_UNUSED)
{
	const char *argv[] = {
		"sh", "-c", "read x; exec grep -qx $0 /proc/self/oom_score_adj",
		"1000", NULL};
	const char line = '\n';
	int fds[2];

	for (int first = 0; first < 2; first++) {
		struct px_spawn s = {.program = "sh",
				     .argv = argv,
				     .n_fds = 1,
				     .ends_first = first};
		pid_t pid;
		int status;

		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		s.fds[0] = fds[0];
		assert_int_equal(px_spawn(&s, &pid), 0);
		assert_int_equal(write(fds[1], &line, 1), 1);
		status = px_spawn_wait(pid, INT64_MAX);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), first ? 0 : 1);
		close(fds[0]);
		close(fds[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_place_and_environment),
		cmocka_unit_test(test_signal_mask),
		cmocka_unit_test(test_descriptors_that_overlap),
		cmocka_unit_test(test_what_cannot_start),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_the_first_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
