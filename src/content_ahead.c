/* SPDX-License-Identifier: MIT */
/*
 * Compiling ahead. Whoever walks a tree with one thread (cp, tar, find) asks
 * for one module at a time; the modules beside the first one are compiled
 * meanwhile, at low priority and a few at a time. Where the source does not
 * change (an image is being built), so is the rest of the tree: one directory
 * rarely keeps all workers busy.
 */
#include "content_i.h"

/* What may wait to be committed before reading ahead pauses, in bytes. */
#define MAX_QUEUED (64ull << 20)

bool px_seen_add(struct seen *s, uint64_t hash)
{
	size_t i;

	hash |= hash == 0; /* 0 marks a free slot */
	if (s->n * 2 >= s->capacity) {
		struct seen bigger = {.capacity = s->capacity ? s->capacity * 2
							      : 64};

		bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
		if (!bigger.slots)
			return false;
		for (i = 0; i < s->capacity; i++)
			if (s->slots[i])
				px_seen_add(&bigger, s->slots[i]);
		free(s->slots);
		*s = bigger;
	}
	for (i = hash & (s->capacity - 1); s->slots[i];
	     i = (i + 1) & (s->capacity - 1))
		if (s->slots[i] == hash)
			return true;
	s->slots[i] = hash;
	s->n++;
	return false;
}

void px_seen_fini(struct seen *s)
{
	free(s->slots);
	*s = (struct seen){0};
}

static bool is_quiet(struct px_content *c)
{
	bool quiet;

	pthread_mutex_lock(&c->ahead_lock);
	quiet = c->quiet;
	pthread_mutex_unlock(&c->ahead_lock);
	return quiet;
}

static struct ahead_dir *ahead_dir_new(const char *path, size_t n)
{
	struct ahead_dir *d = calloc(1, sizeof(*d) + n + 1);

	if (d)
		memcpy(d->path, path, n);
	return d;
}

static void free_dirs(struct ahead_dir *d)
{
	struct ahead_dir *next;

	for (; d; d = next) {
		next = d->next;
		free(d);
	}
}

static struct ahead_dir *pop(struct ahead_dir **stack)
{
	struct ahead_dir *d = *stack;

	*stack = d->next;
	return d;
}

/* The next directory, or NULL at the end: first those that somebody has
 * touched, then those of the tree that are left. */
static struct ahead_dir *next_dir(struct px_content *c,
				  struct ahead_dir **stack)
{
	struct ahead_dir *d = NULL;

	pthread_mutex_lock(&c->ahead_lock);
	while (!c->quiet && !c->ahead_head && !*stack)
		pthread_cond_wait(&c->ahead_changed, &c->ahead_lock);
	if (!c->quiet && c->ahead_head) {
		d = pop(&c->ahead_head);
		if (!c->ahead_head)
			c->ahead_tail = &c->ahead_head;
	} else if (!c->quiet) {
		d = pop(stack);
	}
	pthread_mutex_unlock(&c->ahead_lock);
	return d;
}

static void wait_for_room(struct px_content *c)
{
	while (!is_quiet(c) && px_cache_queued(c->o.cache) > MAX_QUEUED)
		usleep(10000);
	px_room_wait(c);
	px_pool_wait_room(c->o.pool);
}

static void compile_ahead(struct px_content *c, const char *dir,
			  const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir, e->source);

	if (!path)
		return;
	wait_for_room(c);
	px_content_start_ahead(c, path, e->st, e->kind);
}

/* Leaves the directories below on the stack, the first one on top. */
static void push_below(const struct px_view *v, const char *dir,
		       struct ahead_dir **stack)
{
	size_t i;

	for (i = px_view_count(v); i > 0; i--) {
		const struct px_entry *e = px_view_at(v, i - 1);
		PX_AUTOFREE char *path = NULL;
		struct ahead_dir *d = NULL;

		if (e->kind != PX_KIND_DIR)
			continue;
		path = px_path_join(dir, e->source);
		if (path)
			d = ahead_dir_new(path, strlen(path));
		if (!d)
			return;
		d->in_tree = true;
		d->next = *stack;
		*stack = d;
	}
}

static void walk(struct px_content *c, const char *dir,
		 struct ahead_dir **stack)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;
	size_t i;

	if (px_content_view(c, dir, PX_KIND_DIR, &v, &fp, &stable) < 0)
		return;
	for (i = 0; i < px_view_count(v) && !is_quiet(c); i++)
		if (px_view_at(v, i)->kind == PX_KIND_MODULE)
			compile_ahead(c, dir, px_view_at(v, i));
	if (stack)
		push_below(v, dir, stack);
	px_view_unref(v);
}

static void *ahead_main(void *arg)
{
	struct px_content *c = arg;
	struct ahead_dir *stack = NULL, *d;
	bool planted = !c->o.ahead_tree;

	while ((d = next_dir(c, &stack))) {
		/* What was touched may be met again in the tree: by then it is
		 * known and costs little. */
		walk(c, d->path, d->in_tree ? &stack : NULL);
		free(d);
		if (!planted) {
			planted = true;
			stack = ahead_dir_new("", 0);
			if (stack)
				stack->in_tree = true;
		}
	}
	free_dirs(stack);
	return NULL;
}

void px_content_ahead_touch(struct px_content *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	const size_t n = slash ? (size_t)(slash - path) : 0;
	struct ahead_dir *d;

	if (!c->o.ahead)
		return;
	pthread_mutex_lock(&c->ahead_lock);
	if (!c->quiet && !px_seen_add(&c->touched, px_hash64(0, path, n))) {
		d = ahead_dir_new(path, n);
		if (d) {
			*c->ahead_tail = d;
			c->ahead_tail = &d->next;
			pthread_cond_signal(&c->ahead_changed);
		}
	}
	pthread_mutex_unlock(&c->ahead_lock);
}

int px_content_ahead_start(struct px_content *c)
{
	int r;

	pthread_mutex_init(&c->ahead_lock, NULL);
	pthread_cond_init(&c->ahead_changed, NULL);
	c->ahead_tail = &c->ahead_head;
	if (!c->o.ahead)
		return 0;
	r = px_thread_start(&c->ahead_thread, ahead_main, c);
	c->ahead_running = r == 0;
	return r;
}

void px_content_ahead_quiet(struct px_content *c)
{
	pthread_mutex_lock(&c->ahead_lock);
	c->quiet = true;
	pthread_cond_broadcast(&c->ahead_changed);
	pthread_mutex_unlock(&c->ahead_lock);
}

void px_content_ahead_stop(struct px_content *c)
{
	px_content_ahead_quiet(c);
	if (c->ahead_running)
		pthread_join(c->ahead_thread, NULL);
	c->ahead_running = false;
}

void px_content_ahead_fini(struct px_content *c)
{
	free_dirs(c->ahead_head);
	pthread_mutex_destroy(&c->ahead_lock);
	pthread_cond_destroy(&c->ahead_changed);
}
