/* SPDX-License-Identifier: MIT */
/*
 * How large a layer is as one compressed archive, which is what a registry or a
 * Lambda layer's download has, and how large what it is compared with.
 *
 * Each distribution is five streams: modules as they ship; as the recipe has
 * them (recipe.c), if that is not the same; their sources; these
 * with what pip has in __pycache__, which shares many a text with them; and
 * other files, which all three have, but for those that are stripped in the
 * layer only. A stream is a tar in all but its times.
 * Sums of these differ by some per cent from what one archive would have, as
 * gzip looks back 32 KiB only, and zstd at this level 2 MiB; and so a
 * distribution that has not changed need not be read again.
 */
#include "others.h"

#include <pthread.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

/* What image builders take unless they are told otherwise. */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3
#define CHUNK	   (1u << 18) /* bytes read or compressed at a time */
/* A larger file is not compressed once more by deflate: by itself it takes as
 * much. Bytes. */
#define LARGE	    (1u << 20)
#define MAX_THREADS 16
#define TICK_MS	    100
/* Raise it when something is measured otherwise. */
#define NOTE_FORMAT 4
#define BLOCK	    512u /* POSIX.1-1988, "ustar interchange format" */

enum stream {
	SHIPPED,
	RECIPE,
	SOURCES,
	PIP,
	OTHERS,
	N_STREAMS
};

/* A stored note has these of each stream, le64. */
struct sums {
	struct px_report_archive of[N_STREAMS];
};
#define NOTE_SIZE (N_STREAMS * 16)

struct packer {
	z_stream z;
	ZSTD_CCtx *zstd;
};

struct packing {
	const struct px_report_options *o;
	struct px_report *r;
	size_t *order; /* files, by distribution, then as in the report */
	size_t *first; /* by distribution: where in `order` it begins */
	_Atomic size_t next;
	_Atomic bool stop;
	pthread_mutex_t lock;
	struct sums sums; /* protected by `lock`, like `err` */
	int err;
};

/* What one thread has. */
struct hand {
	struct packing *p;
	bool apart; /* the recipe has other bytes than the layer */
	struct packer packer[N_STREAMS];
	uint8_t *in, *out; /* CHUNK each */
	struct sums sums;  /* of the distribution at hand */
};

/* ------------------------------------------------------------- compressing */

static void packer_fini(struct packer *p)
{
	deflateEnd(&p->z);
	ZSTD_freeCCtx(p->zstd);
}

static int packer_init(struct packer *p)
{
	p->zstd = ZSTD_createCCtx();
	/* 16 more: with gzip's header (zlib.h, deflateInit2). */
	if (!p->zstd ||
	    deflateInit2(&p->z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16,
			 MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	return 0;
}

static int add_gzip(struct hand *h, enum stream s, const void *data, size_t n,
		    bool last)
{
	z_stream *z = &h->packer[s].z;

	z->next_in = (uint8_t *)(uintptr_t)data;
	z->avail_in = (uInt)n;
	do {
		z->next_out = h->out;
		z->avail_out = CHUNK;
		if (deflate(z, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return -EIO;
		h->sums.of[s].gzip += CHUNK - z->avail_out;
	} while (z->avail_out == 0);
	return 0;
}

static int add_zstd(struct hand *h, enum stream s, const void *data, size_t n,
		    bool last)
{
	ZSTD_inBuffer in = {data, n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {h->out, CHUNK, 0};

		left = ZSTD_compressStream2(h->packer[s].zstd, &out, &in,
					    last ? ZSTD_e_end
						 : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		h->sums.of[s].zstd += out.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

static int add(struct hand *h, enum stream s, const void *data, size_t n)
{
	const uint8_t *p = data;
	int r = 0;

	while (n > 0 && r == 0) {
		const size_t piece = n < CHUNK ? n : CHUNK;

		r = add_gzip(h, s, p, piece, false);
		if (r == 0)
			r = add_zstd(h, s, p, piece, false);
		p += piece;
		n -= piece;
	}
	return r;
}

static int add_header(struct hand *h, enum stream s, const char *path,
		      uint64_t size)
{
	static const struct {
		size_t at;
		const char *text;
	} fields[] = {
		{100, "0000644"},     /* mode */
		{108, "0000000"},     /* uid */
		{116, "0000000"},     /* gid */
		{136, "00000000000"}, /* mtime */
		{148, "        "},    /* the sum, for its own computation */
		{156, "0"},	      /* a file */
		{257, "ustar"},	      /* magic */
		{263, "00"},	      /* version */
	};
	/* A longer name would be in a record of its own. */
	const size_t n = strnlen(path, 100);
	uint8_t block[BLOCK] = {0};
	char number[16];
	unsigned sum = 0;

	memcpy(block, path, n);
	for (size_t i = 0; i < PX_ARRAY_LEN(fields); i++)
		memcpy(block + fields[i].at, fields[i].text,
		       strlen(fields[i].text));
	snprintf(number, sizeof(number), "%011llo",
		 (unsigned long long)(size & 0x1FFFFFFFF));
	memcpy(block + 124, number, 11);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += block[i];
	snprintf(number, sizeof(number), "%06o", sum & 0777777);
	memcpy(block + 148, number, 6);
	return add(h, s, block, sizeof(block));
}

static int add_padding(struct hand *h, enum stream s, uint64_t size)
{
	static const uint8_t zeros[BLOCK];

	return add(h, s, zeros, (size_t)(BLOCK - size % BLOCK) % BLOCK);
}

static int add_member(struct hand *h, enum stream s, const char *path,
		      const void *data, size_t n)
{
	int r = add_header(h, s, path, n);

	if (r == 0)
		r = add(h, s, data, n);
	return r < 0 ? r : add_padding(h, s, n);
}

/* ------------------------------------------------------------------- files */

static int add_shipped(struct hand *h, const struct px_report_file *f,
		       enum stream s)
{
	struct px_blob *blob = NULL;
	int r = px_report_ask(h->p->o->content, f->source, f->kind, &blob);

	if (r == 0)
		r = blob ? add_member(h, s, f->path, blob->data, blob->size)
			 : -ESTALE;
	px_blob_unref(blob);
	return r;
}

/* Adds the module as the recipe has it, if that is a stream of its own. */
static int add_recipe(struct hand *h, const struct px_report_file *f,
		      const struct px_buf *source)
{
	const struct px_report_options *o = h->p->o;
	PX_AUTO(px_buf_fini) struct px_buf code = {.max = SIZE_MAX};
	int r;

	if (!h->apart)
		return 0;
	if (px_report_is_as_recipe(o, f, f->source))
		return add_shipped(h, f, RECIPE);
	r = px_report_recipe_bytes(o, f, source, &code);
	return r < 0 ? r : add_member(h, RECIPE, f->path, code.data, code.size);
}

static int add_module(struct hand *h, const struct px_report_file *f)
{
	const struct px_report_options *o = h->p->o;
	PX_AUTO(px_buf_fini) struct px_buf source = {.max = o->max_source};
	PX_AUTO(px_buf_fini) struct px_buf cached = {.max = SIZE_MAX};
	struct px_stat st;
	int r = add_shipped(h, f, SHIPPED);

	if (r == 0)
		r = px_tree_read(o->tree, f->source, &source, &st);
	if (r == 0)
		r = add_recipe(h, f, &source);
	/* A source that is kept is a file of its own. */
	if (r == 0 && f->kind == PX_KIND_MODULE)
		r = add_member(h, SOURCES, f->source, source.data, source.size);
	if (r == 0)
		r = px_report_pycache_bytes(o, f, &source, &st, &cached);
	return r < 0 ? r
		     : add_member(h, PIP, f->path, cached.data, cached.size);
}

/* Adds the source to what pip has. */
static int add_source(struct hand *h, const struct px_report_file *f)
{
	const struct px_report_options *o = h->p->o;
	PX_AUTO(px_buf_fini) struct px_buf source = {.max = o->max_source};
	struct px_stat st;
	int r = px_tree_read(o->tree, f->source, &source, &st);

	return r < 0 ? r
		     : add_member(h, PIP, f->source, source.data, source.size);
}

/* Adds what is left to read of a file of `size` bytes. Where it is known what
 * it takes when deflate compresses it by itself, it is not done once more. */
static int add_open(struct hand *h, enum stream s, const char *path, int fd,
		    uint64_t size, uint64_t deflated)
{
	uint64_t left = size;
	int r = add_header(h, s, path, size);

	h->sums.of[s].gzip += deflated;
	while (r == 0 && left > 0) {
		const ssize_t got = px_read_full(fd, h->in, CHUNK);

		if (got <= 0 || (uint64_t)got > left)
			return got < 0 ? (int)got : -ESTALE;
		left -= (uint64_t)got;
		r = deflated ? add_zstd(h, s, h->in, (size_t)got, false)
			     : add(h, s, h->in, (size_t)got);
	}
	return r < 0 ? r : add_padding(h, s, size);
}

/* Adds a file to a stream: as it ships, or as it is in the source. */
static int add_to(struct hand *h, const struct px_report_file *f, enum stream s,
		  bool ships)
{
	const struct px_report_options *o = h->p->o;
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	uint64_t size;
	int r;

	if (ships) {
		r = px_content_open(o->content, f->source, false, &fd, &st,
				    &size);
	} else {
		r = px_tree_open_file(o->tree, f->source, &fd, &st);
		size = st.fp.size;
	}
	if (r == 0 && size != f->bytes + (ships ? 0 : f->saved_bytes))
		r = -ESTALE;
	return r < 0 ? r
		     : add_open(h, s, f->path, fd, size,
				ships && size > LARGE ? f->deflate_bytes : 0);
}

/* Adds a file that is no module. A source that is kept is not in the recipe,
 * and what is stripped is larger in the source. */
static int add_file(struct hand *h, const struct px_report_file *f)
{
	const bool is_source = px_ends_in(f->source, ".py");
	int r;

	if (f->kind == PX_KIND_LINK)
		return add_header(h, OTHERS, f->path, f->bytes);
	if (!is_source && f->saved_bytes == 0)
		return add_to(h, f, OTHERS, true);
	r = add_to(h, f, SHIPPED, true);
	if (r == 0 && h->apart && !is_source)
		r = add_to(h, f, RECIPE, true);
	if (r == 0)
		r = add_to(h, f, SOURCES, false);
	return r < 0 ? r : add_to(h, f, PIP, false);
}

static int pack_file(struct hand *h, const struct px_report_file *f)
{
	if (f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT)
		return add_module(h, f);
	return f->kind == PX_KIND_RECORD ? add_shipped(h, f, OTHERS)
					 : add_file(h, f);
}

/* ----------------------------------------------------------- distributions */

static void key_of(const struct packing *p, size_t dist,
		   uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "packed", NOTE_FORMAT);
	px_digest_u64(&d, "gzip", GZIP_LEVEL);
	px_digest_u64(&d, "zstd", ZSTD_LEVEL);
	for (size_t i = p->first[dist]; i < p->first[dist + 1]; i++) {
		const struct px_report_file *f = &p->r->files[p->order[i]];

		px_digest_field(&d, "path", f->path, strlen(f->path));
		px_digest_u64(&d, "kind", f->kind);
		px_digest_field(&d, "bytes", f->digest, PX_DIGEST_SIZE);
		px_digest_field(&d, "source", f->source_digest, PX_DIGEST_SIZE);
		px_digest_u64(&d, "pycache", f->pycache.bytes);
		px_digest_u64(&d, "saved", f->saved_bytes);
		px_digest_u64(&d, "recipe", f->recipe.bytes);
	}
	px_digest_final(&d, ret);
}

static bool find_stored(struct hand *h, const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_blob *b = px_note_find(h->p->o->cache, key, NOTE_SIZE);

	if (!b)
		return false;
	for (size_t s = 0; s < N_STREAMS; s++)
		h->sums.of[s] = (struct px_report_archive){
			px_get_le64(b->data + 16 * s),
			px_get_le64(b->data + 16 * s + 8)};
	px_blob_unref(b);
	return true;
}

static void store(struct hand *h, const uint8_t key[PX_DIGEST_SIZE])
{
	uint8_t note[NOTE_SIZE];

	for (size_t s = 0; s < N_STREAMS; s++) {
		px_put_le64(note + 16 * s, h->sums.of[s].gzip);
		px_put_le64(note + 16 * s + 8, h->sums.of[s].zstd);
	}
	px_note_put(h->p->o->cache, key, note, sizeof(note));
}

/* Whether two files have one directory. */
static bool are_beside(const char *a, const char *b)
{
	const size_t n = (size_t)(px_path_name(a) - a);

	return n == (size_t)(px_path_name(b) - b) && strncmp(a, b, n) == 0;
}

/* Packs the files from *at on that have one directory, of those before `end`.
 * In a tar of what pip installs its __pycache__ comes before most of its
 * sources: gzip does not look back from one to the other. */
static int pack_run(struct hand *h, size_t *at, size_t end)
{
	const struct packing *p = h->p;
	const struct px_report_file *files = p->r->files;
	const size_t from = *at;
	int r = 0;

	for (; *at < end && r == 0; ++*at) {
		const struct px_report_file *f = &files[p->order[*at]];

		if (!are_beside(files[p->order[from]].source, f->source))
			break;
		r = p->stop ? -ECANCELED : pack_file(h, f);
	}
	for (size_t i = from; i < *at && r == 0; i++)
		if (files[p->order[i]].kind == PX_KIND_MODULE)
			r = add_source(h, &files[p->order[i]]);
	return r;
}

/* Whether the recipe has other modules than the layer, of those from `at` on
 * and before `end`. */
static bool is_apart(const struct packing *p, size_t at, size_t end)
{
	for (; at < end; at++) {
		const struct px_report_file *f = &p->r->files[p->order[at]];
		const bool is_module =
			f->kind == PX_KIND_MODULE || f->kind == PX_KIND_KEPT;

		if (is_module ? !px_report_is_as_recipe(p->o, f, f->source)
			      : px_ends_in(f->source, ".py"))
			return true;
	}
	return false;
}

static int pack_dist(struct hand *h, size_t dist)
{
	const struct packing *p = h->p;
	uint8_t key[PX_DIGEST_SIZE];
	int r = 0;

	h->sums = (struct sums){0};
	key_of(p, dist, key);
	if (find_stored(h, key))
		return 0;
	for (size_t s = 0; s < N_STREAMS; s++) {
		if (deflateReset(&h->packer[s].z) != Z_OK)
			return -EIO;
		ZSTD_CCtx_reset(h->packer[s].zstd, ZSTD_reset_session_only);
	}
	h->apart = is_apart(p, p->first[dist], p->first[dist + 1]);
	for (size_t i = p->first[dist]; i < p->first[dist + 1] && r == 0;)
		r = pack_run(h, &i, p->first[dist + 1]);
	for (size_t s = 0; s < N_STREAMS && r == 0; s++) {
		r = add_gzip(h, (enum stream)s, "", 0, true);
		if (r == 0)
			r = add_zstd(h, (enum stream)s, "", 0, true);
	}
	if (!h->apart)
		h->sums.of[RECIPE] = h->sums.of[SHIPPED];
	if (r == 0)
		store(h, key);
	return r;
}

static void take_sums(struct packing *p, const struct hand *h, int err)
{
	pthread_mutex_lock(&p->lock);
	if (err < 0 && p->err == 0)
		p->err = err;
	for (size_t s = 0; s < N_STREAMS && err == 0; s++) {
		p->sums.of[s].gzip += h->sums.of[s].gzip;
		p->sums.of[s].zstd += h->sums.of[s].zstd;
	}
	pthread_mutex_unlock(&p->lock);
	if (err < 0)
		p->stop = true;
}

static void *pack_some(void *arg)
{
	struct hand h = {.p = arg};
	int r = 0;

	h.in = malloc(CHUNK);
	h.out = malloc(CHUNK);
	for (size_t s = 0; s < N_STREAMS && r == 0; s++)
		r = packer_init(&h.packer[s]);
	if (!h.in || !h.out || r < 0)
		take_sums(h.p, &h, -ENOMEM);
	while (!h.p->stop) {
		const size_t dist = atomic_fetch_add(&h.p->next, 1);

		if (dist >= h.p->r->n_dists)
			break;
		take_sums(h.p, &h, pack_dist(&h, dist));
	}
	for (size_t s = 0; s < N_STREAMS; s++)
		packer_fini(&h.packer[s]);
	free(h.in);
	free(h.out);
	return NULL;
}

/* ----------------------------------------------------------------- running */

/* Puts the files in order of their distributions. */
static int put_in_order(struct packing *p)
{
	const struct px_report *r = p->r;
	PX_AUTOFREE size_t *at = NULL;

	p->order = calloc(r->n_files + 1, sizeof(*p->order));
	p->first = calloc(r->n_dists + 2, sizeof(*p->first));
	if (!p->order || !p->first)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_files; i++)
		p->first[r->files[i].dist + 1]++;
	for (size_t d = 0; d < r->n_dists; d++)
		p->first[d + 1] += p->first[d];
	at = calloc(r->n_dists + 1, sizeof(*at));
	if (!at)
		return -ENOMEM;
	memcpy(at, p->first, r->n_dists * sizeof(*at));
	for (size_t i = 0; i < r->n_files; i++)
		p->order[at[r->files[i].dist]++] = i;
	return 0;
}

static void add_up(struct px_report_archive *to,
		   const struct px_report_archive *more)
{
	to->gzip += more->gzip;
	to->zstd += more->zstd;
}

static void sum_up(const struct sums *s, struct px_report_packed *ret)
{
	*ret = (struct px_report_packed){s->of[OTHERS], s->of[OTHERS],
					 s->of[OTHERS], s->of[OTHERS]};
	add_up(&ret->layer, &s->of[SHIPPED]);
	add_up(&ret->recipe, &s->of[RECIPE]);
	add_up(&ret->sources, &s->of[SOURCES]);
	add_up(&ret->pip, &s->of[PIP]);
}

int px_report_pack(struct px_report *r, const struct px_report_options *o)
{
	struct packing p = {.o = o, .r = r, .lock = PTHREAD_MUTEX_INITIALIZER};
	const unsigned want = o->jobs < MAX_THREADS ? o->jobs : MAX_THREADS;
	pthread_t threads[MAX_THREADS];
	unsigned n = 0;
	int err = put_in_order(&p);

	while (err == 0 && n < want) {
		err = px_thread_start(&threads[n], pack_some, &p);
		n += err == 0;
	}
	if (err < 0)
		p.stop = true;
	for (unsigned i = 0; i < n; i++)
		while (!px_thread_ended(threads[i], TICK_MS))
			if (!o->tick(o->tick_arg, r->n_files))
				take_sums(&p, NULL, -ECANCELED);
	sum_up(&p.sums, &r->packed);
	pthread_mutex_destroy(&p.lock);
	free(p.order);
	free(p.first);
	return err < 0 ? err : p.err;
}
