/* SPDX-License-Identifier: MIT */
#ifndef PX_FRAME_H
#define PX_FRAME_H
/*
 * What the pool and a compile worker say to each other over a stream socket:
 *
 *   W -> P   hello              once, when Python is ready
 *   P -> W   compile            more before the first is answered, if they are
 *                               small
 *   W -> P   result             the same id, in the same order
 *   ...      until P closes the socket
 *
 *   frame    ::= le32 type, le32 length, length bytes of payload
 *   hello    ::= le32 protocol, le32 magic, le32 hexversion,
 *                le32 sandboxed, str version
 *   compile  ::= le64 id, u8 optimize, u8 mode, u8 canonical, u8 0,
 *                le32 mtime, str co_filename, str source
 *   result   ::= le64 id, le32 status, le32 line, le32 column, str data
 *   str      ::= le32 length, that many bytes
 *
 * A payload is exactly its fields: anything missing, left over or out of range
 * is -EBADMSG. Decoded strings point into the payload and live as long.
 * Bytes in, bytes out: no descriptors.
 */

#include "pycfs/pyc.h"
#include "pycfs/util.h"

#define PX_FRAME_PROTOCOL    2
#define PX_FRAME_HEADER_SIZE 8
/* A frame's payload. Sources and code objects are far smaller; what is larger
 * is refused before it is sent. */
#define PX_FRAME_MAX (1u << 30)
/* A hello's payload; its version is a line of some 60 bytes. */
#define PX_FRAME_HELLO_MAX 4096

enum px_frame_type {
	PX_FRAME_HELLO = 1,
	PX_FRAME_COMPILE = 2,
	PX_FRAME_RESULT = 3,
};

struct px_str {
	const uint8_t *data;
	size_t size;
};

struct px_frame_hello {
	uint32_t protocol;
	uint32_t magic;	       /* le32 of importlib.util.MAGIC_NUMBER */
	uint32_t hexversion;   /* sys.hexversion */
	bool sandboxed;	       /* behind a filter of system calls */
	struct px_str version; /* sys.version, UTF-8 */
};

struct px_frame_compile {
	uint64_t id;
	unsigned optimize; /* 0, 1 or 2 */
	enum px_pyc_mode mode;
	bool canonical; /* rewrite the bytecode as marshal.h says */
	uint32_t mtime; /* for the header in timestamp mode, else 0 */
	struct px_str co_filename; /* file system bytes, no NUL, not empty */
	struct px_str source;
};

enum px_frame_status {
	PX_FRAME_CODE = 0,     /* data is a whole .pyc */
	PX_FRAME_REJECTED = 1, /* the compiler refused: data is the message */
	PX_FRAME_PLAIN = 3,    /* as CODE, but in CPython's own bytes: it has
				* something the canonical form does not know */
	PX_FRAME_FAILED = 2,   /* memory or a limit ran out: may be retried */
};

struct px_frame_result {
	uint64_t id;
	enum px_frame_status status;
	uint32_t line;	 /* from 1; 0 unknown */
	uint32_t column; /* from 1; 0 unknown */
	struct px_str data;
};

/* Append a whole frame, header included. -EFBIG, -ENOMEM; on failure the
 * buffer is as it was. */
int px_frame_put_hello(struct px_buf *b, const struct px_frame_hello *h);
int px_frame_put_compile(struct px_buf *b, const struct px_frame_compile *c);
int px_frame_put_result(struct px_buf *b, const struct px_frame_result *r);

/* Decode the eight bytes before a payload. -EBADMSG for an unknown type or a
 * length over PX_FRAME_MAX. */
int px_frame_get_header(const uint8_t data[PX_FRAME_HEADER_SIZE],
			enum px_frame_type *ret_type, size_t *ret_length);

/* How many bytes the payload of a result may have, for a compile frame's
 * payload of so many: what a worker says beyond is no answer. */
size_t px_frame_result_max(size_t compile_size);

int px_frame_get_hello(const uint8_t *p, size_t n, struct px_frame_hello *ret);
int px_frame_get_compile(const uint8_t *p, size_t n,
			 struct px_frame_compile *ret);
int px_frame_get_result(const uint8_t *p, size_t n,
			struct px_frame_result *ret);

#endif
