/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <stdio.h>

#define MAX_LISTS 4

struct line {
	const char *p;
	size_t n;
};

static int compare(const struct line *a, const struct line *b)
{
	const size_t n = a->n < b->n ? a->n : b->n;
	const int c = n > 0 ? memcmp(a->p, b->p, n) : 0;

	return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

static int compare_lines(const void *a, const void *b)
{
	return compare(a, b);
}

/* The next line of `b` from *at on, which is moved behind it. */
static bool next(const struct px_buf *b, size_t *at, struct line *ret)
{
	const char *from = (const char *)b->data + *at, *end;

	if (*at >= b->size)
		return false;
	end = memchr(from, '\n', b->size - *at);
	*ret = (struct line){from, end ? (size_t)(end - from) : b->size - *at};
	*at += ret->n + 1;
	return true;
}

int px_facts_sort(struct px_buf *facts)
{
	PX_AUTO(px_buf_fini) struct px_buf sorted = {.max = SIZE_MAX};
	PX_AUTOFREE struct line *lines = NULL;
	struct line l;
	size_t at = 0, n = 0, i;
	int r = 0;

	while (next(facts, &at, &l))
		n++;
	lines = calloc(n + 1, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	for (at = 0, i = 0; i < n && next(facts, &at, &lines[i]); i++)
		;
	if (n > 0)
		qsort(lines, n, sizeof(*lines), compare_lines);
	for (i = 0; i < n && r == 0; i++) {
		if (i > 0 && compare(&lines[i - 1], &lines[i]) == 0)
			continue;
		r = px_buf_add(&sorted, lines[i].p, lines[i].n);
		if (r == 0)
			r = px_buf_add(&sorted, "\n", 1);
	}
	if (r == 0) {
		px_buf_fini(facts);
		*facts = sorted;
		sorted = (struct px_buf){.max = SIZE_MAX};
	}
	return r;
}

/* Whether `b`, from *at on, has the line; *at is moved to it or behind. */
static bool has(const struct px_buf *b, size_t *at, const struct line *wanted)
{
	struct line l;
	size_t to = *at;

	while (next(b, &to, &l)) {
		const int c = compare(&l, wanted);

		if (c == 0)
			return true;
		if (c > 0)
			return false;
		*at = to;
	}
	return false;
}

/* What is before the ": " of a line, or all of it. */
static size_t name_length(const struct line *l)
{
	const char *colon = l->n > 1 ? memmem(l->p, l->n, ": ", 2) : NULL;

	return colon ? (size_t)(colon - l->p) : l->n;
}

/* The line of `b` with the same name; an empty one: there is none. */
static struct line find_name(const struct px_buf *b, const struct line *wanted)
{
	const size_t n = name_length(wanted);
	struct line l;
	size_t at = 0;

	while (next(b, &at, &l))
		if (name_length(&l) == n && memcmp(l.p, wanted->p, n) == 0)
			return l;
	return (struct line){"", 0};
}

/* Whether all of the lists have the same of the name that is in the line. */
static bool is_stable(const struct px_buf *const *lists, size_t n,
		      const struct line *l)
{
	const struct line first = find_name(lists[0], l);

	for (size_t i = 1; i < n; i++) {
		const struct line other = find_name(lists[i], l);

		if (compare(&first, &other) != 0)
			return false;
	}
	return true;
}

/* Modules that were found, each below the one before it: "a", "a.b". */
struct modules {
	struct line at[16];
	size_t n;
};

/* Whether `l` tells what a module has that was found before it, in the order of
 * names; else, if it is a module itself, it is one of these from now on. */
static bool belongs(struct modules *m, const struct line *l)
{
	const size_t name = name_length(l);

	for (; m->n > 0; m->n--) {
		const struct line *top = &m->at[m->n - 1];

		if (name > top->n && memcmp(l->p, top->p, top->n) == 0 &&
		    l->p[top->n] == '.')
			break;
	}
	if (name < l->n)
		return m->n > 0 && !memchr(l->p + m->at[m->n - 1].n + 1, '.',
					   name - m->at[m->n - 1].n - 1);
	if (m->n < PX_ARRAY_LEN(m->at))
		m->at[m->n++] = *l;
	return false;
}

int px_facts_only(const struct px_buf *const *with,
		  const struct px_buf *const *without, size_t n, char sign,
		  size_t max, struct px_buf *out)
{
	size_t at_with[MAX_LISTS] = {0}, at_without[MAX_LISTS] = {0};
	struct modules modules = {.n = 0};
	size_t found = 0, at = 0, i;
	struct line l;
	int r = 0;

	while (next(with[0], &at, &l) && r == 0) {
		bool only = true;

		for (i = 1; i < n; i++)
			only &= has(with[i], &at_with[i], &l);
		for (i = 0; i < n; i++)
			only &= !has(without[i], &at_without[i], &l);
		if (!only || belongs(&modules, &l) ||
		    !is_stable(without, n, &l) || ++found > max)
			continue;
		r = px_buf_add(out, &sign, 1);
		if (r == 0)
			r = px_buf_add(out, l.p, l.n);
		if (r == 0)
			r = px_buf_add(out, "\n", 1);
	}
	if (r == 0 && found > max) {
		char more[64];
		const int m =
			snprintf(more, sizeof(more), "%c... and %zu more\n",
				 sign, found - max);

		r = px_buf_add(out, more, (size_t)m);
	}
	return r < 0 ? r : (int)found;
}
