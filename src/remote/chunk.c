/* SPDX-License-Identifier: MIT */
#include "pycfs/chunk.h"

#include <zstd.h>

#define LEVEL	     3 /* of zstd: what is slower saves little of code objects */

#define MAGIC	     0x31435850u /* "PXC1" */
#define AT_ID	     4
#define AT_COUNT     (AT_ID + PX_SIGNER_ID_SIZE)
#define AT_RAW_SIZE  (AT_COUNT + 4)
#define AT_SIGNATURE (AT_RAW_SIZE + 8)

static const char domain[13] = "pycfs chunk 1"; /* no NUL */

/* What is signed. */
#define SIGNED_SIZE (sizeof(domain) + PX_DIGEST_SIZE + 4 + 8 + PX_DIGEST_SIZE)

bool px_chunk_ends(const px_chunk_key key)
{
	return px_get_le32(key) % 32 == 0;
}

void px_chunk_name(const px_chunk_key *keys, size_t n,
		   uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "chunk", PX_CHUNK_FORMAT);
	px_digest_field(&d, "keys", keys, n * sizeof(keys[0]));
	px_digest_final(&d, ret);
}

static void make_signed(const px_chunk_key *keys, size_t n, uint64_t raw_size,
			const uint8_t *frame, size_t frame_size,
			uint8_t ret[SIGNED_SIZE])
{
	struct px_digest d;
	uint8_t *p = ret;

	memcpy(p, domain, sizeof(domain));
	p += sizeof(domain);
	px_chunk_name(keys, n, p);
	p += PX_DIGEST_SIZE;
	px_put_le32(p, (uint32_t)n);
	px_put_le64(p + 4, raw_size);
	p += 12;
	px_digest_init(&d);
	px_digest_field(&d, "frame", frame, frame_size);
	px_digest_final(&d, p);
}

/* --------------------------------------------------------------- encoding */

static int add_blob(struct px_buf *raw, const px_chunk_key key,
		    const struct px_blob *b)
{
	uint8_t header[PX_BLOB_STORED_HEADER];
	int r;

	if (!b)
		return px_buf_add_le32(raw, 0);
	if (b->size > PX_CHUNK_RAW_MAX)
		return -EFBIG;
	px_blob_header(b, key, header);
	r = px_buf_add_le32(raw, (uint32_t)(sizeof(header) + b->size));
	if (r == 0)
		r = px_buf_add(raw, header, sizeof(header));
	return r == 0 ? px_buf_add(raw, b->data, b->size) : r;
}

/* Compresses into `out`, behind what it has. */
static int add_frame(struct px_buf *out, const struct px_buf *raw)
{
	const size_t most = ZSTD_compressBound(raw->size);
	size_t n;
	int r = px_buf_reserve(out, most);

	if (r < 0)
		return r;
	n = ZSTD_compress(out->data + out->size, most, raw->data, raw->size,
			  LEVEL);
	if (ZSTD_isError(n))
		return -ENOMEM;
	out->size += n;
	return 0;
}

int px_chunk_encode(const struct px_secret *s, const px_chunk_key *keys,
		    struct px_blob *const *blobs, size_t n, struct px_buf *ret)
{
	PX_AUTO(px_buf_fini) struct px_buf raw = {.max = PX_CHUNK_RAW_MAX};
	uint8_t header[PX_CHUNK_HEADER_SIZE] = {0}, text[SIGNED_SIZE];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_blob(&raw, keys[i], blobs[i]);
	*ret = (struct px_buf){.max = PX_CHUNK_OBJECT_MAX};
	if (r == 0)
		r = px_buf_add(ret, header, sizeof(header));
	if (r == 0)
		r = add_frame(ret, &raw);
	if (r < 0) {
		px_buf_fini(ret);
		return r;
	}
	px_put_le32(ret->data, MAGIC);
	memcpy(ret->data + AT_ID, s->signer.id, PX_SIGNER_ID_SIZE);
	px_put_le32(ret->data + AT_COUNT, (uint32_t)n);
	px_put_le64(ret->data + AT_RAW_SIZE, raw.size);
	make_signed(keys, n, raw.size, ret->data + sizeof(header),
		    ret->size - sizeof(header), text);
	px_sign(s, text, sizeof(text), ret->data + AT_SIGNATURE);
	return 0;
}

/* --------------------------------------------------------------- decoding */

/* Whether the signer has signed these bytes as the chunk of these keys. */
static bool is_genuine(const struct px_signer *signer, const px_chunk_key *keys,
		       size_t n, const uint8_t *data, size_t size)
{
	uint8_t text[SIGNED_SIZE];

	if (size < PX_CHUNK_HEADER_SIZE || px_get_le32(data) != MAGIC ||
	    memcmp(data + AT_ID, signer->id, PX_SIGNER_ID_SIZE) != 0 ||
	    px_get_le32(data + AT_COUNT) != n)
		return false;
	make_signed(keys, n, px_get_le64(data + AT_RAW_SIZE),
		    data + PX_CHUNK_HEADER_SIZE, size - PX_CHUNK_HEADER_SIZE,
		    text);
	return px_signed_by(signer, text, sizeof(text), data + AT_SIGNATURE);
}

/* Takes the next blob from the front of what is left. */
static int take_blob(const px_chunk_key key, const uint8_t **p, size_t *left,
		     struct px_blob **ret)
{
	uint32_t size;
	int r = 0;

	if (*left < 4)
		return -EBADMSG;
	size = px_get_le32(*p);
	*p += 4;
	*left -= 4;
	if (size > *left)
		return -EBADMSG;
	if (size > 0)
		r = px_blob_decode(key, *p, size, ret);
	if (r == 0 && *ret && (*ret)->kind != PX_BLOB_CODE &&
	    (*ret)->kind != PX_BLOB_REJECTED)
		r = -EBADMSG;
	*p += size;
	*left -= size;
	return r;
}

static int take_blobs(const px_chunk_key *keys, size_t n, const uint8_t *raw,
		      size_t size, struct px_blob **ret)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = take_blob(keys[i], &raw, &size, &ret[i]);
	return r == 0 && size > 0 ? -EBADMSG : r;
}

/* Whether the frame is one, is all there is, and says this size. */
static bool is_one_frame(const uint8_t *frame, size_t n, uint64_t raw_size)
{
	return raw_size <= PX_CHUNK_RAW_MAX &&
	       ZSTD_getFrameContentSize(frame, n) == raw_size &&
	       ZSTD_findFrameCompressedSize(frame, n) == n;
}

int px_chunk_decode(const struct px_signer *signer, const px_chunk_key *keys,
		    size_t n, const uint8_t *data, size_t size,
		    struct px_blob **ret)
{
	const uint8_t *frame = data + PX_CHUNK_HEADER_SIZE;
	PX_AUTOFREE uint8_t *raw = NULL;
	uint64_t raw_size;
	int r;

	if (!is_genuine(signer, keys, n, data, size))
		return -EKEYREJECTED;
	size -= PX_CHUNK_HEADER_SIZE;
	raw_size = px_get_le64(data + AT_RAW_SIZE);
	if (!is_one_frame(frame, size, raw_size))
		return -EBADMSG;
	raw = malloc(raw_size + 1);
	if (!raw)
		return -ENOMEM;
	if (ZSTD_decompress(raw, raw_size, frame, size) != raw_size)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		ret[i] = NULL;
	r = take_blobs(keys, n, raw, raw_size, ret);
	for (size_t i = 0; i < n && r < 0; i++)
		px_blob_unref(PX_STEAL(ret[i]));
	return r;
}
