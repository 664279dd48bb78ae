/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include "pycfs/buf.h"
#include "pycfs/rules.h"

#include <limits.h>

/* ------------------------------------------------------------- matching */

/* The character classes of fnmatch(3), limited to ASCII, because file names are
 * bytes without a known encoding. */
static const struct {
	const char *name;
	const char *ranges; /* pairs of first and last byte */
} classes[] = {
	{"alnum", "azAZ09"},   {"alpha", "azAZ"},
	{"blank", "  \t\t"},   {"cntrl", "\1\37\177\177"},
	{"digit", "09"},       {"graph", "!~"},
	{"lower", "az"},       {"print", " ~"},
	{"punct", "!/:@[`{~"}, {"space", "\t\r  "},
	{"upper", "AZ"},       {"xdigit", "09afAF"},
};

/* What take_member returns for a member of a [...] set. A class is its index in
 * `classes`, from 0. */
enum {
	MEMBER_BYTES = -1,
	MEMBER_UNKNOWN = -2, /* a class that is not in `classes` */
	MEMBER_ENDLESS = -3, /* the pattern ends inside of the set */
};

/* Parses a class "[:name:]" at `p` and sets *ret_end to what follows it.
 * Returns its index, MEMBER_UNKNOWN, or MEMBER_BYTES if this is not a class. As
 * in git, a class ends at the first closing bracket, and only if a colon
 * precedes it. */
static int find_class(const char *p, const char **ret_end)
{
	const char *end;
	size_t n, i;

	if (p[0] != '[' || p[1] != ':')
		return MEMBER_BYTES;
	end = strchr(p + 2, ']');
	if (!end || end == p + 2 || end[-1] != ':')
		return MEMBER_BYTES;
	n = (size_t)(end - p) - 3;
	*ret_end = end + 1;
	for (i = 0; i < PX_ARRAY_LEN(classes); i++)
		if (strlen(classes[i].name) == n &&
		    memcmp(classes[i].name, p + 2, n) == 0)
			return (int)i;
	return MEMBER_UNKNOWN;
}

static unsigned char take_byte(const char **p)
{
	*p += **p == '\\';
	return **p ? (unsigned char)*(*p)++ : 0;
}

/* Parses one member of a set at *p and moves *p behind it. Returns the index of
 * a class, MEMBER_BYTES with a range of bytes, or an error. Checking a pattern
 * and matching it both use this function, so that they agree on where a set
 * ends. */
static int take_member(const char **p, unsigned char *ret_low,
		       unsigned char *ret_high)
{
	const int class = find_class(*p, p);

	*ret_low = *ret_high = 0;
	if (class != MEMBER_BYTES)
		return class;
	*ret_low = *ret_high = take_byte(p);
	if ((*p)[0] == '-' && (*p)[1] != ']') {
		++*p;
		*ret_high = take_byte(p);
	}
	return *ret_low && *ret_high ? MEMBER_BYTES : MEMBER_ENDLESS;
}

static bool in_class(int class, unsigned char c)
{
	const char *r = classes[class].ranges;

	for (; *r; r += 2)
		if ((unsigned char)r[0] <= c && c <= (unsigned char)r[1])
			return true;
	return false;
}

/* Matches `c` against the set at `p`, which points behind the opening bracket.
 * *ret_end is set to what follows the set. The pattern has been checked, so the
 * closing bracket exists. */
static bool match_set(const char *p, unsigned char c, const char **ret_end)
{
	const bool inverted = *p == '!' || *p == '^';
	bool found = false, first = true;

	p += inverted;
	for (; *p != ']' || first; first = false) {
		unsigned char low, high;
		const int class = take_member(&p, &low, &high);

		if (class >= 0)
			found |= in_class(class, c);
		else
			/* As in git, a reversed range has its first byte. */
			found |= c == low || (low <= c && c <= high);
	}
	*ret_end = p + 1;
	return found != inverted;
}

/* Matches one byte of a name; *p moves behind the part of the pattern that
 * matches it. */
static bool match_one(const char **p, char c)
{
	const char *at = *p;

	switch (*at) {
	case '\0':
	case '*':
		return false;
	case '?':
		*p = at + 1;
		return true;
	case '[':
		return match_set(at + 1, (unsigned char)c, p);
	case '\\':
		at++;
		break;
	default:
		break;
	}
	*p = at + 1;
	return *at == c;
}

/* Matches a name of `n` bytes. After a mismatch it is enough to go back to the
 * last star and let it match one byte more, so the time is bounded by n times
 * the length of the pattern. */
static bool match_name(const char *pattern, const char *name, size_t n)
{
	const char *p = pattern, *star = NULL;
	size_t i = 0, star_i = 0;

	while (i < n) {
		if (*p == '*') {
			star = ++p;
			star_i = i;
		} else if (match_one(&p, name[i])) {
			i++;
		} else if (star) {
			p = star;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

/* Whether a segment consists of two or more stars. */
static bool is_double_star(const char *segment)
{
	const size_t n = strspn(segment, "*");

	return n >= 2 && segment[n] == '\0';
}

/* Matches `path`, which has `n` bytes, segment by segment. As in match_name, a
 * mismatch goes back to the last ** and lets it match one directory more. */
static bool match_path(const struct px_pattern *r, const char *path, size_t n)
{
	size_t at = 0, star_at = 0;
	unsigned s = 0, star = UINT_MAX;

	while (at < n) {
		const char *slash = memchr(path + at, '/', n - at);
		const size_t len = slash ? (size_t)(slash - path) - at : n - at;

		if (s < r->n_segments && is_double_star(r->segments[s])) {
			/* As the last segment, ** matches everything that is
			 * left, but not nothing. */
			if (s + 1 == r->n_segments)
				return true;
			star = s++;
			star_at = at;
			continue;
		}
		if (s < r->n_segments &&
		    match_name(r->segments[s], path + at, len)) {
			s++;
			at += len + (slash != NULL);
			if (s < r->n_segments || at >= n)
				continue;
		}
		if (star == UINT_MAX)
			return false;
		slash = memchr(path + star_at, '/', n - star_at);
		if (!slash)
			return false;
		star_at = (size_t)(slash - path) + 1;
		at = star_at;
		s = star + 1;
	}
	return s == r->n_segments;
}

bool px_pattern_matches(const struct px_pattern *r, const char *path, size_t n,
			bool is_dir)
{
	const char *name;

	if (r->dir_only && !is_dir)
		return false;
	if (!r->any_depth)
		return match_path(r, path, n);
	name = memrchr(path, '/', n);
	name = name ? name + 1 : path;
	return match_name(r->segments[0], name, n - (size_t)(name - path));
}

bool px_pattern_within(const struct px_pattern *r, const char *path,
		       bool is_dir)
{
	const size_t n = strlen(path);
	const char *slash;

	/* Of many rules most are for other packages. */
	if (r->first && *path != r->first)
		return false;
	if (px_pattern_matches(r, path, n, is_dir))
		return true;
	for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (px_pattern_matches(r, path, (size_t)(slash - path), true))
			return true;
	return false;
}

/* ------------------------------------------------------------- building */

/* Checks the segment `p`. Returns NULL if it is valid, else what is wrong with
 * it. */
static const char *check_name(const char *p)
{
	unsigned char low, high;

	while (*p) {
		if (*p == '\\') {
			if (*++p == '\0')
				return "a backslash at the end";
			p++;
		} else if (*p++ == '[') {
			p += *p == '!' || *p == '^';
			/* A closing bracket directly after the opening one is a
			 * member of the set. */
			do {
				switch (take_member(&p, &low, &high)) {
				case MEMBER_UNKNOWN:
					return "an unknown [:class:]";
				case MEMBER_ENDLESS:
					return "a [ without its ]";
				default:
					break;
				}
			} while (*p != ']');
			p++;
		}
	}
	return NULL;
}

/* Whether a backslash escapes the byte at `end`: an odd number of them precede
 * it. */
static bool is_escaped(const char *start, const char *end)
{
	const char *p = end;

	while (p > start && p[-1] == '\\')
		p--;
	return (end - p) % 2 != 0;
}

/* Adds the segment from `p` to `slash`, or to the end of the pattern if `slash`
 * is NULL. Returns NULL or what is wrong with the segment. */
static const char *add_segment(struct px_pattern *r, char *p, char *slash)
{
	const bool escaped = slash && is_escaped(p, slash);

	if (slash)
		slash[escaped ? -1 : 0] = '\0';
	if (*p == '\0')
		return "two slashes in a row";
	/* In git, a ** before an escaped slash matches at least one directory,
	 * so a segment of a single star is added in front of it. */
	if (escaped && is_double_star(p))
		r->segments[r->n_segments++] = p + strlen(p) - 1;
	r->segments[r->n_segments++] = p;
	return check_name(p);
}

static const char *split(struct px_pattern *r)
{
	char *p = r->text, *slash;
	size_t n = strlen(p);
	const char *what = NULL;

	if (n > 0 && p[n - 1] == '/') {
		r->dir_only = true;
		p[--n] = '\0';
	}
	r->any_depth = strchr(p, '/') == NULL;
	if (*p == '/')
		p++;
	if (*p == '\0')
		return "an empty pattern";
	for (; p && !what; p = slash ? slash + 1 : NULL) {
		slash = strchr(p, '/');
		what = add_segment(r, p, slash);
	}
	return what;
}

/* Whether this byte of a pattern stands for itself. */
static bool is_plain(char c)
{
	return !strchr("*?[\\", c);
}

void px_pattern_fini(struct px_pattern *r)
{
	free(r->text);
	free(r->pattern);
	free(r->segments);
}

int px_pattern_init(struct px_pattern *r, const char *pattern, size_t n,
		    const char **ret_what)
{
	r->pattern = strndup(pattern, n);
	if (n > 0 && *pattern == '!') {
		r->negated = true;
		pattern++;
		n--;
	}
	r->text = strndup(pattern, n);
	r->segments = calloc(n + 1, sizeof(*r->segments));
	if (!r->text || !r->segments || !r->pattern)
		return -ENOMEM;
	*ret_what = split(r);
	if (*ret_what)
		return -EINVAL;
	if (!r->any_depth && is_plain(*r->segments[0]))
		r->first = *r->segments[0];
	return 0;
}

int px_rules_put_path(struct px_buf *pattern, const char *path, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (strchr(" \t*?[]\\!#", path[i]))
			r = px_buf_add(pattern, "\\", 1);
		if (r == 0)
			r = px_buf_add(pattern, path + i, 1);
	}
	return r;
}

char *px_pattern_place(const struct px_pattern *r)
{
	PX_AUTO(px_buf_fini) struct px_buf path = {.max = SIZE_MAX};
	int err = 0;

	for (unsigned i = 0; !r->any_depth && i < r->n_segments; i++) {
		const char *s = r->segments[i];

		if (s[strcspn(s, "*?[\\")])
			break;
		if (path.size > 0)
			err = px_buf_add(&path, "/", 1);
		if (err == 0)
			err = px_buf_add(&path, s, strlen(s));
		if (err < 0)
			return NULL;
	}
	return px_buf_add(&path, "", 1) < 0 ? NULL
					    : (char *)PX_STEAL(path.data);
}
