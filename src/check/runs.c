/* SPDX-License-Identifier: MIT */
#include "runs.h"

#include <poll.h>
#include <stdio.h>

#define MAX_JOBS 256
#define TICK_MS	 100

/* A run whose process is there. */
struct slot {
	bool busy;
	struct px_run run;
	struct px_process p;
	size_t current; /* the item that is tried; `from` - 1 + n of these */
	bool begun;	/* one is tried, and has no outcome yet */
	bool restarted; /* it does not begin with the first item of its group */
};

int px_runs_add(struct px_runs *r, const struct px_run *run)
{
	struct px_run *queue;

	if (r->n == r->capacity) {
		const size_t capacity = r->capacity ? r->capacity * 2 : 256;

		queue = reallocarray(r->queue, capacity, sizeof(*queue));
		if (!queue)
			return -ENOMEM;
		r->queue = queue;
		r->capacity = capacity;
	}
	r->queue[r->n++] = *run;
	r->progress.total++;
	return 0;
}

void px_runs_fini(struct px_runs *r)
{
	free(r->queue);
}

static int write_input(const struct px_runs *r, const struct px_run *run,
		       struct px_buf *out)
{
	int err = 0;

	for (size_t i = run->from; i < run->to && err == 0; i++) {
		const struct px_check_item *item = &r->items->all[i];
		char head[40];
		int n = snprintf(head, sizeof(head), "%zu %c ", i,
				 item->is_entry_point ? 'E' : 'M');

		err = px_buf_add(out, head, (size_t)n);
		if (err == 0)
			err = px_buf_add(out, item->name, strlen(item->name));
		if (err == 0)
			err = px_buf_add(out, "\n", 1);
	}
	return err;
}

static int start(struct px_runs *r, struct slot *s, const struct px_run *run)
{
	PX_AUTO(px_buf_fini) struct px_buf input = {.max = SIZE_MAX};
	int err = write_input(r, run, &input);

	*s = (struct slot){.run = *run, .current = run->from};
	if (err == 0)
		err = px_process_start(r->o, run->side, "import", &input,
				       &s->p);
	if (err < 0)
		px_buf_fini(&s->p.in);
	s->busy = err == 0;
	return err;
}

static struct px_outcome *outcome_of(struct px_runs *r, const struct slot *s)
{
	return &r->items->all[s->current].outcome[s->run.side][s->run.round];
}

static int set(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int take_failure(struct px_outcome *o, const struct px_message *m)
{
	o->kind = PX_OUTCOME_FAILS;
	o->line = (unsigned)strtoul(m->field[5], NULL, 10);
	if (set(&o->type, m->field[2]) < 0 || set(&o->text, m->field[3]) < 0 ||
	    set(&o->file, m->field[4]) < 0 ||
	    set(&o->function, m->field[6]) < 0 ||
	    set(&o->frames, m->field[7]) < 0)
		return -ENOMEM;
	return 0;
}

/* Takes one message. What does not fit, as it could not have come from
 * imports.py, is ignored. */
static int take(struct px_runs *r, struct slot *s, const struct px_message *m)
{
	const size_t index = strtoul(m->field[1], NULL, 10);
	const char *what = m->field[0];

	if (strcmp(what, "T") == 0) {
		if (!s->run.facts)
			return 0;
		if (px_buf_add(s->run.facts, m->field[1], strlen(m->field[1])) <
			    0 ||
		    px_buf_add(s->run.facts, "\n", 1) < 0)
			return -ENOMEM;
		return 0;
	}
	if (strcmp(what, ".") == 0) {
		if (s->run.complete && s->current == s->run.to && !s->begun)
			*s->run.complete = true;
		return 0;
	}
	if (index != s->current || index >= s->run.to)
		return 0;
	if (strcmp(what, "B") == 0) {
		s->begun = true;
		return 0;
	}
	if (!s->begun)
		return 0;
	if (strcmp(what, "R") == 0)
		outcome_of(r, s)->kind = PX_OUTCOME_WORKS;
	else if (strcmp(what, "F") != 0)
		return 0;
	else if (take_failure(outcome_of(r, s), m) < 0)
		return -ENOMEM;
	s->begun = false;
	s->current++;
	return 0;
}

/* The process has ended. The item that was tried then has that as its outcome,
 * and what is behind it gets another process. */
static int end(struct px_runs *r, struct slot *s)
{
	struct px_run rest = s->run;
	struct px_outcome *o;
	char how[80];

	px_process_end(&s->p, how);
	s->busy = false;
	r->progress.done++;
	if (s->current >= s->run.to)
		return 0;
	o = outcome_of(r, s);
	o->kind = PX_OUTCOME_ENDS;
	if (set(&o->text, how) < 0)
		return -ENOMEM;
	rest.from = s->current + 1;
	rest.facts = NULL;
	rest.complete = NULL;
	return rest.from < rest.to ? px_runs_add(r, &rest) : 0;
}

static int serve(struct px_runs *r, struct slot *s)
{
	int done = px_process_read(&s->p), err = 0;
	struct px_message m;

	while (err == 0 && px_process_next(&s->p, &m))
		err = take(r, s, &m);
	/* One that sends too much has it coming. */
	if (done == -EBADMSG || px_now_ms() > s->p.deadline_ms)
		s->p.deadline_ms = 0;
	else if (done <= 0)
		return err < 0 ? err : done;
	return err < 0 ? err : end(r, s);
}

static int step(struct px_runs *r, struct slot *slots, unsigned n)
{
	struct pollfd pfds[MAX_JOBS];
	unsigned i;
	int err = 0;

	for (i = 0; i < n; i++) {
		if (!slots[i].busy && r->next < r->n) {
			const struct px_run run = r->queue[r->next++];

			err = start(r, &slots[i], &run);
			if (err < 0)
				return err;
		}
		pfds[i] = (struct pollfd){
			.fd = slots[i].busy ? slots[i].p.fd : -1,
			.events = POLLIN,
		};
	}
	if (poll(pfds, n, TICK_MS) < 0 && errno != EINTR)
		return -errno;
	for (i = 0; i < n && err == 0; i++)
		if (slots[i].busy &&
		    (pfds[i].revents || px_now_ms() > slots[i].p.deadline_ms))
			err = serve(r, &slots[i]);
	if (err == 0 && !r->o->tick(r->o->tick_arg, &r->progress))
		err = -ECANCELED;
	return err;
}

static bool any_busy(const struct slot *slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (slots[i].busy)
			return true;
	return false;
}

int px_runs_do(struct px_runs *r)
{
	const unsigned n = r->o->jobs < MAX_JOBS ? r->o->jobs : MAX_JOBS;
	PX_AUTOFREE struct slot *slots = calloc(n, sizeof(*slots));
	char how[80];
	int err = slots ? 0 : -ENOMEM;

	while (err == 0 && (r->next < r->n || any_busy(slots, n)))
		err = step(r, slots, n);
	for (unsigned i = 0; slots && i < n; i++) {
		slots[i].p.deadline_ms = 0;
		if (slots[i].busy)
			px_process_end(&slots[i].p, how);
	}
	return err;
}
