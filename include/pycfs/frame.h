/* SPDX-License-Identifier: MIT */
#ifndef PX_FRAME_H
#define PX_FRAME_H
/*
 * The protocol between the pool (P) and a compile worker (W), over a stream
 * socket:
 *
 *   W -> P   hello     once, when the worker's Python is ready
 *   P -> W   compile   more small ones may follow before the first is answered
 *   W -> P   result    with the id of its compile, in the order of the compiles
 *   ...      until P closes the socket
 *
 *   frame    ::= le32 type, le32 length, length bytes of payload
 *   hello    ::= le32 protocol, le32 magic, le32 hexversion,
 *                le32 sandboxed, str version, str canary
 *   compile  ::= le64 id, u8 optimize, u8 mode, u8 canonical, u8 0,
 *                le32 mtime, str co_filename, str source
 *   result   ::= le64 id, le32 status, le32 line, le32 column, le32 name_at,
 *                str data
 *   str      ::= le32 length, that many bytes
 *
 * A payload consists of exactly its fields: if one is missing or out of range,
 * or if bytes are left over, the decoder returns -EBADMSG. Decoded strings
 * point into the payload and are valid only as long as it is.
 *
 * Threads: any. This module encodes and decodes buffers; it does no I/O and
 * never blocks.
 */

#include "pycfs/pyc.h"
#include "pycfs/util.h"

#define PX_FRAME_PROTOCOL    4
#define PX_FRAME_HEADER_SIZE 8
/* The maximum size of a frame's payload, in bytes. Real sources and code
 * objects are far smaller; anything larger is refused before it is sent. */
#define PX_FRAME_MAX (1u << 30)
/* The maximum size of a hello's payload, in bytes. The version in it is a line
 * of about 60 bytes, the canary 16. */
#define PX_FRAME_HELLO_MAX 4096

enum px_frame_type {
	PX_FRAME_HELLO = 1,
	PX_FRAME_COMPILE = 2,
	PX_FRAME_RESULT = 3,
};

/* Bytes that are borrowed from elsewhere, without a NUL at the end. */
struct px_str {
	const uint8_t *data;
	size_t size;
};

struct px_frame_hello {
	uint32_t protocol;
	uint32_t magic;	       /* importlib.util.MAGIC_NUMBER as le32 */
	uint32_t hexversion;   /* sys.hexversion */
	bool sandboxed;	       /* a seccomp filter is active */
	struct px_str version; /* sys.version, UTF-8 */
	struct px_str canary;  /* px_python.canary */
};

struct px_frame_compile {
	uint64_t id;
	/* For the pool, and not sent: modules of different groups share no
	 * worker, if the pool is to keep them apart. Not 0 then. */
	uint64_t group;
	unsigned optimize; /* 0, 1 or 2 */
	enum px_pyc_mode mode;
	bool canonical; /* make it canonical (marshal.h), without its name */
	/* seconds, for the .pyc header in timestamp mode; else 0 */
	uint32_t mtime;
	struct px_str co_filename; /* file system encoding, no NUL, not empty */
	struct px_str source;
};

enum px_frame_status {
	PX_FRAME_CODE = 0, /* the data is a .pyc */
	/* The compiler rejected the source; the data is its message. */
	PX_FRAME_REJECTED = 1,
	/* Like PX_FRAME_CODE, but as CPython marshalled it, because the
	 * canonical form does not support something in it. */
	PX_FRAME_PLAIN = 3,
	/* The worker ran out of memory or hit a limit. A retry may succeed. */
	PX_FRAME_FAILED = 2,
};

struct px_frame_result {
	uint64_t id;
	enum px_frame_status status;
	uint32_t line;	 /* from 1; 0 if not available */
	uint32_t column; /* from 1; 0 if not available */
	/* Where in the data of a canonical .pyc the mark is that stands for
	 * co_filename (filename.h); 0: there is none. Not checked here. */
	uint32_t name_at;
	struct px_str data;
};

/* These append a whole frame, header included. They return 0, -EFBIG if the
 * payload is larger than PX_FRAME_MAX or the buffer would exceed its maximum,
 * or -ENOMEM. On failure the buffer is unchanged. */
int px_frame_put_hello(struct px_buf *b, const struct px_frame_hello *h);
int px_frame_put_compile(struct px_buf *b, const struct px_frame_compile *c);
int px_frame_put_result(struct px_buf *b, const struct px_frame_result *r);

/* Decodes the eight bytes in front of a payload; *ret_length is the payload's
 * size in bytes. Returns 0, or -EBADMSG for an unknown type or a length over
 * PX_FRAME_MAX. */
int px_frame_get_header(const uint8_t data[PX_FRAME_HEADER_SIZE],
			enum px_frame_type *ret_type, size_t *ret_length);

/* Returns the maximum size in bytes of a result's payload, given the payload
 * size of its compile frame. The pool treats a larger result as a failure of
 * the worker. */
size_t px_frame_result_max(size_t compile_size);

/* These decode a payload of `n` bytes. They return 0, or -EBADMSG if it is
 * malformed, and then *ret is unchanged. Strings in *ret point into `p`. */
int px_frame_get_hello(const uint8_t *p, size_t n, struct px_frame_hello *ret);
int px_frame_get_compile(const uint8_t *p, size_t n,
			 struct px_frame_compile *ret);
int px_frame_get_result(const uint8_t *p, size_t n,
			struct px_frame_result *ret);

#endif
