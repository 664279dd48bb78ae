/* SPDX-License-Identifier: MIT */
#include "mark.h"

#include "attr.h"

/* Part of every key of a stored mark: raise it when marks are made in another
 * way. */
#define FORMAT 1
/* A mark in the cache: le64. */
#define NOTE_SIZE 8
/* How much of a file is read at a time, in bytes. */
#define CHUNK (256u << 10)
/* How often a file is read again because it changed while it was read. */
#define MAX_TRIES 3

/* Times differ by whole steps: a zip keeps times in units of two seconds. There
 * are 2^23 of them, which is 194 days. */
#define STEP	2 /* seconds */
#define N_STEPS (1ll << 23)

uint64_t px_mark_bytes(const void *data, size_t n)
{
	uint8_t sum[PX_CHECKSUM_SIZE];

	px_checksum(data, n, sum);
	return px_get_le64(sum);
}

uint64_t px_mark_with_name(uint64_t mark, const char *name)
{
	return px_hash64(mark, name, strlen(name));
}

static int64_t even_epoch(const struct px_content_options *o)
{
	return o->mtime > PX_ATTR_EARLIEST ? o->mtime / STEP * STEP
					   : PX_ATTR_EARLIEST;
}

bool px_mark_goes_up(const struct px_content_options *o)
{
	return o->mtime_by_content &&
	       even_epoch(o) - STEP * (N_STEPS - 1) < PX_ATTR_EARLIEST;
}

int64_t px_mark_time(const struct px_content_options *o, uint64_t mark)
{
	const int64_t away = STEP * (int64_t)(mark % N_STEPS);

	return px_mark_goes_up(o) ? even_epoch(o) + away : even_epoch(o) - away;
}

static void key_of(const struct px_fingerprint *fp, uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "mark", FORMAT);
	px_fingerprint_add(&d, fp);
	px_digest_final(&d, ret);
}

static bool find_stored(struct px_cache *c, const struct px_fingerprint *fp,
			uint64_t *ret)
{
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *b;

	key_of(fp, key);
	b = px_note_find(c, key, NOTE_SIZE);
	if (b)
		*ret = px_get_le64(b->data);
	px_blob_unref(b);
	return b != NULL;
}

static void store(struct px_cache *c, const struct px_fingerprint *fp,
		  uint64_t mark)
{
	uint8_t key[PX_DIGEST_SIZE], note[NOTE_SIZE];

	key_of(fp, key);
	px_put_le64(note, mark);
	px_note_put(c, key, note, sizeof(note));
}

int px_mark_fd(int fd, uint64_t *ret)
{
	PX_AUTOFREE uint8_t *buffer = malloc(CHUNK);
	uint8_t sum[PX_CHECKSUM_SIZE];
	struct px_checksum state;
	off_t at = 0;
	ssize_t n;

	if (!buffer)
		return -ENOMEM;
	px_checksum_init(&state);
	do {
		n = px_pread_full(fd, buffer, CHUNK, at);
		if (n < 0)
			return (int)n;
		at += n;
		px_checksum_update(&state, buffer, (size_t)n);
	} while (n == CHUNK);
	px_checksum_final(&state, sum);
	*ret = px_get_le64(sum);
	return 0;
}

/* Reads the file. 1: *st is of exactly the bytes that were read; 0: it may not
 * be, as the file changed meanwhile. */
static int read_once(const struct px_content_options *o, const char *path,
		     struct px_stat *st, uint64_t *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat after;
	int r = px_tree_open_file(o->tree, path, &fd, st);

	if (r == 0)
		r = px_mark_fd(fd, ret);
	if (r == 0)
		r = px_tree_stat_file(o->tree, path, &after);
	return r < 0 ? r : px_fingerprint_equal(&st->fp, &after.fp);
}

int px_mark_file(const struct px_content_options *o, const char *path,
		 struct px_stat *st, uint64_t *ret)
{
	struct px_stat read = *st;
	int64_t read_at = 0;
	int r = 0;

	if (find_stored(o->cache, &st->fp, ret))
		return 0;
	for (int i = 0; i < MAX_TRIES && r == 0; i++) {
		read_at = px_wall_ns();
		r = read_once(o, path, &read, ret);
	}
	if (r == -EACCES || r == -EPERM) {
		*ret = 0;
		return 0;
	}
	if (r < 0)
		return r;
	*st = read;
	if (r > 0 && !px_tree_young(&st->fp, read_at))
		store(o->cache, &st->fp, *ret);
	return 0;
}
