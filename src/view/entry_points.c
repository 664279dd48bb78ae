/* SPDX-License-Identifier: MIT */
#include "entry_points.h"

#include "pycfs/path.h"
#include "pycfs/text.h"

#include <ctype.h>
#include <limits.h>

/* Bytes of a text. */
struct span {
	const char *p;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct span strip(struct span s)
{
	while (s.n > 0 && is_blank(*s.p)) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool equals(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* The next line, without blanks around it. False: there is none. */
static bool next_line(struct px_entry_points *r, struct span *ret)
{
	const char *from = r->data + r->at, *end;

	if (r->at >= r->size)
		return false;
	end = memchr(from, '\n', r->size - r->at);
	*ret = (struct span){from,
			     end ? (size_t)(end - from) : r->size - r->at};
	r->at += ret->n + 1;
	*ret = strip(*ret);
	return true;
}

static int set(struct px_buf *b, struct span s)
{
	int r;

	b->max = SIZE_MAX;
	b->size = 0;
	r = px_buf_add(b, s.p, s.n);
	return r < 0 ? r : px_buf_add(b, "", 1);
}

/* Whether `s` consists of identifiers with dots between them. Bytes beyond
 * ASCII count as letters where they are UTF-8. */
static bool is_dotted(const struct px_buf *s)
{
	const char *p = (const char *)s->data;
	bool begins = true;

	if (strlen(p) + 1 != s->size)
		return false;
	for (; *p; begins = *p++ == '.') {
		const unsigned char c = (unsigned char)*p;
		const size_t n = px_utf8_sequence(p);

		if (n == 0 || (begins && (c == '.' || isdigit(c))) ||
		    (n == 1 && !isalnum(c) && c != '_' && c != '.'))
			return false;
		p += n - 1;
	}
	return !begins;
}

/* Whether a file of a directory can be called so, and shown to a user. */
static bool is_name(const struct px_buf *s)
{
	const char *p = (const char *)s->data;
	size_t n;

	if (strlen(p) + 1 != s->size || s->size > NAME_MAX ||
	    !px_path_is_name(p) || strchr(p, '/'))
		return false;
	for (; *p; p += n)
		if (px_is_control(p, &n))
			return false;
	return true;
}

/* name = module:object [extras] */
static int take(struct span line, struct px_entry_point *ret)
{
	const char *equal = memchr(line.p, '=', line.n);
	const char *end = line.p + line.n, *colon, *bracket;
	int r = set(&ret->name,
		    strip((struct span){line.p, equal ? (size_t)(equal - line.p)
						      : line.n}));

	if (r < 0 || !equal)
		return r < 0 ? r : -EBADMSG;
	bracket = memchr(equal, '[', (size_t)(end - equal));
	end = bracket ? bracket : end;
	colon = memchr(equal, ':', (size_t)(end - equal));
	if (!colon)
		return -EBADMSG;
	r = set(&ret->module,
		strip((struct span){equal + 1, (size_t)(colon - equal - 1)}));
	if (r == 0)
		r = set(&ret->object,
			strip((struct span){colon + 1,
					    (size_t)(end - colon - 1)}));
	if (r < 0)
		return r;
	return is_name(&ret->name) && is_dotted(&ret->module) &&
			       is_dotted(&ret->object)
		       ? 1
		       : -EBADMSG;
}

int px_entry_points_next(struct px_entry_points *r, struct px_entry_point *ret)
{
	struct span line;

	while (next_line(r, &line)) {
		if (line.n == 0 || *line.p == '#' || *line.p == ';')
			continue;
		if (*line.p == '[') {
			r->in_scripts = equals(line, "[console_scripts]") ||
					equals(line, "[gui_scripts]");
			continue;
		}
		if (r->in_scripts)
			return take(line, ret);
	}
	return 0;
}

void px_entry_point_fini(struct px_entry_point *p)
{
	px_buf_fini(&p->name);
	px_buf_fini(&p->module);
	px_buf_fini(&p->object);
}
