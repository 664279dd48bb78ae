/* SPDX-License-Identifier: MIT */
#include "condition.h"

#include <limits.h>

/* ------------------------------------------------------------- versions */

/* More parts of a release than this are no version that anybody has made. */
#define MAX_PARTS 16

/* What comes first in the order of PEP 440 is less. */
enum stage {
	STAGE_DEV, /* a development release of a release */
	STAGE_ALPHA,
	STAGE_BETA,
	STAGE_RC,
	STAGE_FINAL,
};

struct version {
	uint64_t epoch;
	uint64_t part[MAX_PARTS];
	unsigned n; /* parts, without zeros at the end */
	enum stage stage;
	uint64_t stage_number;
	int64_t post; /* -1: none */
	int64_t dev;  /* INT64_MAX: none, which comes last */
};

static bool take_number(const char **p, const char *end, uint64_t *ret)
{
	const char *at = *p;
	uint64_t n = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		if (n > INT64_MAX / 20)
			return false;
		n = n * 10 + (uint64_t)(*at - '0');
	}
	if (at == *p)
		return false;
	*p = at;
	*ret = n;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Takes one of the words, with a separator before it that may be missing. */
static bool take_word(const char **p, const char *end, const char *word)
{
	const char *at = *p;

	if (at < end && (*at == '-' || *at == '_' || *at == '.'))
		at++;
	for (; *word; word++, at++)
		if (at == end || lower(*at) != *word)
			return false;
	*p = at;
	return true;
}

/* The number behind a word, 0 if there is none. */
static bool take_count(const char **p, const char *end, uint64_t *ret)
{
	const char *at = *p;

	*ret = 0;
	if (at < end && (*at == '-' || *at == '_' || *at == '.'))
		at++;
	if (at == end || *at < '0' || *at > '9')
		return true;
	*p = at;
	return take_number(p, end, ret);
}

static bool take_release(const char **p, const char *end, struct version *v)
{
	uint64_t n;

	if (*p < end && lower(**p) == 'v')
		++*p;
	if (!take_number(p, end, &n))
		return false;
	if (*p < end && **p == '!') {
		v->epoch = n;
		++*p;
		if (!take_number(p, end, &n))
			return false;
	}
	v->part[v->n++] = n;
	while (end - *p > 1 && (*p)[0] == '.' && (*p)[1] >= '0' &&
	       (*p)[1] <= '9') {
		++*p;
		if (v->n == MAX_PARTS || !take_number(p, end, &v->part[v->n++]))
			return false;
	}
	while (v->n > 0 && v->part[v->n - 1] == 0)
		v->n--;
	return true;
}

static bool take_stage(const char **p, const char *end, struct version *v)
{
	/* A word comes before those that it begins with. */
	static const struct {
		const char *word;
		enum stage stage;
	} words[] = {
		{"alpha", STAGE_ALPHA}, {"a", STAGE_ALPHA},
		{"beta", STAGE_BETA},	{"b", STAGE_BETA},
		{"rc", STAGE_RC},	{"c", STAGE_RC},
		{"preview", STAGE_RC},	{"pre", STAGE_RC},
	};

	for (size_t i = 0; i < PX_ARRAY_LEN(words); i++)
		if (take_word(p, end, words[i].word)) {
			v->stage = words[i].stage;
			return take_count(p, end, &v->stage_number);
		}
	return true;
}

static bool take_post(const char **p, const char *end, struct version *v)
{
	static const char *const words[] = {"post", "rev", "r"};
	uint64_t n;

	for (size_t i = 0; i < PX_ARRAY_LEN(words); i++)
		if (take_word(p, end, words[i])) {
			if (!take_count(p, end, &n))
				return false;
			v->post = (int64_t)n;
			return true;
		}
	if (end - *p > 1 && (*p)[0] == '-' && (*p)[1] >= '0' &&
	    (*p)[1] <= '9') {
		++*p;
		if (!take_number(p, end, &n))
			return false;
		v->post = (int64_t)n;
	}
	return true;
}

static bool parse_version(const char *p, const char *end, struct version *v)
{
	uint64_t n;

	*v = (struct version){
		.stage = STAGE_FINAL,
		.post = -1,
		.dev = INT64_MAX,
	};
	if (!take_release(&p, end, v) || !take_stage(&p, end, v) ||
	    !take_post(&p, end, v))
		return false;
	if (take_word(&p, end, "dev")) {
		if (!take_count(&p, end, &n))
			return false;
		v->dev = (int64_t)n;
		if (v->stage == STAGE_FINAL && v->post < 0)
			v->stage = STAGE_DEV;
	}
	if (p < end && *p == '+')
		p = end;
	return p == end;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_release(const struct version *a, const struct version *b)
{
	int r = COMPARE(a->epoch, b->epoch);

	for (unsigned i = 0; i < MAX_PARTS && r == 0; i++)
		r = COMPARE(a->part[i], b->part[i]);
	return r;
}

static int compare(const struct version *a, const struct version *b)
{
	int r = compare_release(a, b);

	r = r ? r : COMPARE(a->stage, b->stage);
	r = r ? r : COMPARE(a->stage_number, b->stage_number);
	r = r ? r : COMPARE(a->post, b->post);
	return r ? r : COMPARE(a->dev, b->dev);
}

static bool is_early(const struct version *v)
{
	return v->stage < STAGE_FINAL || v->dev != INT64_MAX;
}

/* ----------------------------------------------------------- conditions */

enum op {
	OP_LE,
	OP_GE,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_GT,
	N_OPS
};

/* An operator comes before those that it begins with. */
static const char *const ops[N_OPS] = {"<=", ">=", "==", "!=", "<", ">"};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static const char *end_of_name(const char *p, const char *end)
{
	while (p < end && is_name(*p))
		p++;
	return p;
}

/* Takes "OP VERSION" at *p, and the comma behind it. Returns NULL or what is
 * wrong. */
static const char *take_clause(const char **p, const char *end, enum op *ret_op,
			       struct version *ret)
{
	const char *at = skip_blanks(*p, end), *stop;
	unsigned op = 0;

	while (op < N_OPS && ((size_t)(end - at) < strlen(ops[op]) ||
			      strncmp(at, ops[op], strlen(ops[op])) != 0))
		op++;
	if (op == N_OPS)
		return "a condition is NAME OP VERSION, where OP is one of "
		       "< <= > >= == !=";
	*ret_op = (enum op)op;
	at = skip_blanks(at + strlen(ops[op]), end);
	stop = at;
	while (stop < end && *stop != ',' && !is_blank(*stop))
		stop++;
	if (!parse_version(at, stop, ret))
		return "a condition's version is none that PEP 440 knows";
	at = skip_blanks(stop, end);
	if (at < end && *at != ',')
		return "between the parts of a condition a comma is needed";
	*p = at < end ? at + 1 : end;
	return at < end && *p == end ? "a condition ends with a comma" : NULL;
}

const char *px_condition_check(const char *text, size_t n)
{
	const char *end = text + n, *p = end_of_name(text, end), *what;
	struct version v;
	enum op op;

	if (p == text)
		return "a condition begins with the name of a distribution";
	do {
		what = take_clause(&p, end, &op, &v);
	} while (!what && p < end);
	return what;
}

/* The next byte of a name as PyPI compares it (PEP 503): in lower case, and any
 * of - _ . in a row are one. */
static char take_letter(const char **p, const char *end)
{
	const char c = *p < end ? lower(**p) : '\0';

	if (c == '\0')
		return c;
	++*p;
	if (c != '-' && c != '_' && c != '.')
		return c;
	while (*p < end && (**p == '-' || **p == '_' || **p == '.'))
		++*p;
	return '-';
}

bool px_condition_names(const char *condition, const char *name)
{
	const char *end = condition + strlen(condition);
	const char *stop = end_of_name(condition, end), *p = condition;
	const char *name_end = name + strlen(name);
	char a, b;

	do {
		a = take_letter(&p, stop);
		b = take_letter(&name, name_end);
	} while (a == b && a != '\0');
	return a == b;
}

/* PEP 440: < V leaves out what comes early in V itself, and > V what comes
 * after it. */
static bool meets(const struct version *v, enum op op, const struct version *to)
{
	const int r = compare(v, to);

	switch (op) {
	case OP_LE:
		return r <= 0;
	case OP_GE:
		return r >= 0;
	case OP_EQ:
		return r == 0;
	case OP_NE:
		return r != 0;
	case OP_LT:
		return r < 0 && !(is_early(v) && !is_early(to) &&
				  compare_release(v, to) == 0);
	case OP_GT:
		return r > 0 && !(v->post >= 0 && to->post < 0 &&
				  compare_release(v, to) == 0);
	case N_OPS:
		break;
	}
	return true;
}

bool px_condition_holds(const char *condition, const char *version)
{
	const char *end = condition + strlen(condition);
	const char *p = end_of_name(condition, end);
	struct version v, to;
	enum op op;

	if (!parse_version(version, version + strlen(version), &v))
		return true;
	while (p < end && !take_clause(&p, end, &op, &to))
		if (!meets(&v, op, &to))
			return false;
	return true;
}
