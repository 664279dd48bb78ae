/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "pycfs/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* How much longer than it may take, in ms, before we kill it ourselves. */
#define GRACE_MS 10000
/* Bytes of all messages of one process, and of one message. */
#define MAX_TOTAL   (256u << 20)
#define MAX_MESSAGE (1u << 20)

/* src/check/imports.py, by tools/embed. */
extern const unsigned char px_imports_py[];

/* The exit statuses of compiler/confine.h. */
#define TOO_LATE 250
#define TOO_MANY 251
#define BROKEN	 252
#define SIGNAL	 128

/* A file in memory with the bytes of `input`, at its start. -errno. */
static int input_file(const struct px_buf *input)
{
	PX_AUTOCLOSE int fd = memfd_create("pycfs-check", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = px_write_full(fd, input->data, input->size);
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : px_steal_fd(&fd);
}

/* What every process gets. The strings live as long as this does. */
struct start {
	char memory[32], seconds[16];
	char home[PATH_MAX + 8], temp[PATH_MAX + 8], path[PATH_MAX + 16];
	char search[PATH_MAX + 8];
	const char *envp[8];
};

static void prepare(const struct px_check_options *o, const char *dir,
		    struct start *s)
{
	const char *search = getenv("PATH");

	snprintf(s->memory, sizeof(s->memory), "%llu",
		 (unsigned long long)o->memory);
	snprintf(s->seconds, sizeof(s->seconds), "%u", o->seconds);
	snprintf(s->home, sizeof(s->home), "HOME=%s", dir);
	snprintf(s->temp, sizeof(s->temp), "TMPDIR=%s", dir);
	snprintf(s->search, sizeof(s->search), "PATH=%s",
		 search ? search : "/usr/local/bin:/usr/bin:/bin");
	s->envp[0] = s->home;
	s->envp[1] = s->temp;
	s->envp[2] = s->search;
	s->envp[3] = "LC_ALL=C.UTF-8";
	s->envp[4] = NULL;
}

/* Starts `argv` with a pipe to read from: the child's descriptor 3, or, of a
 * `command`, its stdout and stderr. */
static int start(const struct px_check_options *o, const char *const *argv,
		 const char *const *envp, int in, bool command,
		 struct px_process *ret)
{
	PX_AUTOCLOSE int theirs = -1;
	PX_AUTOCLOSE int ours = -1;
	struct px_spawn child = {
		.program = o->compiler,
		.argv = argv,
		.envp = envp,
		.own_group = true,
	};
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	child.fds[0] = in;
	child.fds[1] = child.fds[2] = command ? theirs : PX_SPAWN_NULL;
	child.fds[3] = theirs;
	child.n_fds = command ? 3 : 4;
	*ret = (struct px_process){
		.deadline_ms =
			px_now_ms() + (int64_t)o->seconds * 1000 + GRACE_MS,
		.in.max = SIZE_MAX,
	};
	r = px_spawn(&child, &ret->pid);
	ret->fd = r < 0 ? -1 : px_steal_fd(&ours);
	return r;
}

int px_process_start(const struct px_check_options *o, enum px_tree_side side,
		     const char *command, const struct px_buf *input,
		     struct px_process *ret)
{
	static const char *const levels[] = {"-B", "-O", "-OO"};
	PX_AUTOFREE struct start *s = calloc(1, sizeof(*s));
	PX_AUTOCLOSE int in = input_file(input);
	const char *const argv[] = {"pycfs-compiler",
				    "--confine",
				    o->scratch,
				    "--memory",
				    s ? s->memory : "",
				    "--seconds",
				    s ? s->seconds : "",
				    o->python,
				    "-I",
				    "-S",
				    "-B",
				    levels[o->level[side]],
				    "-c",
				    (const char *)px_imports_py,
				    o->tree[side],
				    command,
				    NULL};

	*ret = (struct px_process){.fd = -1};
	if (!s || in < 0)
		return s ? in : -ENOMEM;
	prepare(o, o->scratch, s);
	return start(o, argv, s->envp, in, false, ret);
}

int px_process_command(const struct px_check_options *o, enum px_tree_side side,
		       const char *dir, char *const *argv,
		       struct px_process *ret)
{
	PX_AUTOFREE struct start *s = calloc(1, sizeof(*s));
	PX_AUTOFREE const char **all = NULL;
	size_t n = 0, i = 0;

	*ret = (struct px_process){.fd = -1};
	while (argv[n])
		n++;
	all = calloc(n + 10, sizeof(*all));
	if (!s || !all)
		return -ENOMEM;
	prepare(o, dir, s);
	snprintf(s->path, sizeof(s->path), "PYTHONPATH=%s", o->tree[side]);
	s->envp[4] = s->path;
	s->envp[5] = "PYTHONDONTWRITEBYTECODE=1";
	all[i++] = "pycfs-compiler";
	all[i++] = "--confine";
	all[i++] = dir;
	all[i++] = "--keep";
	all[i++] = "--memory";
	all[i++] = s->memory;
	all[i++] = "--seconds";
	all[i++] = s->seconds;
	while (*argv)
		all[i++] = *argv++;
	return start(o, all, s->envp, PX_SPAWN_NULL, true, ret);
}

int px_process_read(struct px_process *p)
{
	ssize_t n;
	int r;

	if (p->used > 0) {
		px_buf_consume(&p->in, p->used);
		p->used = 0;
	}
	do {
		r = px_buf_reserve(&p->in, 65536);
		if (r < 0)
			return r;
		n = read(p->fd, p->in.data + p->in.size, 65536);
		if (n > 0) {
			p->in.size += (size_t)n;
			p->total += (uint64_t)n;
		}
		if (p->total > MAX_TOTAL)
			return -EBADMSG;
	} while (n == 65536);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == 0 || n < 0;
}

bool px_process_next(struct px_process *p, struct px_message *ret)
{
	const size_t left = p->in.size - p->used;
	char *data = (char *)p->in.data + p->used, *at, *end;
	size_t n;

	if (left < 4)
		return false;
	n = (size_t)(uint8_t)data[0] << 24 | (size_t)(uint8_t)data[1] << 16 |
	    (size_t)(uint8_t)data[2] << 8 | (size_t)(uint8_t)data[3];
	if (n > MAX_MESSAGE || left < 4 + n)
		return false;
	/* The length of the next message is moved to where the NUL of this one
	 * is, by one byte, so that there is room for it. */
	memmove(data, data + 4, n);
	data[n] = '\0';
	p->used += 4 + n;
	*ret = (struct px_message){.n = 0};
	for (at = data; ret->n < PX_PROCESS_FIELDS; at = end + 1) {
		end = memchr(at, '\0', (size_t)(data + n - at) + 1);
		ret->field[ret->n++] = at;
		if (end >= data + n)
			break;
	}
	for (n = ret->n; n < PX_PROCESS_FIELDS; n++)
		ret->field[n] = "";
	return true;
}

static void say_how(int status, char how[80])
{
	const int code = WIFEXITED(status) ? WEXITSTATUS(status)
					   : SIGNAL + WTERMSIG(status);

	if (code == TOO_LATE)
		snprintf(how, 80, "did not end in time");
	else if (code == TOO_MANY)
		snprintf(how, 80, "started too many processes");
	else if (code == BROKEN)
		snprintf(how, 80, "could not be started");
	else if (code > SIGNAL && code < SIGNAL + NSIG)
		snprintf(how, 80, "ended by signal %d (%s)", code - SIGNAL,
			 strsignal(code - SIGNAL));
	else
		snprintf(how, 80, "ended the process with status %d", code);
}

void px_process_end(struct px_process *p, char how[80])
{
	int status;

	snprintf(how, 80, "ended");
	px_closep(&p->fd);
	px_buf_fini(&p->in);
	if (p->pid <= 0)
		return;
	status = px_spawn_wait(p->pid, p->deadline_ms);
	if (status == -ETIMEDOUT)
		snprintf(how, 80, "did not end in time");
	else if (status >= 0)
		say_how(status, how);
	p->pid = 0;
}

int px_check_confinement(const char *compiler, char ret[64])
{
	const char *const argv[] = {"pycfs-compiler", "--confine-probe", NULL};
	PX_AUTOCLOSE int ours = -1;
	PX_AUTOCLOSE int theirs = -1;
	struct px_spawn child = {.program = compiler, .argv = argv};
	int fds[2], r;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	child.fds[0] = PX_SPAWN_NULL;
	child.fds[1] = theirs;
	child.fds[2] = PX_SPAWN_NULL;
	child.n_fds = 3;
	r = px_spawn(&child, &pid);
	if (r < 0)
		return r;
	close(px_steal_fd(&theirs));
	n = px_read_full(ours, ret, 63);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	r = px_spawn_wait(pid, INT64_MAX);
	return r < 0 ? r : n < 0 ? (int)n : 0;
}
