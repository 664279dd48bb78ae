/* SPDX-License-Identifier: MIT */
#include "report_i.h"

#include <zlib.h>
#include <zstd.h>

/* The levels at which an export compresses (sink_archive.c). */
#define DEFLATE_LEVEL 6
#define ZSTD_LEVEL    9
#define CHUNK	      (1u << 18) /* bytes read or compressed at a time */
/* A stored note has le64 deflate_bytes, le64 zstd_bytes. */
#define NOTE_SIZE 16

struct px_meter {
	struct px_cache *cache;
	z_stream z;
	ZSTD_CCtx *zstd;
	uint8_t *in;  /* CHUNK */
	uint8_t *out; /* CHUNK */
};

int px_meter_new(struct px_cache *c, struct px_meter **ret)
{
	struct px_meter *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->cache = c;
	m->in = malloc(CHUNK);
	m->out = malloc(CHUNK);
	m->zstd = ZSTD_createCCtx();
	/* Negative: raw deflate as in a zip, without header and checksum. */
	if (!m->in || !m->out || !m->zstd ||
	    deflateInit2(&m->z, DEFLATE_LEVEL, Z_DEFLATED, -MAX_WBITS,
			 MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
		px_meter_free(m);
		return -ENOMEM;
	}
	ZSTD_CCtx_setParameter(m->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	*ret = m;
	return 0;
}

void px_meter_free(struct px_meter *m)
{
	if (!m)
		return;
	deflateEnd(&m->z);
	ZSTD_freeCCtx(m->zstd);
	free(m->in);
	free(m->out);
	free(m);
}

static void key_of(const uint8_t digest[PX_DIGEST_SIZE],
		   uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_field(&d, "compressed", digest, PX_DIGEST_SIZE);
	px_digest_u64(&d, "deflate", DEFLATE_LEVEL);
	px_digest_u64(&d, "zstd", ZSTD_LEVEL);
	px_digest_final(&d, ret);
}

static bool find_stored(struct px_meter *m, const uint8_t key[PX_DIGEST_SIZE],
			struct px_measure *ret)
{
	struct px_blob *b = px_note_find(m->cache, key, NOTE_SIZE);

	if (!b)
		return false;
	ret->deflate_bytes = px_get_le64(b->data);
	ret->zstd_bytes = px_get_le64(b->data + 8);
	px_blob_unref(b);
	return true;
}

static void store(struct px_meter *m, const uint8_t key[PX_DIGEST_SIZE],
		  const struct px_measure *what)
{
	uint8_t note[NOTE_SIZE];

	px_put_le64(note, what->deflate_bytes);
	px_put_le64(note + 8, what->zstd_bytes);
	px_note_put(m->cache, key, note, sizeof(note));
}

static int begin(struct px_meter *m, struct px_measure *sum)
{
	*sum = (struct px_measure){0};
	if (deflateReset(&m->z) != Z_OK)
		return -EIO;
	ZSTD_CCtx_reset(m->zstd, ZSTD_reset_session_only);
	return 0;
}

static int add(struct px_meter *m, const void *data, size_t n, bool last,
	       struct px_measure *sum)
{
	ZSTD_inBuffer in = {data, n, 0};
	size_t left;

	m->z.next_in = (uint8_t *)(uintptr_t)data;
	m->z.avail_in = (uInt)n;
	do {
		m->z.next_out = m->out;
		m->z.avail_out = CHUNK;
		if (deflate(&m->z, last ? Z_FINISH : Z_NO_FLUSH) ==
		    Z_STREAM_ERROR)
			return -EIO;
		sum->deflate_bytes += CHUNK - m->z.avail_out;
	} while (m->z.avail_out == 0);
	do {
		ZSTD_outBuffer out = {m->out, CHUNK, 0};

		left = ZSTD_compressStream2(m->zstd, &out, &in,
					    last ? ZSTD_e_end
						 : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		sum->zstd_bytes += out.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

int px_meter_bytes(struct px_meter *m, const void *data, size_t n,
		   struct px_measure *ret, uint8_t digest[PX_DIGEST_SIZE])
{
	const uint8_t *p = data;
	uint8_t key[PX_DIGEST_SIZE];
	struct px_digest d;
	size_t at = 0;
	int r;

	px_digest_init(&d);
	px_digest_field(&d, "bytes", data, n);
	px_digest_final(&d, digest);
	key_of(digest, key);
	if (find_stored(m, key, ret))
		return 0;
	r = begin(m, ret);
	while (r == 0) {
		const size_t piece = n - at < CHUNK ? n - at : CHUNK;

		/* Of an empty file `p` may be NULL. */
		r = add(m, piece ? p + at : (const uint8_t *)"", piece,
			at + piece == n, ret);
		at += piece;
		if (at == n)
			break;
	}
	if (r == 0)
		store(m, key, ret);
	return r;
}

/* Reads a file of `n` bytes to its end and hashes it. -ESTALE: it has another
 * size. */
static int digest_fd(struct px_meter *m, int fd, uint64_t n,
		     uint8_t digest[PX_DIGEST_SIZE])
{
	struct px_digest d;
	uint64_t done = 0;
	ssize_t got;

	px_digest_init(&d);
	do {
		got = px_read_full(fd, m->in, CHUNK);
		if (got < 0)
			return (int)got;
		px_digest_field(&d, "piece", m->in, (size_t)got);
		done += (uint64_t)got;
	} while (got == CHUNK);
	px_digest_final(&d, digest);
	return done == n ? 0 : -ESTALE;
}

int px_meter_fd(struct px_meter *m, int fd, uint64_t n, struct px_measure *ret,
		uint8_t digest[PX_DIGEST_SIZE])
{
	uint8_t key[PX_DIGEST_SIZE];
	uint64_t done = 0;
	ssize_t got;
	int r;

	if (n <= CHUNK) {
		got = px_read_full(fd, m->in, CHUNK);
		if (got < 0)
			return (int)got;
		return (uint64_t)got == n ? px_meter_bytes(m, m->in, (size_t)n,
							   ret, digest)
					  : -ESTALE;
	}
	r = digest_fd(m, fd, n, digest);
	if (r < 0)
		return r;
	key_of(digest, key);
	if (find_stored(m, key, ret))
		return 0;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = begin(m, ret);
	while (r == 0 && done < n) {
		got = px_read_full(fd, m->in, CHUNK);
		if (got <= 0)
			return got < 0 ? (int)got : -ESTALE;
		done += (uint64_t)got;
		r = add(m, m->in, (size_t)got, done >= n, ret);
	}
	if (r == 0)
		store(m, key, ret);
	return r;
}
