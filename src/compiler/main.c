/* SPDX-License-Identifier: MIT */
/*
 * pycfs-compiler, the worker: compiles the sources that it is sent, with the
 * Python that it was started for, and can reach nothing else. The pool starts
 * it with a socket as descriptor 3. With --probe it only prints what the Python
 * is, with --self-test what the sandbox refuses; with --confine it runs what
 * `pycfs check` tries (confine.h), with --tool what strips (tool.h).
 */
#include "confine.h"
#include "py.h"
#include "sandbox.h"
#include "tool.h"

#include "pycfs/marshal.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>

#define SOCKET_FD  3
#define KEPT_BYTES (32 << 20) /* of free memory; the most that glibc allows */

struct worker {
	struct py *py;
	struct px_buf in;   /* the payload of the compile frame */
	struct px_buf out;  /* the frame that is sent */
	struct px_buf code; /* the canonical .pyc */
};

static int usage(void)
{
	fputs("usage: pycfs-compiler --libpython FILE [--home DIR] "
	      "[--debug-ranges] [--compileall] [--analyse]\n"
	      "                      [--cpu SECONDS] [--probe]\n"
	      "       LD_PRELOAD=pycfs-compiler.so PYTHON --interpreter PYTHON "
	      "...\n"
	      "       pycfs-compiler --self-test\n"
	      "       pycfs-compiler --confine DIR [--memory BYTES] "
	      "[--seconds N] PROGRAM...\n"
	      "       pycfs-compiler --confine-probe\n"
	      "       pycfs-compiler --tool -- PROGRAM...\n"
	      "Started by pycfs; compiles frames from descriptor 3. "
	      "--self-test shows\nwhat the sandbox keeps it from.\n",
	      stderr);
	return 2;
}

/* The same lines as probe.py prints for an interpreter. */
static void print_probe(const struct py *py, const struct py_options *o)
{
	struct px_frame_hello hello;

	px_py_describe(py, &hello);
	printf("pycfs\ncpython\n%u\n%u\n%s\n%s\n%s\n%s\n%s\n%s\n", hello.magic,
	       hello.hexversion, (const char *)hello.version.data,
	       px_py_cache_tag(py), (const char *)hello.canary.data,
	       o->home ? o->home : "", o->libpython ? o->libpython : "",
	       o->interpreter ? o->interpreter : "");
}

static int send_hello(struct worker *w, bool sandboxed)
{
	struct px_frame_hello hello;
	int r;

	px_py_describe(w->py, &hello);
	hello.sandboxed = sandboxed;
	r = px_frame_put_hello(&w->out, &hello);
	if (r < 0)
		return r;
	return px_write_full(SOCKET_FD, w->out.data, w->out.size);
}

/* Receives one compile frame: 1 with its payload in w->in, 0 if the pool has
 * closed the socket, or -errno. */
static int receive(struct worker *w)
{
	uint8_t header[PX_FRAME_HEADER_SIZE];
	enum px_frame_type type;
	size_t length;
	ssize_t n;
	int r;

	n = px_read_full(SOCKET_FD, header, sizeof(header));
	if (n != (ssize_t)sizeof(header))
		return n < 0 ? (int)n : 0;
	r = px_frame_get_header(header, &type, &length);
	if (r < 0 || type != PX_FRAME_COMPILE)
		return -EBADMSG;
	w->in.size = 0;
	r = px_buf_reserve(&w->in, length);
	if (r < 0)
		return r;
	n = px_read_full(SOCKET_FD, w->in.data, length);
	if (n != (ssize_t)length)
		return n < 0 ? (int)n : -EBADMSG;
	w->in.size = length;
	return 1;
}

/* Replaces the .pyc that CPython wrote by its canonical form, without its
 * co_filename. If that is not possible, the result is PLAIN and CPython's. */
static int make_canonical(struct worker *w, struct px_frame_result *result)
{
	const struct px_str *pyc = &result->data;
	struct px_frame_hello hello;
	size_t name_at = 0;
	int r;

	px_py_describe(w->py, &hello);
	w->code.size = 0;
	r = px_buf_add(&w->code, pyc->data, PX_PYC_HEADER_SIZE);
	if (r == 0)
		r = px_marshal_nameless(hello.magic,
					pyc->data + PX_PYC_HEADER_SIZE,
					pyc->size - PX_PYC_HEADER_SIZE,
					&w->code, &name_at, NULL);
	if (r == -EBADMSG || r == -EPROTONOSUPPORT) {
		result->status = PX_FRAME_PLAIN;
		return 0;
	}
	result->data = (struct px_str){w->code.data, w->code.size};
	result->name_at = (uint32_t)name_at;
	return r;
}

static int put_failed(struct worker *w, uint64_t id, const char *text)
{
	const struct px_frame_result result = {
		.id = id,
		.status = PX_FRAME_FAILED,
		.data = {(const uint8_t *)text, strlen(text)},
	};

	w->out.size = 0;
	return px_frame_put_result(&w->out, &result);
}

static int answer(struct worker *w)
{
	const size_t max =
		px_frame_result_max(w->in.size) + PX_FRAME_HEADER_SIZE;
	struct px_frame_compile task;
	struct px_frame_result result;
	int r;

	r = px_frame_get_compile(w->in.data, w->in.size, &task);
	if (r < 0)
		return r;
	r = px_py_compile(w->py, &task, &result);
	if (r == 0 && task.canonical && result.status == PX_FRAME_CODE)
		r = make_canonical(w, &result);
	w->out.size = 0;
	if (r < 0)
		r = put_failed(w, task.id, "out of memory while compiling");
	else
		r = px_frame_put_result(&w->out, &result);
	if (r == -EFBIG || w->out.size > max)
		r = put_failed(w, task.id,
			       "what it compiles to is too large for a source "
			       "of its size");
	if (r < 0)
		return r;
	return px_write_full(SOCKET_FD, w->out.data, w->out.size);
}

/* Frees a buffer that a huge module has made huge. */
static void trim(struct px_buf *b)
{
	const size_t max = b->max;

	if (b->capacity < 4u << 20)
		return;
	px_buf_fini(b);
	*b = (struct px_buf){.max = max};
}

/* Makes malloc keep what one module has freed for the next one: to return it to
 * the kernel and ask for it again costs a page fault for each page. That of
 * musl cannot be told. */
static void keep_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	mallopt(M_TOP_PAD, KEPT_BYTES / 16);
#endif
}

static int serve(struct worker *w, bool sandboxed)
{
	int r = send_hello(w, sandboxed);

	while (r >= 0) {
		r = receive(w);
		if (r <= 0)
			break;
		r = answer(w);
		trim(&w->in);
		trim(&w->out);
		trim(&w->code);
	}
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"libpython", required_argument, NULL, 'l'},
		{"interpreter", required_argument, NULL, 'i'},
		{"home", required_argument, NULL, 'h'},
		{"debug-ranges", no_argument, NULL, 'd'},
		{"compileall", no_argument, NULL, 'c'},
		{"analyse", no_argument, NULL, 'a'},
		{"cpu", required_argument, NULL, 'u'},
		{"probe", no_argument, NULL, 'p'},
		{"self-test", no_argument, NULL, 's'},
		{"confine", required_argument, NULL, 'C'},
		{"keep", no_argument, NULL, 'k'},
		{"memory", required_argument, NULL, 'm'},
		{"seconds", required_argument, NULL, 't'},
		{"confine-probe", no_argument, NULL, 'P'},
		{"tool", no_argument, NULL, 'T'},
		{NULL, 0, NULL, 0},
	};
	struct worker w = {.in = {.max = PX_FRAME_MAX},
			   .out = {.max = PX_FRAME_MAX},
			   .code = {.max = PX_FRAME_MAX}};
	struct py_options o = {0};
	struct px_confine confine = {.memory = UINT64_MAX, .seconds = 60};
	struct px_why why;
	unsigned cpu_seconds = 0;
	bool probe = false, tool = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			o.libpython = optarg;
			break;
		case 'i':
			o.interpreter = optarg;
			break;
		case 'h':
			o.home = optarg;
			break;
		case 'd':
			o.debug_ranges = true;
			break;
		case 'c':
			o.compileall = true;
			break;
		case 'a':
			o.analyse = true;
			break;
		case 'u':
			cpu_seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			probe = true;
			break;
		case 's':
			return px_sandbox_self_test();
		case 'C':
			confine.scratch = optarg;
			break;
		case 'k':
			confine.keep = true;
			break;
		case 'm':
			confine.memory = strtoull(optarg, NULL, 10);
			break;
		case 't':
			confine.seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'P':
			return px_confine_probe();
		case 'T':
			tool = true;
			break;
		default:
			return usage();
		}
	}
	if (tool && optind < argc)
		return px_tool_become(argv + optind);
	if (confine.scratch && optind < argc)
		return px_confine_run(&confine, argv + optind);
	if (!o.libpython == !o.interpreter || optind != argc)
		return usage();
	px_sandbox_go_first();
	/* Descriptors that whoever started pycfs left open do not concern us.
	 */
	px_close_others(probe ? SOCKET_FD : SOCKET_FD + 1, NULL, 0);
	if (chdir("/") < 0) {
		perror("chdir /");
		return 1;
	}
	r = px_py_start(&o, &w.py, &why);
	if (r < 0) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	if (probe) {
		print_probe(w.py, &o);
		return 0;
	}
	keep_memory();
	r = px_sandbox_enter(cpu_seconds, &why);
	if (r < 0 && r != -ENOTSUP) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	r = serve(&w, r == 0);
	/* Not exit(), which would finalise Python: needless work. */
	_exit(r < 0 ? 1 : 0);
}
