/* SPDX-License-Identifier: MIT */
/*
 * A program of the user's, such as a test suite, that is run with the source
 * and with the layer in Python's path.
 */
#include "facts.h"
#include "process.h"
#include "result.h"

#include "pycfs/spawn.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#define ROUNDS	   2
#define MAX_OUTPUT (16u << 20) /* bytes that are kept of its output */
#define MAX_LINE   200	       /* of a line of output that is shown */

/* What one run did. */
struct ran {
	char how[80];
	struct px_buf output;
	struct px_buf outcomes; /* of its tests, sorted lines "NAME: OUTCOME" */
};

struct command {
	const struct px_check_options *o;
	char *const *argv;
	struct ran ran[PX_N_SIDES][ROUNDS];
	struct px_check_result *ret;
};

static void command_fini(struct command *c)
{
	for (int side = 0; side < PX_N_SIDES; side++)
		for (int round = 0; round < ROUNDS; round++) {
			px_buf_fini(&c->ran[side][round].output);
			px_buf_fini(&c->ran[side][round].outcomes);
		}
}

/* --------------------------------------------------------------- running */

/* Takes what the program writes, up to its end. */
static int take_output(struct command *c, struct px_process *p, struct ran *ran)
{
	const struct px_check_progress nothing = {0, 0};
	int r = 0, end = 0;

	while (r == 0 && end == 0) {
		struct pollfd pfd = {.fd = p->fd, .events = POLLIN};

		if (poll(&pfd, 1, 100) < 0 && errno != EINTR)
			return -errno;
		end = px_process_read(p);
		if (p->in.size > 0 && ran->output.size < MAX_OUTPUT)
			r = px_buf_add(&ran->output, p->in.data, p->in.size);
		p->used = p->in.size;
		if (px_now_ms() > p->deadline_ms)
			end = 1;
		if (r == 0 && !c->o->tick(c->o->tick_arg, &nothing))
			r = -ECANCELED;
	}
	return r;
}

/* Adds the outcomes of the tests in the JUnit files of directory `dir`. */
static int take_outcomes(struct command *c, const char *dir, struct ran *ran)
{
	PX_AUTO(px_buf_fini) struct px_buf names = {.max = SIZE_MAX};
	struct px_process p = {.fd = -1};
	struct px_message m;
	char how[80];
	int end = 0;
	int r = px_buf_add(&names, dir, strlen(dir));

	if (r == 0)
		r = px_buf_add(&names, "\n", 1);
	if (r == 0)
		r = px_process_start(c->o, PX_SIDE_SOURCE, "junit", &names, &p);
	while (r == 0 && end == 0) {
		struct pollfd pfd = {.fd = p.fd, .events = POLLIN};

		if (poll(&pfd, 1, 100) < 0 && errno != EINTR)
			r = -errno;
		end = px_process_read(&p);
		while (r == 0 && px_process_next(&p, &m)) {
			if (strcmp(m.field[0], "O") != 0)
				continue;
			r = px_buf_add(&ran->outcomes, m.field[1],
				       strlen(m.field[1]));
			if (r == 0)
				r = px_buf_add(&ran->outcomes, "\n", 1);
		}
	}
	px_process_end(&p, how);
	return r < 0 ? r : px_facts_sort(&ran->outcomes);
}

static int run(struct command *c, enum px_tree_side side, int round)
{
	struct ran *ran = &c->ran[side][round];
	PX_AUTOFREE char *dir = NULL;
	struct px_process p = {.fd = -1};
	int r;

	ran->output.max = ran->outcomes.max = SIZE_MAX;
	if (asprintf(&dir, "%s/../run-%d-%d", c->o->scratch, side, round) < 0)
		return dir = NULL, -ENOMEM;
	if (mkdir(dir, 01777) < 0 || chmod(dir, 01777) < 0)
		return -errno;
	r = px_process_command(c->o, side, dir, c->argv, &p);
	if (r == 0)
		r = take_output(c, &p, ran);
	if (r < 0)
		p.deadline_ms = 0;
	px_process_end(&p, ran->how);
	return r < 0 ? r : take_outcomes(c, dir, ran);
}

/* --------------------------------------------------------------- judging */

static bool same(const struct px_buf *a, const struct px_buf *b)
{
	return a->size == b->size &&
	       (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static int add(struct command *c, enum px_finding_kind kind, char *name,
	       char *text)
{
	return px_result_add(c->ret, &(struct px_finding){
					     .kind = kind,
					     .name = name,
					     .owner = c->argv[0],
					     .text = text,
				     });
}

/* What the lines of `text` say, each of which is a test with its outcome. */
static int add_tests(struct command *c, char *text)
{
	char *line, *next;
	int r = 0;

	for (line = text; *line && r == 0; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		r = add(c, PX_FINDING_TEST, line + 1, NULL);
	}
	return r;
}

/* Tests whose outcome in the source, each time, the layer never has. */
static int judge_tests(struct command *c)
{
	const struct px_buf *source[ROUNDS], *layer[ROUNDS];
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = SIZE_MAX};
	int r;

	for (int round = 0; round < ROUNDS; round++) {
		source[round] = &c->ran[PX_SIDE_SOURCE][round].outcomes;
		layer[round] = &c->ran[PX_SIDE_LAYER][round].outcomes;
	}
	r = px_facts_only(source, layer, ROUNDS, '-', 1000, &text);
	if (r >= 0)
		r = px_buf_add(&text, "", 1);
	return r < 0 ? r : add_tests(c, (char *)text.data);
}

/* The first line in which the outputs differ, of each. */
static int show_output(struct command *c)
{
	const struct px_buf *a = &c->ran[PX_SIDE_SOURCE][0].output;
	const struct px_buf *b = &c->ran[PX_SIDE_LAYER][0].output;
	size_t i, from = 0;

	if (same(a, b))
		return 0;
	for (i = 0; i < a->size && i < b->size && a->data[i] == b->data[i]; i++)
		if (a->data[i] == '\n')
			from = i + 1;
	for (int side = 0; side < PX_N_SIDES; side++) {
		const struct px_buf *o = &c->ran[side][0].output;
		const char *line = (const char *)o->data + from;
		const size_t left = o->size - from;
		const char *end = left ? memchr(line, '\n', left) : NULL;
		size_t n = end ? (size_t)(end - line) : left;

		n = n < MAX_LINE ? n : MAX_LINE;
		c->ret->output[side] = strndup(left ? line : "", n);
		if (!c->ret->output[side])
			return -ENOMEM;
	}
	return 0;
}

static bool is_alike(const struct command *c, int round)
{
	const struct ran *a = &c->ran[PX_SIDE_SOURCE][round];
	const struct ran *b = &c->ran[PX_SIDE_LAYER][round];

	return strcmp(a->how, b->how) == 0 && same(&a->outcomes, &b->outcomes);
}

static int judge(struct command *c)
{
	const struct ran *source = c->ran[PX_SIDE_SOURCE];
	const struct ran *layer = c->ran[PX_SIDE_LAYER];
	char text[300];
	int r = 0;

	if (strcmp(source[0].how, source[1].how) == 0 &&
	    strcmp(layer[0].how, layer[1].how) == 0 &&
	    strcmp(source[0].how, layer[0].how) != 0) {
		snprintf(text, sizeof(text), "%s; with the source it %s",
			 layer[0].how, source[0].how);
		r = add(c, PX_FINDING_COMMAND, c->argv[0], text);
	}
	return r < 0 ? r : judge_tests(c);
}

int px_check_command(const struct px_check_options *o, char *const *argv,
		     struct px_check_result *ret, struct px_why *why)
{
	PX_AUTO(command_fini)
	struct command c = {.o = o, .argv = argv, .ret = ret};
	int r = 0;

	for (int round = 0; round < ROUNDS && r == 0; round++) {
		/* What is alike need not be tried again. */
		if (round > 0 && is_alike(&c, 0))
			break;
		r = run(&c, PX_SIDE_SOURCE, round);
		if (r == 0)
			r = run(&c, PX_SIDE_LAYER, round);
	}
	if (r == 0)
		r = show_output(&c);
	if (r == 0 && !is_alike(&c, 0))
		r = judge(&c);
	if (r == -ECANCELED)
		return px_because(why, r, "interrupted");
	return r < 0 ? px_because(why, r, "cannot run %s: %s", argv[0],
				  strerror(-r))
		     : 0;
}
