/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include "pycfs/set.h"

/* What may be on the way: chunks, and bytes of their sources. */
#define MAX_CHUNKS 64
#define MAX_BYTES  (32ull << 20)
/* How long compiling ahead leaves the field to the plan, in ms. */
#define HEAD_START 2000
/* A tree that changes is planned anew after this time, in ms, and so is
 * any when the store answers again. */
#define LIFETIME 60000

struct unit {
	struct unit *next;
	char name[]; /* in SOURCE */
};

struct px_plan {
	struct px_plan_options o;
	pthread_t planner, timer;
	bool has_planner, has_timer;
	struct px_part *open; /* the planner's: what is being filled */

	pthread_mutex_t lock;
	pthread_cond_t changed;	   /* any of what follows */
	bool stop;		   /* under lock, as all that follows */
	bool wants_all, has_all;   /* the whole tree */
	bool busy;		   /* the planner has work */
	struct unit *first, **end; /* to be planned */
	struct px_set asked, done; /* units, by hash of their names */
	struct px_map on_the_way;  /* members */
	unsigned n_chunks;
	uint64_t n_bytes; /* of their sources */
	struct px_waits waits;
	int64_t started;	/* px_now_ms; 0: not yet */
	struct px_part *missed; /* when signing */
};

static uint64_t hash_of_unit(const char *path)
{
	return px_hash64(3, path, strcspn(path, "/"));
}

/* Under lock. NULL: no chunk with this key is on the way. */
static const struct px_part *find_chunk(const struct px_plan *p,
					const uint8_t key[PX_DIGEST_SIZE])
{
	struct px_map_node *n = px_map_first(&p->on_the_way, px_get_le64(key));

	for (; n; n = px_map_next(n)) {
		const struct px_part_module *m =
			PX_CONTAINER(n, struct px_part_module, node);

		if (memcmp(m->part->keys[m - m->part->m], key,
			   PX_DIGEST_SIZE) == 0)
			return m->part;
	}
	return NULL;
}

/* Ends the waiting of those whose time is over. */
static void *timer_main(void *arg)
{
	struct px_plan *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct px_wait *late = px_waits_take_late(&p->waits);

		pthread_mutex_unlock(&p->lock);
		px_waits_go(late);
		/* Coarse, and only while somebody waits. */
		usleep(5000);
		pthread_mutex_lock(&p->lock);
		while (!p->stop && !p->waits.first)
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* -------------------------------------------------------------- answers */

/* Under lock: it is on the way no more. */
static void arrived(struct px_plan *p, struct px_part *c)
{
	for (size_t i = 0; i < c->n; i++)
		px_map_remove(&p->on_the_way, &c->m[i].node);
	p->n_chunks--;
	p->n_bytes -= c->bytes;
	pthread_cond_broadcast(&p->changed);
}

static void on_answer(void *arg, int err, struct px_blob *const *blobs,
		      const struct px_signer *by)
{
	struct px_part *c = arg;
	struct px_plan *p = c->plan;
	struct px_wait *ready;
	bool keep;

	if (err == 0)
		px_part_store(p->o.o, p->o.keys, c, blobs, by);
	pthread_mutex_lock(&p->lock);
	ready = px_waits_take_part(&p->waits, c, err == 0);
	keep = p->o.o->signs && err < 0 && !p->stop;
	if (keep) {
		c->next = p->missed;
		p->missed = c;
	}
	arrived(p, c);
	pthread_mutex_unlock(&p->lock);
	px_waits_go(ready);
	if (!keep)
		px_part_free(c);
}

/* --------------------------------------------------------------- planning */

static bool is_stopped(struct px_plan *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	/* Whoever signs has to know all chunks, also of a store that does not
	 * answer just now. */
	return stop || (!p->o.o->signs && !px_remote_answers(p->o.o->remote));
}

/* Under lock: the chunk is on the way, and who waits for its modules knows. */
static void depart(struct px_plan *p, struct px_part *c)
{
	for (size_t i = 0; i < c->n; i++) {
		px_map_add(&p->on_the_way, &c->m[i].node,
			   px_get_le64(c->keys[i]));
		px_waits_lead(&p->waits, c->keys[i], c);
	}
	p->n_chunks++;
	p->n_bytes += c->bytes;
}

/* The chunk is full: asks for it, if the cache lacks any of it. When signing
 * the store has to have all of them. */
static void ask(struct px_plan *p)
{
	struct px_part *c = PX_STEAL(p->open);
	bool lacks = p->o.o->signs;

	for (size_t i = 0; c && i < c->n; i++)
		lacks |= !c->m[i].has;
	if (!c || !lacks) {
		px_part_free(c);
		return;
	}
	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->n_chunks > 0 &&
	       (p->n_chunks >= MAX_CHUNKS || p->n_bytes > MAX_BYTES))
		pthread_cond_wait(&p->changed, &p->lock);
	depart(p, c);
	pthread_mutex_unlock(&p->lock);
	if (px_remote_ask(p->o.o->remote, c->keys, c->n, on_answer, c) < 0)
		on_answer(c, -ECANCELED, NULL, NULL);
}

/* The module's key, from the index or from its source; 0. */
static int find_key(const struct px_plan *p, const char *path,
		    struct px_part_module *m, uint8_t key[PX_DIGEST_SIZE])
{
	const struct px_content_options *o = p->o.o;
	PX_AUTO(px_buf_fini)
	struct px_buf source = {.max = PX_CHUNK_MODULE_MAX};
	struct px_cache_entry e;
	int r;

	if (px_cache_index_get(o->cache, m->id.index, &e) == 0) {
		memcpy(key, e.key, PX_DIGEST_SIZE);
		m->has = true;
		return 0;
	}
	m->read_at_ns = px_wall_ns();
	r = px_tree_read(o->tree, path, &source, &m->st);
	if (r < 0)
		return r;
	px_module_id_index(p->o.keys, &m->id, &m->st.fp, m->id.index);
	m->level = px_form_level(&m->id.form, &source);
	px_module_id_blob(p->o.keys, &m->id, m->level, &source, &m->st, key);
	return 0;
}

static bool is_shared(const struct px_content_options *o, const char *path,
		      const struct px_stat *st)
{
	return st->fp.size <= o->max_source &&
	       st->fp.size <= PX_CHUNK_MODULE_MAX &&
	       !px_rules_is_local(o->rules, path);
}

/* Room for one more module of `size` bytes. NULL: no memory. */
static struct px_part_module *next_member(struct px_plan *p, uint64_t size)
{
	if (p->open && p->open->bytes + size > PX_CHUNK_SOURCE)
		ask(p);
	if (!p->open)
		p->open = calloc(1, sizeof(*p->open));
	if (!p->open)
		return NULL;
	p->open->plan = p;
	return &p->open->m[p->open->n];
}

static void plan_module(struct px_plan *p, const char *path,
			const struct px_stat *known, enum px_kind kind)
{
	const struct px_content_options *o = p->o.o;
	struct px_part_module found = {.has = false}, *m;
	px_chunk_key key;
	int r = 0;

	if (known)
		found.st = *known;
	else
		r = px_tree_stat_file(o->tree, path, &found.st);
	if (r < 0 || !is_shared(o, path, &found.st) ||
	    px_module_id_init(p->o.keys, path, kind, &found.st.fp, &found.id) <
		    0)
		return;
	r = find_key(p, path, &found, key);
	m = r == 0 ? next_member(p, found.st.fp.size) : NULL;
	if (!m) {
		px_module_id_fini(&found.id);
		return;
	}
	*m = found;
	m->part = p->open;
	memcpy(p->open->keys[p->open->n++], key, sizeof(key));
	p->open->bytes += m->st.fp.size;
	if (px_chunk_ends(key) || p->open->n == PX_CHUNK_MODULES)
		ask(p);
}

static void plan_dir(struct px_plan *p, const char *dir, enum px_kind kind);

static void plan_entry(struct px_plan *p, const char *dir,
		       const struct px_entry *e)
{
	PX_AUTOFREE char *path = px_path_join(dir, e->source);

	if (!path)
		return;
	if (e->kind == PX_KIND_MODULE || e->kind == PX_KIND_KEPT)
		plan_module(p, path, e->st, e->kind);
	else if (px_kind_is_dir(e->kind))
		plan_dir(p, path, e->kind);
}

static void plan_dir(struct px_plan *p, const char *dir, enum px_kind kind)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;

	if (px_dirs_view(p->o.dirs, dir, kind, &v, &fp, &stable) < 0)
		return;
	for (size_t i = 0; i < px_view_count(v) && !is_stopped(p); i++)
		plan_entry(p, dir, px_view_at(v, i));
	px_view_unref(v);
}

/* What the name `name` at the top of SOURCE has become in the view. */
static void plan_unit(struct px_plan *p, const char *name)
{
	const struct px_entry *e;
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;

	if (px_dirs_view(p->o.dirs, "", PX_KIND_DIR, &v, &fp, &stable) < 0)
		return;
	e = px_view_find_source(v, name);
	if (!e)
		e = px_view_find(v, name);
	if (e && e->kind == PX_KIND_FILE) /* kept, with its .pyc elsewhere */
		plan_module(p, name, e->st, PX_KIND_KEPT);
	else if (e && e->kind != PX_KIND_PYCACHE)
		plan_entry(p, "", e);
	px_view_unref(v);
	ask(p);
}

/* Under lock: puts a unit at the end of the queue, unless it was there before.
 */
static void enqueue(struct px_plan *p, const char *path)
{
	const size_t n = strcspn(path, "/");
	struct unit *u;

	if (px_set_add(&p->asked, hash_of_unit(path)))
		return;
	u = calloc(1, sizeof(*u) + n + 1);
	if (!u)
		return;
	memcpy(u->name, path, n);
	*p->end = u;
	p->end = &u->next;
	p->busy = true;
	if (p->started == 0)
		p->started = px_now_ms();
	pthread_cond_broadcast(&p->changed);
}

static void enqueue_all(struct px_plan *p)
{
	struct px_fingerprint fp;
	struct px_view *v;
	bool stable;

	if (px_dirs_view(p->o.dirs, "", PX_KIND_DIR, &v, &fp, &stable) < 0)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < px_view_count(v); i++) {
		const struct px_entry *e = px_view_at(v, i);

		if (e->kind == PX_KIND_MODULE || e->kind == PX_KIND_DIR ||
		    (e->kind == PX_KIND_FILE && px_ends_in(e->source, ".py")))
			enqueue(p, e->source);
	}
	pthread_mutex_unlock(&p->lock);
	px_view_unref(v);
}

/* Waits for a unit. NULL: stop. */
static struct unit *next_unit(struct px_plan *p)
{
	struct unit *u;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (p->wants_all && !p->has_all) {
			p->has_all = true;
			pthread_mutex_unlock(&p->lock);
			enqueue_all(p);
			pthread_mutex_lock(&p->lock);
		}
		if (p->stop || p->first)
			break;
		p->busy = false;
		pthread_cond_broadcast(&p->changed);
		pthread_cond_wait(&p->changed, &p->lock);
	}
	u = p->stop ? NULL : p->first;
	if (u) {
		p->first = u->next;
		if (!p->first)
			p->end = &p->first;
	}
	pthread_mutex_unlock(&p->lock);
	return u;
}

static void *planner_main(void *arg)
{
	struct px_plan *p = arg;
	struct px_wait *left;
	struct unit *u;
	uint64_t hash;

	while ((u = next_unit(p))) {
		plan_unit(p, u->name);
		hash = hash_of_unit(u->name);
		pthread_mutex_lock(&p->lock);
		px_set_add(&p->done, hash);
		left = px_waits_take_unit(&p->waits, hash);
		pthread_mutex_unlock(&p->lock);
		px_waits_go(left);
		free(u);
	}
	px_part_free(PX_STEAL(p->open));
	return NULL;
}

/* ----------------------------------------------------------------- public */

int px_plan_new(const struct px_plan_options *o, struct px_plan **ret)
{
	struct px_plan *p;
	int r;

	*ret = NULL;
	if (!o->o->remote)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->o = *o;
	p->end = &p->first;
	p->waits.stats = o->o->stats;
	p->waits.patience_ms = o->o->remote_wait_ms;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	r = px_map_reserve(&p->on_the_way);
	if (r == 0)
		r = px_thread_start(&p->planner, planner_main, p);
	p->has_planner = r == 0;
	if (r == 0)
		r = px_thread_start(&p->timer, timer_main, p);
	p->has_timer = r == 0 && p->has_planner;
	if (r < 0) {
		px_plan_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* Under lock. */
static bool may_wait(struct px_plan *p, struct px_wait *w)
{
	if (p->stop || p->waits.over || p->o.o->remote_wait_ms == 0)
		return false;
	w->part = find_chunk(p, w->key);
	return w->part || !px_set_has(&p->done, w->unit);
}

/* Under lock: what was planned long ago may be planned again. */
static void forget_old(struct px_plan *p)
{
	if (p->busy || p->n_chunks > 0 || p->started == 0 ||
	    px_now_ms() - p->started < LIFETIME)
		return;
	px_set_fini(&p->asked);
	px_set_fini(&p->done);
	p->has_all = p->wants_all = false;
	p->started = 0;
	px_waits_renew(&p->waits);
}

bool px_plan_wait(struct px_plan *p, const char *path,
		  const uint8_t key[PX_DIGEST_SIZE], bool is_waited,
		  struct px_wait *w)
{
	bool waits;

	if (!p || px_rules_is_local(p->o.o->rules, path) ||
	    !px_remote_answers(p->o.o->remote))
		return false;
	memcpy(w->key, key, PX_DIGEST_SIZE);
	w->unit = hash_of_unit(path);
	pthread_mutex_lock(&p->lock);
	forget_old(p);
	enqueue(p, path);
	if (p->o.o->immutable && !p->wants_all) {
		p->wants_all = true;
		pthread_cond_broadcast(&p->changed);
	}
	waits = may_wait(p, w);
	if (waits) {
		px_waits_add(&p->waits, w, is_waited);
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return waits;
}

void px_plan_hurry(struct px_plan *p, struct px_wait *w)
{
	pthread_mutex_lock(&p->lock);
	px_waits_hurry(&p->waits, w);
	pthread_mutex_unlock(&p->lock);
}

bool px_plan_leads(struct px_plan *p)
{
	bool leads;

	if (!p || !px_remote_answers(p->o.o->remote))
		return false;
	pthread_mutex_lock(&p->lock);
	leads = p->busy && !p->stop && !p->waits.over &&
		px_now_ms() - p->started < HEAD_START;
	pthread_mutex_unlock(&p->lock);
	return leads;
}

void px_plan_all(struct px_plan *p)
{
	pthread_mutex_lock(&p->lock);
	p->wants_all = p->busy = true;
	pthread_cond_broadcast(&p->changed);
	while (!p->stop && (p->busy || p->n_chunks > 0))
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void px_plan_stop(struct px_plan *p)
{
	struct px_wait *left;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	left = px_waits_take_all(&p->waits);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	px_waits_go(left);
}

void px_plan_join(struct px_plan *p)
{
	if (!p)
		return;
	px_plan_stop(p);
	if (p->has_planner)
		pthread_join(p->planner, NULL);
	if (p->has_timer)
		pthread_join(p->timer, NULL);
	p->has_planner = p->has_timer = false;
	pthread_mutex_lock(&p->lock);
	while (p->n_chunks > 0)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void px_plan_free(struct px_plan *p)
{
	struct px_part *c, *next_chunk;
	struct unit *u, *next;

	if (!p)
		return;
	px_plan_join(p);
	for (u = p->first; u; u = next) {
		next = u->next;
		free(u);
	}
	for (c = p->missed; c; c = next_chunk) {
		next_chunk = c->next;
		px_part_free(c);
	}
	px_set_fini(&p->asked);
	px_set_fini(&p->done);
	px_map_fini(&p->on_the_way);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
}

struct px_part *px_plan_take_missed(struct px_plan *p)
{
	struct px_part *list;

	pthread_mutex_lock(&p->lock);
	list = PX_STEAL(p->missed);
	pthread_mutex_unlock(&p->lock);
	return list;
}
