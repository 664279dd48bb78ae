/* SPDX-License-Identifier: MIT */
/*
 * The public entry. It puts the parts together and decides which of them a
 * question is for; the parts do not know it, or each other unless their headers
 * say so.
 */
#include "ahead.h"
#include "attr.h"
#include "dirs.h"
#include "key.h"
#include "mark.h"
#include "module.h"
#include "plan.h"
#include "record.h"
#include "room.h"
#include "said.h"
#include "share.h"
#include "strip.h"
#include "verdict.h"

#include "pycfs/log.h"

#include <limits.h>

/* Bytes of the largest source that fits into a frame to a worker, with its
 * co_filename and what the frame has beside the two. */
#define MAX_SOURCE (PX_FRAME_MAX - PATH_MAX - 64)

struct px_content {
	struct px_content_options o;
	struct px_keys *keys;
	struct px_said *said;
	struct px_strips *strips;
	struct px_room *room;
	struct px_dirs *dirs;
	struct px_plan *plan; /* NULL: no remote */
	struct px_flights *flights;
	struct px_modules modules;
	struct px_records *records;
	struct px_ahead *ahead;
};

/* Nobody waits for a module before px_content_new has returned, so `ahead` is
 * there. */
static void on_waited(void *arg, const char *path)
{
	struct px_content *c = arg;

	px_ahead_touch(c->ahead, path);
}

/* Makes the parts, from the ground up. -errno: some are there. */
static int make_parts(struct px_content *c)
{
	int r = px_keys_new(&c->o, &c->keys);

	if (r == 0)
		r = px_said_new(&c->said);
	if (r == 0)
		r = px_strips_new(&c->o, c->said, &c->strips);
	if (r == 0)
		r = px_dirs_new(&c->o, c->said, &c->dirs);
	if (r == 0)
		r = px_room_new(c->o.in_flight, &c->room);
	if (r == 0)
		r = px_plan_new(
			&(struct px_plan_options){
				.o = &c->o,
				.keys = c->keys,
				.dirs = c->dirs,
			},
			&c->plan);
	if (r == 0)
		r = px_flights_new(
			&(struct px_flights_options){
				.o = &c->o,
				.keys = c->keys,
				.said = c->said,
				.room = c->room,
				.plan = c->plan,
				.on_waited = on_waited,
				.arg = c,
			},
			&c->flights);
	c->modules = (struct px_modules){
		.o = &c->o,
		.keys = c->keys,
		.said = c->said,
		.flights = c->flights,
	};
	if (r == 0)
		r = px_records_new(
			&(struct px_records_options){
				.o = &c->o,
				.said = c->said,
				.dirs = c->dirs,
				.modules = &c->modules,
				.strips = c->strips,
			},
			&c->records);
	if (r == 0)
		r = px_ahead_new(
			&(struct px_ahead_options){
				.o = &c->o,
				.dirs = c->dirs,
				.modules = &c->modules,
				.room = c->room,
				.plan = c->plan,
			},
			&c->ahead);
	return r;
}

/* Builders that know an epoch set later times back to it. */
static void warn_of_times(const struct px_content_options *o)
{
	if (px_mark_goes_up(o))
		px_log(PX_LOG_WARNING,
		       "--mtime content: no time can be before 1980, so the "
		       "times of files are not before SOURCE_DATE_EPOCH (%lld) "
		       "but after it: a builder that sets later times back to "
		       "it makes them all equal again, so use one after "
		       "332310014 (1980-07-13)",
		       (long long)o->mtime);
}

int px_content_new(const struct px_content_options *o, struct px_content **ret)
{
	struct px_content *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	if (!o->cache_tag)
		c->o.cache_tag = o->python->cache_tag;
	if (o->max_source == 0 || o->max_source > MAX_SOURCE)
		c->o.max_source = MAX_SOURCE;
	r = make_parts(c);
	if (r < 0) {
		px_content_free(c);
		return r;
	}
	warn_of_times(&c->o);
	*ret = c;
	return 0;
}

void px_content_get(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, px_content_done done, void *arg)
{
	if (kind == PX_KIND_RECORD)
		px_records_get(c->records, path, done, arg);
	else
		px_module_get(&c->modules, path, st, kind, want, done, arg);
}

int px_content_peek(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    enum px_want want, struct px_module *ret)
{
	if (kind == PX_KIND_RECORD)
		return -ENOENT;
	return px_module_peek(&c->modules, path, st, kind, want, ret);
}

int px_content_bytes(struct px_content *c, const char *path,
		     const uint8_t key[PX_DIGEST_SIZE], struct px_blob **ret)
{
	PX_AUTOFREE char *name = px_module_name(&c->o, path);
	struct px_blob *b;

	if (!name)
		return -ENOMEM;
	if (px_cache_get(c->o.cache, key, &b) < 0)
		return -ENOENT;
	*ret = px_blob_with_name(b, name);
	return *ret ? 0 : -ENOMEM;
}

int px_content_attr(struct px_content *c, const char *path,
		    const struct px_stat *st, enum px_kind kind,
		    struct px_attr *ret)
{
	return px_attr_get(&c->o, c->strips, path, st, kind, ret);
}

int px_content_view(struct px_content *c, const char *path, enum px_kind kind,
		    struct px_view **ret, struct px_fingerprint *ret_fp,
		    bool *ret_stable)
{
	return px_dirs_view(c->dirs, path, kind, ret, ret_fp, ret_stable);
}

int px_content_open(struct px_content *c, const char *path, bool known,
		    int *ret_fd, struct px_stat *ret_st, uint64_t *ret_size)
{
	return px_strips_open(c->strips, path, known, ret_fd, ret_st, ret_size);
}

void px_content_apply_verdicts(struct px_content *c, const char *dir,
			       struct px_view *v, px_content_view_done done,
			       void *arg)
{
	px_verdicts_apply(&c->modules, dir, v, done, arg);
}

bool px_content_needs_verdicts(const struct px_content *c, enum px_kind kind)
{
	return px_verdicts_needed(&c->o, kind);
}

struct px_strays *px_content_strays(struct px_content *c)
{
	return px_dirs_strays(c->dirs);
}

int px_content_flush(struct px_content *c)
{
	return px_cache_flush(c->o.cache);
}

void px_content_check_pyc(struct px_content *c, const char *path, int fd)
{
	uint8_t magic[4];

	if (!px_ends_in(path, ".pyc"))
		return;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    px_get_le32(magic) == c->o.python->magic)
		return;
	if (px_said_first_time(c->said, path, PX_SAID_OTHER_PYTHON))
		px_log(PX_LOG_WARNING,
		       "%s: shipped as it is, but it is not bytecode of %s: "
		       "that Python cannot import it",
		       path, c->o.python->cache_tag);
}

void px_content_pull(struct px_content *c)
{
	if (c->plan)
		px_plan_all(c->plan);
}

void px_content_push(struct px_content *c, bool compile)
{
	if (c->plan && c->o.signs)
		px_parts_push(&c->modules, c->plan, compile);
}

void px_content_stop_new_work(struct px_content *c)
{
	px_ahead_stop_new_work(c->ahead);
	px_plan_stop(c->plan);
}

void px_content_stop(struct px_content *c)
{
	/* First the room: the thread that compiles ahead may wait for it. */
	if (c->room)
		px_room_close(c->room);
	if (c->ahead)
		px_ahead_join(c->ahead);
	px_plan_join(c->plan);
	if (c->room)
		px_room_join(c->room);
}

void px_content_free(struct px_content *c)
{
	if (!c)
		return;
	px_content_stop(c);
	px_ahead_free(c->ahead);
	px_records_free(c->records);
	px_flights_free(c->flights);
	px_plan_free(c->plan);
	px_room_free(c->room);
	px_dirs_free(c->dirs);
	px_strips_free(c->strips);
	px_said_free(c->said);
	px_keys_free(c->keys);
	free(c);
}
