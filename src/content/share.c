/* SPDX-License-Identifier: MIT */
#include "share.h"

/* Modules that are being compiled: enough for all workers, and little memory.
 */
#define MAX_OPEN 256

struct share {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_open; /* under lock */
};

static void on_module(void *arg, PX_UNUSED int err,
		      PX_UNUSED const struct px_module *m)
{
	struct share *s = arg;

	pthread_mutex_lock(&s->lock);
	s->n_open--;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Waits until no more than `most` modules are being compiled. */
static void wait_open(struct share *s, unsigned most)
{
	pthread_mutex_lock(&s->lock);
	while (s->n_open > most)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void compile_part(struct share *s, const struct px_modules *ms,
			 const struct px_part *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct px_part_module *m = &c->m[i];

		wait_open(s, MAX_OPEN);
		pthread_mutex_lock(&s->lock);
		s->n_open++;
		pthread_mutex_unlock(&s->lock);
		px_module_get(ms, m->id.path, &m->st, m->id.kind, PX_WANT_SIZE,
			      on_module, s);
	}
}

void px_parts_push(const struct px_modules *ms, struct px_plan *p, bool compile)
{
	struct px_part *list = px_plan_take_missed(p), *c, *next;
	struct share s = {.n_open = 0};

	pthread_mutex_init(&s.lock, NULL);
	pthread_cond_init(&s.changed, NULL);
	for (c = compile ? list : NULL; c; c = c->next)
		compile_part(&s, ms, c);
	wait_open(&s, 0);
	for (c = list; c; c = next) {
		next = c->next;
		px_part_push(ms->o, ms->keys, c);
		px_part_free(c);
	}
	if (list)
		px_remote_finish(ms->o->remote);
	pthread_mutex_destroy(&s.lock);
	pthread_cond_destroy(&s.changed);
}
