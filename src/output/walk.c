/* SPDX-License-Identifier: MIT */
#include "pycfs/walk.h"

#include "pycfs/answer.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* Items that may wait to be taken, and the bytes of their blobs: enough to let
 * modules compile while thousands of other files in front of them are written,
 * and few enough to bound memory. */
#define MAX_ITEMS 16384
#define MAX_BYTES (64ull << 20)
/* Modules that were asked for and have not been answered, for each compile
 * process: enough to keep all of them busy while the walker lists a directory.
 * Their sources are in memory. */
#define MAX_FLYING_PER_JOB 16
/* Waking a thread costs more than making an item. So a thread that waits for
 * items is woken when there are this many, or when the walker pauses or has
 * ended. */
#define WAKE_ITEMS 32

struct px_walk {
	struct px_walk_options o;
	size_t max_flying;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t can_take; /* the first item is ready, or none comes */
	pthread_cond_t can_walk; /* there is room, or fewer modules fly */
	struct px_item *head;	 /* all of these under lock */
	struct px_item **tail;
	size_t n_items;
	size_t n_flying;    /* items whose module has not been answered */
	uint64_t bytes;	    /* of the blobs of items that are ready */
	unsigned n_waiting; /* threads that wait in px_walk_fetch */
	bool paused;	    /* the walker waits for room */
	bool ended;	    /* the walker has */
	bool stop;	    /* the walker is to end early */
	int err;	    /* why it ended early, and where */
	char *err_path;
	uint64_t n_pycache, pycache_bytes; /* see px_walk_pycache */
};

/* ---------------------------------------------------------------- items */

static struct px_item *item_new(struct px_walk *w, const char *path,
				const char *source)
{
	const size_t n = strlen(path) + 1, m = strlen(source) + 1;
	struct px_item *i = calloc(1, sizeof(*i) + n + m);

	if (!i)
		return NULL;
	i->walk = w;
	memcpy(i->path, path, n);
	memcpy(i->path + n, source, m);
	i->source = i->path + n;
	return i;
}

void px_item_free(struct px_item *i)
{
	if (!i)
		return;
	px_blob_unref(i->blob);
	free(i->target);
	free(i);
}

void px_item_freep(struct px_item **i)
{
	px_item_free(*i);
}

static void free_items(struct px_item *i)
{
	struct px_item *next;

	for (; i; i = next) {
		next = i->next;
		px_item_free(i);
	}
}

static bool has_room(const struct px_walk *w)
{
	return w->stop || (w->n_items < MAX_ITEMS && w->bytes < MAX_BYTES &&
			   w->n_flying < w->max_flying);
}

/* Under lock. Wakes the threads that wait for items, if the first one is ready
 * and it is worth it. */
static void wake_takers(struct px_walk *w)
{
	if (w->n_waiting > 0 &&
	    (w->n_items >= WAKE_ITEMS || w->paused || w->ended) &&
	    (w->head ? w->head->ready : w->ended))
		pthread_cond_broadcast(&w->can_take);
}

/* Under lock. Wakes the walker once there is room for many items. */
static void wake_walker(struct px_walk *w)
{
	if (w->stop ||
	    (w->paused && w->n_items <= MAX_ITEMS / 2 &&
	     w->bytes <= MAX_BYTES / 2 && w->n_flying <= w->max_flying / 2))
		pthread_cond_broadcast(&w->can_walk);
}

/* Under lock: waits until there may be room. */
static void pause_walker(struct px_walk *w)
{
	w->paused = true;
	wake_takers(w);
	pthread_cond_wait(&w->can_walk, &w->lock);
	w->paused = false;
}

/* Puts `i` last, once there is room; `flying`: its module is going to be asked
 * for. False: the walk is to stop, and `i` is still the caller's. */
static bool append(struct px_walk *w, struct px_item *i, bool flying)
{
	bool stop;

	pthread_mutex_lock(&w->lock);
	while (!has_room(w))
		pause_walker(w);
	stop = w->stop;
	if (!stop) {
		*w->tail = i;
		w->tail = &i->next;
		w->n_items++;
		w->n_flying += flying;
		i->ready = !flying;
		wake_takers(w);
	}
	pthread_mutex_unlock(&w->lock);
	return !stop;
}

static void on_module(void *arg, int err, const struct px_module *m)
{
	struct px_item *i = arg;
	struct px_walk *w = i->walk;

	i->err = err;
	if (err == 0) {
		i->attr = m->attr;
		i->blob = m->blob ? px_blob_ref(m->blob) : NULL;
		i->source_size = m->source_size;
		i->tag = m->tag;
		i->has_deferred_bytes = !m->blob && w->o.want == PX_WANT_BYTES;
		memcpy(i->key, m->key, sizeof(i->key));
	}
	pthread_mutex_lock(&w->lock);
	i->ready = true;
	w->n_flying--;
	if (i->blob)
		w->bytes += i->blob->size;
	wake_takers(w);
	wake_walker(w);
	pthread_mutex_unlock(&w->lock);
}

static struct timespec in_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	return t;
}

/* Under lock: takes out the first item if it is ready, else NULL. */
static struct px_item *take(struct px_walk *w)
{
	struct px_item *i = w->head;

	if (!i || !i->ready)
		return NULL;
	w->head = i->next;
	i->next = NULL;
	if (!w->head)
		w->tail = &w->head;
	w->n_items--;
	if (i->blob)
		w->bytes -= i->blob->size;
	wake_walker(w);
	return i;
}

/* A module that was in the cache when the walker asked for its size, and was
 * evicted before its bytes were read: it is asked for again. */
struct again {
	struct px_answer answer;
	struct px_item *item;
};

static void on_again(void *arg, int err, const struct px_module *m)
{
	struct again *a = arg;
	struct px_item *i = a->item;

	i->err = err;
	/* The source may have changed: then the item's size is wrong. */
	if (err == 0 && m->tag != i->tag)
		i->err = -ESTALE;
	else if (err == 0)
		i->blob = px_blob_ref(m->blob);
	px_answer_came(&a->answer);
}

/* Reads the bytes of a module from the cache; compiles it and waits for that if
 * they are gone. */
static void load_bytes(struct px_walk *w, struct px_item *i)
{
	struct again a = {.answer = PX_ANSWER_INIT, .item = i};

	i->has_deferred_bytes = false;
	if (px_content_bytes(w->o.content, i->source, i->key, &i->blob) == 0)
		return;
	px_content_get(w->o.content, i->source, NULL, i->attr.kind,
		       PX_WANT_BYTES, on_again, &a);
	px_answer_wait(&a.answer);
}

struct px_item *px_walk_fetch(struct px_walk *w, int ms, bool *ret_end)
{
	const struct timespec until = in_ms(ms);
	struct px_item *i;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (!(w->head ? w->head->ready : w->ended) && r != ETIMEDOUT) {
		w->n_waiting++;
		r = pthread_cond_timedwait(&w->can_take, &w->lock, &until);
		w->n_waiting--;
	}
	i = take(w);
	*ret_end = !i && !w->head && w->ended;
	pthread_mutex_unlock(&w->lock);
	if (i && i->has_deferred_bytes)
		load_bytes(w, i);
	return i;
}

/* -------------------------------------------------------------- walking */

/* Returns `err`, after recording the path of the first failure. */
static int fail(struct px_walk *w, int err, const char *path)
{
	if (!w->err_path)
		w->err_path = strdup(path);
	return err;
}

/* A view that is shown, once it is known which of its modules compile. */
struct shown {
	struct px_answer answer;
	int err;
	struct px_view *view;
};

static void on_shown(void *arg, int err, struct px_view *v)
{
	struct shown *s = arg;

	s->err = err;
	s->view = err == 0 ? px_view_ref(v) : NULL;
	px_answer_came(&s->answer);
}

/* Replaces *v by the view that is shown, which compiles its modules; waits for
 * that. On failure *v stays. */
static int wait_for_verdicts(struct px_walk *w, const char *dir,
			     struct px_view **v)
{
	struct shown s = {.answer = PX_ANSWER_INIT};

	px_content_apply_verdicts(w->o.content, dir, *v, on_shown, &s);
	px_answer_wait(&s.answer);
	if (s.err < 0)
		return s.err;
	px_view_unref(*v);
	*v = s.view;
	return 0;
}

static int view_of(struct px_walk *w, const char *source, enum px_kind kind,
		   struct px_view **ret)
{
	struct px_fingerprint fp;
	bool stable;
	int r = px_content_view(w->o.content, source, kind, ret, &fp, &stable);

	if (r == 0 && px_content_needs_verdicts(w->o.content, kind)) {
		r = wait_for_verdicts(w, source, ret);
		if (r < 0)
			px_view_unref(*ret);
	}
	return r;
}

/* Compares in the byte order of whole paths, in which a directory is
 * "name/". */
static int compare(const void *a, const void *b)
{
	const struct px_entry *const *x = a, *const *y = b;
	const unsigned char *p = (const unsigned char *)(*x)->name;
	const unsigned char *q = (const unsigned char *)(*y)->name;
	unsigned char c, d;

	while (*p && *p == *q) {
		p++;
		q++;
	}
	c = *p ? *p : px_kind_is_dir((*x)->kind) ? '/' : 0;
	d = *q ? *q : px_kind_is_dir((*y)->kind) ? '/' : 0;
	return (c > d) - (c < d);
}

static int walk_dir(struct px_walk *w, const char *path, const char *source,
		    enum px_kind kind, const struct px_stat *st);

/* Appends what needs no compile; its attributes are asked for here. */
static int append_plain(struct px_walk *w, struct px_item *i, enum px_kind kind,
			const struct px_stat *st)
{
	int r = px_content_attr(w->o.content, i->source, st, kind, &i->attr);

	if (r == 0 && kind == PX_KIND_LINK)
		r = px_tree_readlink(w->o.tree, i->source, &i->target);
	if (r < 0)
		return r;
	return append(w, i, false) ? 0 : -ECANCELED;
}

/* Appends what is generated, and asks for it. */
static int append_generated(struct px_walk *w, struct px_item *i,
			    enum px_kind kind)
{
	if (!append(w, i, true))
		return -ECANCELED;
	/* The bytes of modules are in the cache afterwards, and are read when
	 * the item is taken. Those of a RECORD are not stored. */
	px_content_get(w->o.content, i->source, i->st_known ? &i->st : NULL,
		       kind, kind == PX_KIND_RECORD ? w->o.want : PX_WANT_SIZE,
		       on_module, i);
	return 0;
}

static int walk_entry(struct px_walk *w, const char *dir, const char *source,
		      const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir, e->name);
	/* A generated __pycache__ has the source path of its directory. */
	PX_AUTOFREE char *from =
		*e->source ? px_path_join(source, e->source) : strdup(source);
	struct px_item *i;
	int r;

	if (!path || !from)
		return -ENOMEM;
	if (px_kind_is_dir(e->kind))
		return walk_dir(w, path, from, e->kind, e->st);
	i = item_new(w, path, from);
	if (!i)
		return -ENOMEM;
	if (e->st) {
		i->st = *e->st;
		i->st_known = true;
	}
	if (px_kind_is_made(e->kind))
		r = append_generated(w, i, e->kind);
	else
		r = append_plain(w, i, e->kind, e->st);
	if (r < 0) {
		px_item_free(i);
		return fail(w, r, path);
	}
	return 0;
}

/* Appends items for what the view leaves out. */
static int append_hidden(struct px_walk *w, const char *source,
			 const struct px_view *v)
{
	size_t i;

	for (i = 0; i < px_view_n_hidden(v); i++) {
		const struct px_note *note = px_view_hidden(v, i);
		PX_AUTOFREE char *path = px_path_join(source, note->source);
		struct px_item *item = path ? item_new(w, path, path) : NULL;

		if (!item)
			return -ENOMEM;
		item->hidden = note->text;
		if (!append(w, item, false)) {
			px_item_free(item);
			return -ECANCELED;
		}
	}
	return 0;
}

/* Sums up what is in the directory's own __pycache__. What cannot be listed is
 * as if it were not there. */
static void sum_pycache(struct px_walk *w, const char *source,
			const struct px_view *v)
{
	PX_AUTOFREE char *dir = px_path_join(source, "__pycache__");
	PX_AUTOFREE char *ending = NULL;
	struct px_listing l;
	bool has = false;

	for (size_t i = 0; i < px_view_n_hidden(v) && !has; i++)
		has = strcmp(px_view_hidden(v, i)->source, "__pycache__") == 0;
	if (!has || !dir ||
	    asprintf(&ending, ".%s.pyc", w->o.pycache_tag) < 0) {
		ending = NULL;
		return;
	}
	if (px_tree_list(w->o.tree, dir, PX_LIST_STATS, &l) < 0)
		return;
	for (size_t i = 0; i < l.n; i++) {
		const struct px_name *name = &l.names[i];

		if (!name->st || name->type != PX_TYPE_REG ||
		    !px_ends_in(name->name, ending))
			continue;
		w->n_pycache++;
		w->pycache_bytes += name->st->fp.size;
	}
	px_listing_fini(&l);
}

static int walk_entries(struct px_walk *w, const char *path, const char *source,
			const struct px_view *v)
{
	const size_t n = px_view_count(v);
	PX_AUTOFREE const struct px_entry **order =
		calloc(n + 1, sizeof(*order));
	size_t i;
	int r = 0;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		order[i] = px_view_at(v, i);
	for (i = 1; i < n && compare(&order[i - 1], &order[i]) < 0; i++)
		;
	if (i < n)
		qsort(order, n, sizeof(*order), compare);
	for (i = 0; i < n && r == 0; i++)
		r = walk_entry(w, path, source, order[i]);
	return r;
}

/* Appends a directory and all that is in it. `st` is its source, or NULL. */
static int walk_dir(struct px_walk *w, const char *path, const char *source,
		    enum px_kind kind, const struct px_stat *st)
{
	struct px_item *i = item_new(w, path, source);
	struct px_view *v;
	int r;

	if (!i)
		return -ENOMEM;
	r = append_plain(w, i, kind, st);
	if (r < 0) {
		px_item_free(i);
		return fail(w, r, path);
	}
	r = view_of(w, source, kind, &v);
	if (r < 0)
		return fail(w, r, path);
	r = w->o.hidden && kind == PX_KIND_DIR ? append_hidden(w, source, v)
					       : 0;
	if (r == 0)
		r = walk_entries(w, path, source, v);
	if (r == 0 && w->o.pycache_tag && kind == PX_KIND_DIR)
		sum_pycache(w, source, v);
	px_view_unref(v);
	return r;
}

static void *run(void *arg)
{
	struct px_walk *w = arg;
	int r = walk_dir(w, "", "", PX_KIND_DIR, NULL);

	pthread_mutex_lock(&w->lock);
	w->err = r;
	w->ended = true;
	wake_takers(w);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int px_walk_start(const struct px_walk_options *o, struct px_walk **ret)
{
	struct px_walk *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->max_flying = (size_t)o->jobs * MAX_FLYING_PER_JOB;
	w->tail = &w->head;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->can_take, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&w->can_walk, NULL);
	r = px_thread_start(&w->thread, run, w);
	if (r == 0)
		pthread_setname_np(w->thread, "pycfs-walk");
	if (r != 0) {
		pthread_mutex_destroy(&w->lock);
		pthread_cond_destroy(&w->can_take);
		pthread_cond_destroy(&w->can_walk);
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void px_walk_pycache(struct px_walk *w, uint64_t *ret_n, uint64_t *ret_bytes)
{
	pthread_mutex_lock(&w->lock);
	*ret_n = w->n_pycache;
	*ret_bytes = w->pycache_bytes;
	pthread_mutex_unlock(&w->lock);
}

int px_walk_error(struct px_walk *w, const char **ret_path)
{
	int r;

	pthread_mutex_lock(&w->lock);
	r = w->err;
	*ret_path = w->err_path ? w->err_path : "";
	pthread_mutex_unlock(&w->lock);
	return r;
}

void px_walk_free(struct px_walk *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->can_walk);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	/* The modules that were asked for still answer into their items. */
	pthread_mutex_lock(&w->lock);
	while (w->n_flying > 0)
		pthread_cond_wait(&w->can_walk, &w->lock);
	pthread_mutex_unlock(&w->lock);
	free_items(w->head);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->can_take);
	pthread_cond_destroy(&w->can_walk);
	free(w->err_path);
	free(w);
}
