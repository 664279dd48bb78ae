/* SPDX-License-Identifier: MIT */
#include "pycfs/frame.h"

/* The fixed part of each payload, length prefixes of strings included. */
#define HELLO_FIXED   (4 * 4 + 4 + 4)
#define COMPILE_FIXED (8 + 1 + 1 + 2 + 4 + 4 + 4)
#define RESULT_FIXED  (8 + 4 * 4 + 4)

/* The part of a payload that is still to be decoded. When a field is missing,
 * `bad` is set for good, and that field and every later one read as zero. */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	static const uint8_t zeros[8];
	const uint8_t *p = c->p;

	if (c->bad || n > c->left) {
		c->bad = true;
		return zeros;
	}
	c->p += n;
	c->left -= n;
	return p;
}

static uint32_t take_u32(struct cursor *c)
{
	return px_get_le32(take(c, 4));
}

static struct px_str take_str(struct cursor *c)
{
	size_t n = take_u32(c);
	const uint8_t *p = take(c, n);

	return (struct px_str){p, c->bad ? 0 : n};
}

static int finish(const struct cursor *c)
{
	return c->bad || c->left > 0 ? -EBADMSG : 0;
}

/* Writes the frame header and reserves room for the whole payload, so that
 * nothing after it can fail. */
static int begin(struct px_buf *b, enum px_frame_type type, size_t fixed,
		 size_t n1, size_t n2)
{
	size_t length;
	int r;

	if (n1 > PX_FRAME_MAX || n2 > PX_FRAME_MAX)
		return -EFBIG;
	length = fixed + n1 + n2;
	if (length > PX_FRAME_MAX)
		return -EFBIG;
	r = px_buf_reserve(b, PX_FRAME_HEADER_SIZE + length);
	if (r < 0)
		return r;
	px_buf_add_le32(b, type);
	px_buf_add_le32(b, (uint32_t)length);
	return 0;
}

static void add_str(struct px_buf *b, const struct px_str *s)
{
	px_buf_add_le32(b, (uint32_t)s->size);
	px_buf_add(b, s->data, s->size);
}

int px_frame_put_hello(struct px_buf *b, const struct px_frame_hello *h)
{
	int r = begin(b, PX_FRAME_HELLO, HELLO_FIXED, h->version.size,
		      h->canary.size);

	if (r < 0)
		return r;
	px_buf_add_le32(b, h->protocol);
	px_buf_add_le32(b, h->magic);
	px_buf_add_le32(b, h->hexversion);
	px_buf_add_le32(b, h->sandboxed);
	add_str(b, &h->version);
	add_str(b, &h->canary);
	return 0;
}

int px_frame_put_compile(struct px_buf *b, const struct px_frame_compile *c)
{
	uint8_t small[4] = {(uint8_t)c->optimize, (uint8_t)c->mode,
			    c->canonical, 0};
	int r = begin(b, PX_FRAME_COMPILE, COMPILE_FIXED, c->co_filename.size,
		      c->source.size);

	if (r < 0)
		return r;
	px_buf_add_le64(b, c->id);
	px_buf_add(b, small, sizeof(small));
	px_buf_add_le32(b, c->mtime);
	add_str(b, &c->co_filename);
	add_str(b, &c->source);
	return 0;
}

int px_frame_put_result(struct px_buf *b, const struct px_frame_result *r)
{
	int err = begin(b, PX_FRAME_RESULT, RESULT_FIXED, r->data.size, 0);

	if (err < 0)
		return err;
	px_buf_add_le64(b, r->id);
	px_buf_add_le32(b, r->status);
	px_buf_add_le32(b, r->line);
	px_buf_add_le32(b, r->column);
	px_buf_add_le32(b, r->name_at);
	add_str(b, &r->data);
	return 0;
}

int px_frame_get_header(const uint8_t data[PX_FRAME_HEADER_SIZE],
			enum px_frame_type *ret_type, size_t *ret_length)
{
	uint32_t type = px_get_le32(data);
	uint32_t length = px_get_le32(data + 4);

	if (type < PX_FRAME_HELLO || type > PX_FRAME_RESULT ||
	    length > PX_FRAME_MAX)
		return -EBADMSG;
	*ret_type = (enum px_frame_type)type;
	*ret_length = length;
	return 0;
}

size_t px_frame_result_max(size_t compile_size)
{
	/* For ordinary code, the bytecode is seldom more than twice as large as
	 * the source. The worst case seen with CPython 3.8-3.13 is 70 times, in
	 * a file with nothing but empty generic classes. A few lines can exceed
	 * every bound with constants that the compiler multiplies out (it
	 * allows 4096 characters) or with nested `finally` blocks; such a
	 * module fails. */
	const size_t fixed = 16u << 20, factor = 64;

	if (compile_size > (PX_FRAME_MAX - fixed) / factor)
		return PX_FRAME_MAX;
	return fixed + factor * compile_size;
}

int px_frame_get_hello(const uint8_t *p, size_t n, struct px_frame_hello *ret)
{
	struct cursor c = {p, n, false};
	struct px_frame_hello h;
	uint32_t sandboxed;
	int r;

	h.protocol = take_u32(&c);
	h.magic = take_u32(&c);
	h.hexversion = take_u32(&c);
	sandboxed = take_u32(&c);
	h.version = take_str(&c);
	h.canary = take_str(&c);
	r = finish(&c);
	if (r < 0)
		return r;
	if (sandboxed > 1)
		return -EBADMSG;
	h.sandboxed = sandboxed;
	*ret = h;
	return 0;
}

static bool is_pyc_mode(unsigned mode)
{
	return mode == PX_PYC_TIMESTAMP || mode == PX_PYC_UNCHECKED_HASH ||
	       mode == PX_PYC_CHECKED_HASH;
}

static bool is_file_name(const struct px_str *s)
{
	return s->size > 0 && !memchr(s->data, '\0', s->size);
}

int px_frame_get_compile(const uint8_t *p, size_t n,
			 struct px_frame_compile *ret)
{
	struct cursor c = {p, n, false};
	struct px_frame_compile f;
	const uint8_t *small;
	int r;

	f.id = px_get_le64(take(&c, 8));
	small = take(&c, 4);
	f.optimize = small[0];
	f.mode = (enum px_pyc_mode)small[1];
	f.canonical = small[2] == 1;
	f.mtime = take_u32(&c);
	f.co_filename = take_str(&c);
	f.source = take_str(&c);
	r = finish(&c);
	if (r < 0)
		return r;
	if (f.optimize > 2 || !is_pyc_mode(small[1]) || small[2] > 1 ||
	    small[3] || !is_file_name(&f.co_filename))
		return -EBADMSG;
	*ret = f;
	return 0;
}

int px_frame_get_result(const uint8_t *p, size_t n, struct px_frame_result *ret)
{
	struct cursor c = {p, n, false};
	struct px_frame_result f;
	uint32_t status;
	int r;

	f.id = px_get_le64(take(&c, 8));
	status = take_u32(&c);
	f.line = take_u32(&c);
	f.column = take_u32(&c);
	f.name_at = take_u32(&c);
	f.data = take_str(&c);
	r = finish(&c);
	if (r < 0)
		return r;
	if (status > PX_FRAME_PLAIN)
		return -EBADMSG;
	f.status = (enum px_frame_status)status;
	*ret = f;
	return 0;
}
