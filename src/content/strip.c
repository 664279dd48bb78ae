/* SPDX-License-Identifier: MIT */
#include "strip.h"

#include "mark.h"

#include "pycfs/log.h"

#include <pthread.h>

/* Part of every key of a stored outcome: raise it when files are stripped, or
 * judged, in another way.
 *
 *   note ::= u8 outcome, le64 size, le64 mark, digest of the result, reason
 */
#define FORMAT	  1
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
	char reason[PX_STRIP_REASON_SIZE]; /* if it is LEFT */
};

static void key_of(const struct px_strips *s, const struct px_fingerprint *fp,
		   uint8_t ret[PX_DIGEST_SIZE])
{
	const char *tools = px_strip_tools(s->o->strip);
	struct px_digest d;

	px_digest_init(&d);
	px_digest_u64(&d, "strip", FORMAT);
	px_digest_field(&d, "tools", tools, strlen(tools));
	px_fingerprint_add(&d, fp);
	px_digest_final(&d, ret);
}

static bool find_stored(const struct px_strips *s,
			const struct px_fingerprint *fp, struct outcome *ret)
{
	uint8_t key[PX_DIGEST_SIZE];
	struct px_blob *b;
	size_t n;

	key_of(s, fp, key);
	b = px_note_find(s->o->cache, key, NOTE_SIZE);
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

static void store(const struct px_strips *s, const struct px_fingerprint *fp,
		  const struct outcome *c)
{
	uint8_t note[NOTE_SIZE + PX_STRIP_REASON_SIZE], key[PX_DIGEST_SIZE];
	const size_t n = strlen(c->reason);

	note[0] = (uint8_t)c->what;
	px_put_le64(note + 1, c->shipped.size);
	px_put_le64(note + 9, c->shipped.mark);
	memcpy(note + 17, c->shipped.name, PX_DIGEST_SIZE);
	memcpy(note + NOTE_SIZE, c->reason, n);
	key_of(s, fp, key);
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

/* Strips the file once. 1: *st is of exactly the bytes that were stripped; 0:
 * it may not be, as the file changed meanwhile. *ret_fd is the result, or the
 * file as it is. */
static int make_once(const struct px_strips *s, const char *path,
		     struct px_stat *st, struct outcome *c, int *ret_fd)
{
	PX_AUTOCLOSE int fd = -1;
	PX_AUTOCLOSE int result = -1;
	struct px_stripped made = {.fd = -1};
	struct px_stat after;
	int r = px_tree_open_file(s->o->tree, path, &fd, st);

	if (r == 0)
		r = px_strip_file(s->o->strip, fd, &made);
	if (r < 0)
		return r;
	result = made.fd;
	*c = (struct outcome){.what = made.outcome, .shipped.size = made.size};
	memcpy(c->reason, made.reason, sizeof(c->reason));
	if (made.outcome == PX_STRIP_DONE)
		r = keep(s, result, c);
	else
		c->shipped = (struct px_shipped){0};
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
	if (r > 0 && !px_tree_young(&st->fp, read_at))
		store(s, &st->fp, c);
	return 0;
}

/* The outcome for a file of this state, from the cache, or by stripping it:
 * then *ret_fd is what is shipped, else -1. */
static int find_or_make(struct px_strips *s, const char *path,
			struct px_stat *st, struct outcome *c, int *ret_fd)
{
	int r = 0;

	*ret_fd = -1;
	if (find_stored(s, &st->fp, c))
		return 0;
	/* Whoever waits here most often waits for this very file. */
	pthread_mutex_lock(&s->lock);
	if (!find_stored(s, &st->fp, c))
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
	struct outcome c;
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
