/* SPDX-License-Identifier: MIT */
#include "strip.h"

#include "mark.h"

#include "pycfs/log.h"

#include <pthread.h>

/* Part of every key of a stored outcome: raise it when files are stripped, or
 * judged, in another way.
 *
 * There is one for the fingerprint of a file, and one for its bytes, so that a
 * file that was installed anew is not stripped again.
 *
 *   note ::= u8 outcome, le64 size, le64 mark, digest of the result, reason
 */
#define FORMAT	  2
#define NOTE_SIZE (1 + 8 + 8 + PX_DIGEST_SIZE)
/* How often a file is read again because it changed while it was read. */
#define MAX_TRIES 3

struct px_strips {
	const struct px_content_options *o;
	struct px_said *said;
	pthread_mutex_t lock; /* held while a file is stripped */
};

int px_strips_new(const struct px_content_options *o, struct px_said *said,
		  struct px_strips **ret)
{
	struct px_strips *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->o = o;
	s->said = said;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void px_strips_free(struct px_strips *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Without a rule: a shared library, libX.so.1.2 included. */
static bool is_library(const char *path)
{
	const char *name = path + px_path_parent_length(path);

	return px_ends_in(name, ".so") || strstr(name, ".so.");
}

static bool is_wanted(const struct px_strips *s, const char *path)
{
	return s->o->strip &&
	       px_rules_strip(s->o->rules, path,
			      s->o->strip_all && is_library(path));
}

/* ---------------------------------------------------------------- outcomes */

struct outcome {
	enum px_strip_outcome what;
	struct px_shipped shipped;
	bool may_pass;			   /* as px_stripped.may_pass */
	char reason[PX_STRIP_REASON_SIZE]; /* if it is LEFT */
};

static void begin_key(const struct px_strips *s, struct px_digest *d)
{
	const char *tools = px_strip_tools(s->o->strip);

	px_digest_init(d);
	px_digest_u64(d, "strip", FORMAT);
	px_digest_field(d, "tools", tools, strlen(tools));
}

static void key_of_file(const struct px_strips *s,
			const struct px_fingerprint *fp,
			uint8_t ret[PX_DIGEST_SIZE])
{
	struct px_digest d;

	begin_key(s, &d);
	px_fingerprint_add(&d, fp);
	px_digest_final(&d, ret);
}

static int key_of_bytes(const struct px_strips *s, int fd,
			uint8_t ret[PX_DIGEST_SIZE])
{
	uint8_t name[PX_DIGEST_SIZE] = {0};
	struct px_digest d;
	int r = px_cache_name_file(fd, name);

	begin_key(s, &d);
	px_digest_field(&d, "bytes", name, sizeof(name));
	px_digest_final(&d, ret);
	return r;
}

static bool find_stored(const struct px_strips *s,
			const uint8_t key[PX_DIGEST_SIZE], struct outcome *ret)
{
	struct px_blob *b = px_note_find(s->o->cache, key, NOTE_SIZE);
	size_t n;

	if (!b)
		return false;
	*ret = (struct outcome){
		.what = (enum px_strip_outcome)b->data[0],
		.shipped.stripped = b->data[0] == PX_STRIP_DONE,
		.shipped.size = px_get_le64(b->data + 1),
		.shipped.mark = px_get_le64(b->data + 9),
	};
	memcpy(ret->shipped.name, b->data + 17, PX_DIGEST_SIZE);
	n = b->size - NOTE_SIZE;
	if (n >= sizeof(ret->reason))
		n = sizeof(ret->reason) - 1;
	memcpy(ret->reason, b->data + NOTE_SIZE, n);
	px_blob_unref(b);
	return true;
}

static void store(const struct px_strips *s, const uint8_t key[PX_DIGEST_SIZE],
		  const struct outcome *c)
{
	uint8_t note[NOTE_SIZE + PX_STRIP_REASON_SIZE];
	const size_t n = strlen(c->reason);

	if (c->may_pass)
		return;
	note[0] = (uint8_t)c->what;
	px_put_le64(note + 1, c->shipped.size);
	px_put_le64(note + 9, c->shipped.mark);
	memcpy(note + 17, c->shipped.name, PX_DIGEST_SIZE);
	memcpy(note + NOTE_SIZE, c->reason, n);
	px_note_put(s->o->cache, key, note, NOTE_SIZE + n);
}

/* Keeps the result that is open as `fd`. */
static int keep(const struct px_strips *s, int fd, struct outcome *c)
{
	int r = px_mark_fd(fd, &c->shipped.mark);

	if (r == 0)
		r = px_cache_put_file(s->o->cache, fd, c->shipped.name);
	c->shipped.stripped = r == 0;
	return r;
}

/* Strips a copy. *ret_fd is the result, if there is one. */
static int strip_copy(const struct px_strips *s, int copy, struct outcome *c,
		      int *ret_fd)
{
	struct px_stripped made = {.fd = -1};
	int r = px_strip_file(s->o->strip, copy, &made);

	if (r < 0)
		return r;
	*ret_fd = made.fd;
	*c = (struct outcome){.what = made.outcome, .may_pass = made.may_pass};
	memcpy(c->reason, made.reason, sizeof(c->reason));
	if (made.outcome != PX_STRIP_DONE)
		return 0;
	c->shipped.size = made.size;
	return keep(s, made.fd, c);
}

/* The outcome for what is open as `fd`: known already of such bytes, or new. */
static int find_or_strip(const struct px_strips *s, int fd, struct outcome *c,
			 int *ret_fd)
{
	PX_AUTOCLOSE int copy = -1;
	uint8_t key[PX_DIGEST_SIZE];
	int r = px_strip_concerns(fd);

	*c = (struct outcome){.what = PX_STRIP_NOTHING};
	if (r <= 0)
		return r;
	r = px_strip_copy(fd, &copy);
	if (r == -EFBIG) {
		c->what = PX_STRIP_LEFT;
		strcpy(c->reason, "it is larger than 512 MiB");
		return 0;
	}
	if (r == 0)
		r = key_of_bytes(s, copy, key);
	if (r < 0)
		return r;
	if (find_stored(s, key, c) &&
	    (!c->shipped.stripped ||
	     px_cache_open_file(s->o->cache, c->shipped.name, ret_fd) == 0))
		return 0;
	r = strip_copy(s, copy, c, ret_fd);
	if (r == 0)
		store(s, key, c);
	return r;
}

/* Does that for a file. 1: *st is of exactly the bytes that were read; 0: it
 * may not be, as the file changed meanwhile. *ret_fd is the result, or the file
 * as it is. */
static int make_once(const struct px_strips *s, const char *path,
		     struct px_stat *st, struct outcome *c, int *ret_fd)
{
	PX_AUTOCLOSE int fd = -1;
	PX_AUTOCLOSE int result = -1;
	struct px_stat after;
	int r = px_tree_open_file(s->o->tree, path, &fd, st);

	if (r == 0)
		r = find_or_strip(s, fd, c, &result);
	if (r == 0)
		r = px_tree_stat_file(s->o->tree, path, &after);
	if (r < 0)
		return r;
	*ret_fd = px_steal_fd(result >= 0 ? &result : &fd);
	return px_fingerprint_equal(&st->fp, &after.fp);
}

/* Strips the file and stores the outcome. *ret_fd is the caller's. */
static int make(struct px_strips *s, const char *path, struct px_stat *st,
		struct outcome *c, int *ret_fd)
{
	uint8_t key[PX_DIGEST_SIZE];
	int64_t read_at = 0;
	int r = 0;

	for (int i = 0; i < MAX_TRIES && r == 0; i++) {
		if (*ret_fd >= 0)
			close(px_steal_fd(ret_fd));
		read_at = px_wall_ns();
		r = make_once(s, path, st, c, ret_fd);
	}
	if (r < 0)
		return r;
	if (r > 0 && !px_tree_young(&st->fp, read_at)) {
		key_of_file(s, &st->fp, key);
		store(s, key, c);
	}
	return 0;
}

/* The outcome for a file of this state, from the cache, or by stripping it:
 * then *ret_fd is what is shipped, else -1. */
static int find_or_make(struct px_strips *s, const char *path,
			struct px_stat *st, struct outcome *c, int *ret_fd)
{
	uint8_t key[PX_DIGEST_SIZE];
	int r = 0;

	*c = (struct outcome){.what = PX_STRIP_NOTHING};
	*ret_fd = -1;
	key_of_file(s, &st->fp, key);
	if (find_stored(s, key, c))
		return 0;
	/* Whoever waits here most often waits for this very file. */
	pthread_mutex_lock(&s->lock);
	if (!find_stored(s, key, c))
		r = make(s, path, st, c, ret_fd);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void tell(const struct px_strips *s, const char *path,
		 const struct outcome *c)
{
	if (c->what == PX_STRIP_LEFT &&
	    px_said_first_time(s->said, path, PX_SAID_NOT_STRIPPED))
		px_log(PX_LOG_WARNING, "%s: not stripped: %s", path, c->reason);
}

int px_strips_get(struct px_strips *s, const char *path, struct px_stat *st,
		  struct px_shipped *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct outcome c = {.what = PX_STRIP_NOTHING};
	int r = is_wanted(s, path) ? find_or_make(s, path, st, &c, &fd) : 0;

	if (r == -EACCES || r == -EPERM)
		r = 0;
	if (r < 0)
		return r;
	tell(s, path, &c);
	*ret = c.shipped;
	return 0;
}

int px_strips_open(struct px_strips *s, const char *path, bool known,
		   int *ret_fd, struct px_stat *ret_st, uint64_t *ret_size)
{
	PX_AUTOCLOSE int fd = -1;
	PX_AUTOCLOSE int result = -1;
	struct outcome c = {.what = PX_STRIP_NOTHING};
	int r = (known ? px_tree_open_known
		       : px_tree_open_file)(s->o->tree, path, &fd, ret_st);

	if (r == 0 && is_wanted(s, path)) {
		r = find_or_make(s, path, ret_st, &c, &result);
		if (r == 0 && c.shipped.stripped && result < 0)
			r = px_cache_open_file(s->o->cache, c.shipped.name,
					       &result);
		/* It was evicted, or could not be stored. */
		if (r == -ENOENT) {
			pthread_mutex_lock(&s->lock);
			r = make(s, path, ret_st, &c, &result);
			pthread_mutex_unlock(&s->lock);
		}
		if (r < 0)
			return r;
		tell(s, path, &c);
		*ret_size =
			c.shipped.stripped ? c.shipped.size : ret_st->fp.size;
		*ret_fd = px_steal_fd(result >= 0 ? &result : &fd);
		return 0;
	}
	if (r < 0)
		return r;
	*ret_size = ret_st->fp.size;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}
