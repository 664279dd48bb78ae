/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include "pycfs/spawn.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/* Bytes. A receive buffer that grew past this is freed after use. */
#define KEEP_BUFFER (1u << 20)
#define READ_CHUNK  (64u << 10)
/* A busy worker that gets less than one part in so many of a CPU is stuck. */
#define STARVED 50
/* Beside pycfs-compiler: the same for a Python's own program. */
#define OBJECT "pycfs-compiler.so"

/* The directory of pycfs-compiler. -ELIBACC: pycfs-compiler.so is not in it. */
static int find_object(const char *compiler, char dir[PATH_MAX])
{
	const char *slash = strrchr(compiler, '/');
	char path[PATH_MAX + 32];

	if (!slash || slash - compiler >= PATH_MAX)
		return -ELIBACC;
	snprintf(dir, PATH_MAX, "%.*s", (int)(slash - compiler), compiler);
	snprintf(path, sizeof(path), "%s/" OBJECT, dir);
	return access(path, R_OK) < 0 ? -ELIBACC : 0;
}

/*
 * Starts pycfs-compiler, or the interpreter with pycfs-compiler.so before its
 * libraries (src/compiler/takeover.c). Its whole environment is where its
 * shared libraries are, and nothing that could change what Python does.
 */
static int start_process(struct px_worker *w, const struct px_pool_options *o,
			 int socket_fd, int stderr_fd)
{
	const struct px_python *py = o->python;
	const char *libs = getenv("LD_LIBRARY_PATH");
	char library_path[4096] = "LC_ALL=C.UTF-8", dir[PATH_MAX];
	const char *envp[] = {"LC_ALL=C.UTF-8", library_path, NULL, NULL};
	/* An interpreter that is started without the object knows no such
	 * option, and ends. */
	const char *argv[11] = {
		"pycfs-compiler",
		w->in_interpreter ? "--interpreter" : "--libpython",
		w->in_interpreter ? py->interpreter : py->libpython,
	};
	struct px_spawn child = {
		.program = w->in_interpreter ? py->interpreter : o->compiler,
		.argv = argv,
		.envp = envp,
		/* The worker expects its socket as descriptor 3. */
		.fds = {PX_SPAWN_NULL, PX_SPAWN_NULL, stderr_fd, socket_fd},
		.n_fds = 4,
		.own_group = true,
		.ends_first = true,
	};
	char cpu_seconds[24];
	int n = 3, r;

	if (libs && strlen(libs) < sizeof(library_path) - 32)
		snprintf(library_path, sizeof(library_path),
			 "LD_LIBRARY_PATH=%s", libs);
	if (w->in_interpreter) {
		r = find_object(o->compiler, dir);
		if (r < 0)
			return r;
		/* The loader takes spaces and colons for the ends of names
		 * (ld.so(8)), and a directory may have some. */
		child.dir = dir;
		envp[2] = "LD_PRELOAD=./" OBJECT;
	}
	if (py->home) {
		argv[n++] = "--home";
		argv[n++] = py->home;
	}
	if (o->debug_ranges)
		argv[n++] = "--debug-ranges";
	if (o->compileall)
		argv[n++] = "--compileall";
	if (o->analyse)
		argv[n++] = "--analyse";
	if (o->timeout_ms > 0) {
		snprintf(cpu_seconds, sizeof(cpu_seconds), "%" PRIu64,
			 (uint64_t)o->timeout_ms * PX_WORKER_DEADLINES / 1000 +
				 1);
		argv[n++] = "--cpu";
		argv[n++] = cpu_seconds;
	}
	argv[n] = NULL;
	return px_spawn(&child, &w->pid);
}

int px_worker_spawn(struct px_worker *w, const struct px_pool_options *o,
		    bool in_interpreter)
{
	PX_AUTOCLOSE int ours = -1;
	PX_AUTOCLOSE int theirs = -1;
	PX_AUTOCLOSE int err_read = -1;
	PX_AUTOCLOSE int err_write = -1;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	err_read = fds[0];
	err_write = fds[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	w->in_interpreter = in_interpreter;
	r = start_process(w, o, theirs, err_write);
	if (r < 0)
		return r;
	w->fd = px_steal_fd(&ours);
	w->stderr_fd = px_steal_fd(&err_read);
	w->state = PX_WORKER_STARTING;
	w->has_answered = w->is_worn = false;
	w->group = 0;
	w->n_slots = 0;
	w->n_bytes = w->n_sent = 0;
	w->deadline_ms = 0;
	w->in = (struct px_buf){
		.max = (size_t)PX_FRAME_MAX + PX_FRAME_HEADER_SIZE,
	};
	return 0;
}

/* The last line of what was written to `fd`, without its newline. */
static void last_words(int fd, char *buf, size_t size)
{
	char piece[256], *line;
	size_t used = 0, n;
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0) {
		n = (size_t)got;
		if (used + n > size - 1) {
			const size_t drop = used + n - (size - 1);

			memmove(buf, buf + drop, used - drop);
			used -= drop;
		}
		memcpy(buf + used, piece, n);
		used += n;
	}
	while (used > 0 && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	line = strrchr(buf, '\n');
	if (line)
		memmove(buf, line + 1, strlen(line));
}

static void explain(int status, const char *words, struct px_why *why)
{
	const char *colon = *words ? ": " : "";

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		px_because(why, 0, "tried a forbidden system call%s%s", colon,
			   words);
	else if (WIFSIGNALED(status))
		px_because(why, 0, "killed by signal %d (%s)%s%s",
			   WTERMSIG(status), strsignal(WTERMSIG(status)), colon,
			   words);
	else
		px_because(why, 0, "ended with status %d%s%s",
			   WEXITSTATUS(status), colon, words);
}

void px_worker_kill(struct px_worker *w, struct px_why *why)
{
	char words[512];
	const int status = px_spawn_kill(w->pid);

	last_words(w->stderr_fd, words, sizeof(words));
	if (why)
		explain(status < 0 ? 0 : status, words, why);
	close(w->fd);
	close(w->stderr_fd);
	px_buf_fini(&w->in);
	w->state = PX_WORKER_NONE;
	/* Nobody will get the rest of a frame that was sent in part. */
	w->n_sent = 0;
}

/* CPU time that it has used so far, or 0. */
static int64_t cpu_ms(const struct px_worker *w)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(w->pid, &clock) != 0 ||
	    clock_gettime(clock, &used) < 0)
		return 0;
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

void px_worker_begin(struct px_worker *w, unsigned timeout_ms)
{
	w->begun_ms = px_now_ms();
	w->deadline_ms = timeout_ms ? w->begun_ms + timeout_ms : 0;
	w->cpu_start_ms = w->cpu_seen_ms = cpu_ms(w);
	w->is_worn = timeout_ms > 0 &&
		     w->cpu_start_ms / timeout_ms >= PX_WORKER_DEADLINES / 2;
}

/*
 * The limit is on CPU time: a module that compiles on an idle machine must not
 * fail on a busy one. But the wait is only for a worker that makes progress;
 * one that is stopped or blocked is given up.
 */
bool px_worker_is_late(struct px_worker *w, unsigned timeout_ms)
{
	const int64_t now = px_now_ms();
	int64_t cpu, left;

	if (w->deadline_ms == 0 || now < w->deadline_ms)
		return false;
	if (w->state != PX_WORKER_BUSY)
		return true;
	cpu = cpu_ms(w);
	left = timeout_ms - (cpu - w->cpu_start_ms);
	if (left <= 0 || (cpu - w->cpu_seen_ms) * STARVED < timeout_ms)
		return true;
	w->cpu_seen_ms = cpu;
	w->deadline_ms = now + left;
	return false;
}

void px_worker_give(struct px_worker *w, struct px_job *job)
{
	w->slots[w->n_slots++] = (struct px_slot){
		.state = PX_SLOT_WAITING,
		.job = job,
		.id = job->id,
		.size = job->frame.size - PX_FRAME_HEADER_SIZE,
	};
	w->n_bytes += job->frame.size;
}

struct px_job *px_worker_take(struct px_worker *w)
{
	struct px_job *job;

	if (w->n_slots == 0)
		return NULL;
	job = w->slots[0].job;
	if (job)
		w->n_bytes -= job->frame.size;
	w->n_slots--;
	memmove(&w->slots[0], &w->slots[1], w->n_slots * sizeof(w->slots[0]));
	return job;
}

/* The first frame that is not sent, or w->n_slots. */
static unsigned first_waiting(const struct px_worker *w)
{
	unsigned i;

	for (i = 0; i < w->n_slots; i++)
		if (w->slots[i].state == PX_SLOT_WAITING)
			break;
	return i;
}

/* The last slot behind the first that can be taken back; 0: none. Not one whose
 * frame is sent in part, as the rest has to follow. */
static unsigned last_behind(const struct px_worker *w)
{
	const unsigned in_part = w->n_sent > 0 ? first_waiting(w) : 0;
	unsigned i;

	for (i = w->n_slots; i > 1; i--)
		if (w->slots[i - 1].state != PX_SLOT_VOID && i - 1 != in_part)
			return i - 1;
	return 0;
}

bool px_worker_has_behind(const struct px_worker *w)
{
	return last_behind(w) > 0;
}

struct px_job *px_worker_take_back(struct px_worker *w)
{
	const unsigned i = last_behind(w);
	struct px_slot *slot = &w->slots[i];
	struct px_job *job;

	if (i == 0)
		return NULL;
	job = PX_STEAL(slot->job);
	w->n_bytes -= job->frame.size;
	/* What is behind a waiting one was waiting, too, and is gone by now. */
	if (slot->state == PX_SLOT_WAITING)
		w->n_slots = i;
	else
		slot->state = PX_SLOT_VOID;
	return job;
}

bool px_worker_is_sending(const struct px_worker *w)
{
	return w->state == PX_WORKER_BUSY && first_waiting(w) < w->n_slots;
}

int px_worker_send(struct px_worker *w)
{
	unsigned i;

	if (w->state != PX_WORKER_BUSY)
		return 0;
	for (i = first_waiting(w); i < w->n_slots;) {
		const struct px_buf *f = &w->slots[i].job->frame;
		ssize_t n = send(w->fd, f->data + w->n_sent,
				 f->size - w->n_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		w->n_sent += (size_t)n;
		if (w->n_sent == f->size) {
			w->slots[i++].state = PX_SLOT_SENT;
			w->n_sent = 0;
		}
	}
	return 0;
}

/* Bytes of the longest payload that it may send now. */
static size_t longest(const struct px_worker *w)
{
	if (w->state == PX_WORKER_STARTING)
		return PX_FRAME_HELLO_MAX;
	return w->n_slots > 0 ? px_frame_result_max(w->slots[0].size) : 0;
}

/* 1 with a whole frame; 0 and how many bytes are still to come, as far as that
 * is known; -EBADMSG. */
static int whole_frame(const struct px_worker *w, enum px_frame_type *ret_type,
		       struct px_str *ret, size_t *ret_missing)
{
	const struct px_buf *in = &w->in;
	size_t length;
	int r;

	*ret_missing = READ_CHUNK;
	if (in->size < PX_FRAME_HEADER_SIZE)
		return 0;
	r = px_frame_get_header(in->data, ret_type, &length);
	if (r < 0 || length > longest(w))
		return -EBADMSG;
	if (in->size - PX_FRAME_HEADER_SIZE < length) {
		*ret_missing = length + PX_FRAME_HEADER_SIZE - in->size;
		return 0;
	}
	*ret = (struct px_str){in->data + PX_FRAME_HEADER_SIZE, length};
	return 1;
}

int px_worker_receive(struct px_worker *w, enum px_frame_type *ret_type,
		      struct px_str *ret_payload)
{
	for (;;) {
		size_t missing;
		ssize_t n;
		int r = whole_frame(w, ret_type, ret_payload, &missing);

		if (r != 0)
			return r;
		/* A worker may announce a huge frame and send none: the buffer
		 * grows with what has arrived. */
		if (missing > READ_CHUNK && missing > w->in.size)
			missing = w->in.size > READ_CHUNK ? w->in.size
							  : READ_CHUNK;
		r = px_buf_reserve(&w->in, missing);
		if (r < 0)
			return r;
		n = recv(w->fd, w->in.data + w->in.size, missing, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		w->in.size += (size_t)n;
	}
}

void px_worker_consume(struct px_worker *w, const struct px_str *payload)
{
	const size_t max = w->in.max;

	px_buf_consume(&w->in, payload->size + PX_FRAME_HEADER_SIZE);
	if (w->in.capacity > KEEP_BUFFER && w->in.size == 0) {
		px_buf_fini(&w->in);
		w->in = (struct px_buf){.max = max};
	}
}
