/* SPDX-License-Identifier: MIT */
/*
 * A pycfs-compiler without Python: says hello as --libpython tells it to, and
 * does with each module what the first word of its co_filename's last part
 * says: "echo", "a/echo.py", "a/echo b.py". For tests of the pool and of what
 * stands on it.
 *
 *   --libpython ok            a proper hello
 *               protocol, magic, hexversion     a hello that is wrong there
 *               magic-3.9     as ok, with the magic number of 3.9
 *               result        a result instead of a hello
 *               garbage       no frame at all
 *               exit          ends with status 3 and last words
 *               long-words    the same after much other talk
 *               slow          as ok, after 300 ms
 *               twice         says hello twice, at once
 *               long-hello    begins a hello of 5,000 bytes
 *
 *   echo         the source comes back as code
 *   nameless     code without co_filename: px_blob.name_at is not 0
 *   work-nameless    the same after 100 ms of CPU time
 *   reject       a syntax error at 3:4
 *   failed, plain                 the other statuses
 *   die          ends with last words
 *   signal       dies of SIGABRT
 *   die-once F   dies unless file F is there; makes it
 *   wait F       comes back once file F is there
 *   stall        never answers
 *   starve       answers after 250 ms of CPU time, a third of the time it takes
 *   work         answers after 100 ms of CPU time
 *   spin         never answers, and computes
 *   large        a result as long as one may be
 *   larger       begins one that is longer
 *   garbage, unknown, huge, short, wrong-id, hello   instead of an answer
 *   no-mark, far-mark    nameless, but no mark is where it says
 *   twice        two answers
 *   quit         answers, then ends
 */
#include "pycfs/filename.h"
#include "pycfs/frame.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define SOCKET_FD 3

static void put(const void *data, size_t n)
{
	if (px_write_full(SOCKET_FD, data, n) < 0)
		_exit(9);
}

static void put_buf(struct px_buf *b)
{
	put(b->data, b->size);
	px_buf_fini(b);
}

static void say_hello(const char *how)
{
	struct px_buf b = {.max = 4096};
	int n = strcmp(how, "twice") == 0 ? 2 : 1;
	struct px_frame_hello h = {
		.protocol = PX_FRAME_PROTOCOL + (strcmp(how, "protocol") == 0),
		.magic = strcmp(how, "magic-3.9") == 0
				 ? 0x0a0d0d61
				 : 1 + (strcmp(how, "magic") == 0),
		.hexversion = 0x030900f0,
		.version = {(const uint8_t *)"fake", 4},
		.canary = {(const uint8_t *)"0123", 4},
	};

	if (strcmp(how, "hexversion") == 0)
		h.hexversion = 0x030801f0;
	if (strcmp(how, "canary") == 0)
		h.canary.data = (const uint8_t *)"0124";
	while (n-- > 0)
		px_frame_put_hello(&b, &h);
	put_buf(&b);
}

static void say_result(const struct px_frame_compile *t, uint64_t id,
		       enum px_frame_status status)
{
	struct px_buf b = {.max = PX_FRAME_MAX};
	struct px_frame_result r = {
		.id = id,
		.status = status,
		.line = status == PX_FRAME_REJECTED ? 3 : 0,
		.column = status == PX_FRAME_REJECTED ? 4 : 0,
		.data = t->source,
	};

	if (px_frame_put_result(&b, &r) < 0)
		_exit(8);
	put_buf(&b);
}

/* A nameless answer: a header, a byte, the mark, the source. Its mark is in the
 * wrong place by `off`. */
static void say_nameless(const struct px_frame_compile *t, uint32_t off)
{
	uint8_t data[4096] = {[PX_PYC_HEADER_SIZE] = 'c', PX_FILENAME_MARK};
	const uint32_t at = PX_PYC_HEADER_SIZE + 1;
	struct px_buf b = {.max = PX_FRAME_MAX};
	struct px_frame_result r = {
		.id = t->id,
		.status = PX_FRAME_CODE,
		.name_at = at + off,
		.data = {data, at + 1 + t->source.size},
	};

	if (t->source.size > sizeof(data) - at - 1)
		_exit(8);
	memcpy(data + at + 1, t->source.data, t->source.size);
	if (px_frame_put_result(&b, &r) < 0)
		_exit(8);
	put_buf(&b);
}

/* The longest answer there may be. */
static void say_large(const struct px_frame_compile *t)
{
	const size_t fixed = 8 + 4 * 4 + 4; /* frame.h, of a result */
	const size_t compile =
		8 + 4 + 4 + 4 + 4 + t->co_filename.size + t->source.size;
	const size_t n = px_frame_result_max(compile) - fixed;
	struct px_frame_compile large = {.id = t->id};
	uint8_t *data = calloc(1, n);

	if (!data)
		_exit(8);
	large.source = (struct px_str){data, n};
	say_result(&large, t->id, PX_FRAME_CODE);
	free(data);
}

static _Noreturn void stall(void)
{
	for (;;)
		pause();
}

static int64_t cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void compute(int64_t ms)
{
	const int64_t until = cpu_ms() + ms;

	while (cpu_ms() < until)
		;
}

static void starve(void)
{
	for (int i = 0; i < 25; i++) {
		compute(10);
		usleep(20000);
	}
}

static bool is(const char *name, const char *what, const char **ret_file)
{
	const size_t n = strlen(what);

	if (strncmp(name, what, n) != 0 || !strchr(" .", name[n]))
		return false;
	*ret_file = name[n] ? name + n + 1 : "";
	return true;
}

static void misbehave(const char *name, const struct px_frame_compile *t)
{
	uint8_t raw[16] = {0};
	const char *file;

	if (is(name, "garbage", &file)) {
		memset(raw, 0xff, sizeof(raw));
		put(raw, sizeof(raw));
	} else if (is(name, "unknown", &file)) {
		raw[0] = 77;
		put(raw, 8);
	} else if (is(name, "huge", &file)) {
		raw[0] = PX_FRAME_RESULT;
		px_put_le32(raw + 4, PX_FRAME_MAX);
		put(raw, 16);
	} else if (is(name, "larger", &file)) {
		raw[0] = PX_FRAME_RESULT;
		px_put_le32(raw + 4, 200u << 20);
		put(raw, 16);
	} else if (is(name, "short", &file)) {
		raw[0] = PX_FRAME_RESULT;
		raw[4] = 5;
		put(raw, 13);
	} else if (is(name, "wrong-id", &file)) {
		say_result(t, t->id + 1, PX_FRAME_CODE);
	} else if (is(name, "hello", &file)) {
		say_hello("ok");
	} else if (is(name, "no-mark", &file)) {
		say_nameless(t, 1);
	} else if (is(name, "far-mark", &file)) {
		say_nameless(t, UINT32_MAX / 2);
	} else {
		fprintf(stderr, "fake compiler: what is '%s'?\n", name);
		_exit(7);
	}
	stall();
}

static void act(const struct px_frame_compile *t)
{
	char text[4096], *name = text;
	const char *file;
	size_t i;

	snprintf(text, sizeof(text), "%.*s", (int)t->co_filename.size,
		 (const char *)t->co_filename.data);
	for (i = 0; text[i] && text[i] != ' '; i++)
		if (text[i] == '/')
			name = text + i + 1;
	if (is(name, "die", &file)) {
		fputs("some talk\nlast words\n", stderr);
		_exit(5);
	}
	if (is(name, "signal", &file)) {
		signal(SIGABRT, SIG_DFL);
		raise(SIGABRT);
	}
	if (is(name, "stall", &file))
		stall();
	if (is(name, "spin", &file))
		compute(INT32_MAX);
	if (is(name, "work", &file) || is(name, "work-nameless", &file))
		compute(100);
	if (is(name, "starve", &file))
		starve();
	if (is(name, "die-once", &file)) {
		int fd = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);

		if (fd >= 0)
			_exit(6);
	}
	if (is(name, "wait", &file))
		while (access(file, F_OK) < 0)
			usleep(1000);
	if (is(name, "reject", &file))
		say_result(t, t->id, PX_FRAME_REJECTED);
	else if (is(name, "failed", &file))
		say_result(t, t->id, PX_FRAME_FAILED);
	else if (is(name, "large", &file))
		say_large(t);
	else if (is(name, "plain", &file))
		say_result(t, t->id, PX_FRAME_PLAIN);
	else if (is(name, "nameless", &file) ||
		 is(name, "work-nameless", &file))
		say_nameless(t, 0);
	else if (is(name, "echo", &file) || is(name, "wait", &file) ||
		 is(name, "die-once", &file) || is(name, "twice", &file) ||
		 is(name, "starve", &file) || is(name, "work", &file) ||
		 is(name, "quit", &file))
		say_result(t, t->id, PX_FRAME_CODE);
	else
		misbehave(name, t);
	if (is(name, "twice", &file))
		say_result(t, t->id, PX_FRAME_CODE);
	if (is(name, "quit", &file))
		_exit(0);
}

static void start(const char *how)
{
	struct px_frame_compile nothing = {0};
	uint8_t header[PX_FRAME_HEADER_SIZE];
	int i;

	if (strcmp(how, "slow") == 0)
		usleep(300000);
	if (strcmp(how, "garbage") == 0) {
		put("what is this?", 13);
		stall();
	}
	if (strcmp(how, "long-hello") == 0) {
		px_put_le32(header, PX_FRAME_HELLO);
		px_put_le32(header + 4, 5000);
		put(header, sizeof(header));
		stall();
	}
	if (strcmp(how, "result") == 0) {
		say_result(&nothing, 0, PX_FRAME_CODE);
		stall();
	}
	if (strcmp(how, "long-words") == 0)
		for (i = 0; i < 100; i++)
			fprintf(stderr, "configuration line %d\n", i);
	if (strcmp(how, "exit") == 0 || strcmp(how, "long-words") == 0) {
		fputs("the last words\n", stderr);
		_exit(3);
	}
	say_hello(how);
}

int main(int argc, char **argv)
{
	struct px_buf in = {.max = PX_FRAME_MAX};
	uint8_t header[PX_FRAME_HEADER_SIZE];
	struct px_frame_compile t;
	enum px_frame_type type;
	size_t length;

	if (argc < 3)
		return 2;
	start(argv[2]);
	while (px_read_full(SOCKET_FD, header, sizeof(header)) ==
	       (ssize_t)sizeof(header)) {
		in.size = 0;
		if (px_frame_get_header(header, &type, &length) < 0 ||
		    px_buf_reserve(&in, length) < 0 ||
		    px_read_full(SOCKET_FD, in.data, length) !=
			    (ssize_t)length ||
		    px_frame_get_compile(in.data, length, &t) < 0)
			return 1;
		act(&t);
	}
	px_buf_fini(&in);
	return 0;
}
