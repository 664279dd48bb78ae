/* SPDX-License-Identifier: MIT */
#include "ahead.h"

#include "pycfs/set.h"

/* Bytes that the cache may still have to commit before compiling ahead
 * pauses. */
#define MAX_UNCOMMITTED (64ull << 20)

/* A directory whose modules are to be compiled. */
struct todo {
	struct todo *next;
	bool in_tree; /* the directories below it are to follow */
	char path[];
};

struct px_ahead {
	struct px_ahead_options o;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of what follows */
	bool stop;		/* all of these under lock */
	struct todo *first;	/* directories that were touched: a queue */
	struct todo **end;
	struct px_set touched; /* hashes of those that ever were in it */
};

static bool is_stopped(struct px_ahead *a)
{
	bool stop;

	pthread_mutex_lock(&a->lock);
	stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return stop;
}

/* A directory whose path has `n` bytes. NULL: no memory. */
static struct todo *todo_new(const char *path, size_t n)
{
	struct todo *t = calloc(1, sizeof(*t) + n + 1);

	if (t)
		memcpy(t->path, path, n);
	return t;
}

static void free_todos(struct todo *t)
{
	struct todo *next;

	for (; t; t = next) {
		next = t->next;
		free(t);
	}
}

static struct todo *pop(struct todo **stack)
{
	struct todo *t = *stack;

	*stack = t->next;
	return t;
}

/* Waits for the next directory: first those that somebody touched, then those
 * of the tree, which are on `stack`. NULL: stop. */
static struct todo *next_dir(struct px_ahead *a, struct todo **stack)
{
	struct todo *t = NULL;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && !a->first && !*stack)
		pthread_cond_wait(&a->changed, &a->lock);
	if (!a->stop && a->first) {
		t = pop(&a->first);
		if (!a->first)
			a->end = &a->first;
	} else if (!a->stop) {
		t = pop(stack);
	}
	pthread_mutex_unlock(&a->lock);
	return t;
}

/* Until another source may be read without filling the memory. */
static void wait_for_room(struct px_ahead *a)
{
	const struct px_content_options *o = a->o.o;

	while (!is_stopped(a) && px_cache_queued(o->cache) > MAX_UNCOMMITTED)
		usleep(10000);
	px_room_wait(a->o.room);
	px_pool_wait_room(o->pool);
}

static void compile_module(struct px_ahead *a, const char *dir,
			   const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir, e->source);

	if (!path)
		return;
	wait_for_room(a);
	px_module_start_async(a->o.modules, path, e->st, e->kind);
}

/* Puts the directories below `dir` on the stack, the first one on top. */
static void push_below(const struct px_view *v, const char *dir,
		       struct todo **stack)
{
	size_t i;

	for (i = px_view_count(v); i > 0; i--) {
		const struct px_entry *e = px_view_at(v, i - 1);
		PX_AUTOFREE char *path = NULL;
		struct todo *t = NULL;

		if (e->kind != PX_KIND_DIR)
			continue;
		path = px_path_join(dir, e->source);
		if (path)
			t = todo_new(path, strlen(path));
		if (!t)
			return;
		t->in_tree = true;
		t->next = *stack;
		*stack = t;
	}
}

/* `stack` is NULL unless what is below the directory is to follow. */
static void compile_dir(struct px_ahead *a, const char *dir,
			struct todo **stack)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;
	size_t i;

	if (px_dirs_view(a->o.dirs, dir, PX_KIND_DIR, &v, &fp, &stable) < 0)
		return;
	for (i = 0; i < px_view_count(v) && !is_stopped(a); i++)
		if (px_view_at(v, i)->kind == PX_KIND_MODULE)
			compile_module(a, dir, px_view_at(v, i));
	if (stack)
		push_below(v, dir, stack);
	px_view_unref(v);
}

static void *ahead_main(void *arg)
{
	struct px_ahead *a = arg;
	struct todo *stack = NULL, *t;
	bool has_root = !a->o.o->ahead_tree;

	while ((t = next_dir(a, &stack))) {
		while (!is_stopped(a) && px_plan_leads(a->o.plan))
			usleep(10000);
		/* A directory that was touched comes again with the tree. By
		 * then its modules are in the cache, so it costs little. */
		compile_dir(a, t->path, t->in_tree ? &stack : NULL);
		free(t);
		if (!has_root) {
			has_root = true;
			stack = todo_new("", 0);
			if (stack)
				stack->in_tree = true;
		}
	}
	free_todos(stack);
	return NULL;
}

void px_ahead_touch(struct px_ahead *a, const char *path)
{
	const size_t n = px_path_parent_length(path);
	struct todo *t;

	if (!a->o.o->ahead)
		return;
	pthread_mutex_lock(&a->lock);
	if (!a->stop && !px_set_add(&a->touched, px_hash64(0, path, n))) {
		t = todo_new(path, n);
		if (t) {
			*a->end = t;
			a->end = &t->next;
			pthread_cond_signal(&a->changed);
		}
	}
	pthread_mutex_unlock(&a->lock);
}

int px_ahead_new(const struct px_ahead_options *o, struct px_ahead **ret)
{
	struct px_ahead *a = calloc(1, sizeof(*a));
	int r = 0;

	if (!a)
		return -ENOMEM;
	a->o = *o;
	a->end = &a->first;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	if (o->o->ahead) {
		r = px_thread_start(&a->thread, ahead_main, a);
		a->has_thread = r == 0;
	}
	if (r < 0) {
		px_ahead_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void px_ahead_stop_new_work(struct px_ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

void px_ahead_join(struct px_ahead *a)
{
	px_ahead_stop_new_work(a);
	if (a->has_thread)
		pthread_join(a->thread, NULL);
	a->has_thread = false;
}

void px_ahead_free(struct px_ahead *a)
{
	if (!a)
		return;
	free_todos(a->first);
	px_set_fini(&a->touched);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}
