/* SPDX-License-Identifier: MIT */
#include "code.h"

static int bad(struct graph *g, const char *what)
{
	g->fault = (struct px_fault){g->at, what};
	return -EBADMSG;
}

/* Returns the next `n` bytes of the input, or NULL with a fault set. */
static const uint8_t *take(struct graph *g, size_t n)
{
	const uint8_t *p = g->data + g->at;

	if (n > g->size - g->at) {
		bad(g, "ends too early");
		return NULL;
	}
	g->at += n;
	return p;
}

static int take_count(struct graph *g, size_t min_each, uint32_t *ret)
{
	const uint8_t *p = take(g, 4);

	if (!p)
		return -EBADMSG;
	*ret = px_get_le32(p);
	/* The caller allocates memory for this many objects, so reject a count
	 * that the rest of the input cannot hold. */
	if (*ret > (g->size - g->at) / min_each)
		return bad(g, "a count larger than the rest of the data");
	return 0;
}

static int read_object(struct graph *g, unsigned depth, struct node **ret);

/* Updates `made`, which is being read, for its new kid. The depth is checked
 * again here, because references to earlier objects can make the graph deeper
 * than the nesting of the input. */
static int adopt(struct graph *g, struct node *made, const struct node *kid)
{
	made->unordered |= kid->unordered;
	if (kid->height >= MAX_DEPTH)
		return bad(g, "nested too deeply");
	if (made->height <= kid->height)
		made->height = (uint16_t)(kid->height + 1);
	return 0;
}

static int finish(struct graph *g, const struct node *made, struct node **ret)
{
	*ret = px_graph_merge(g, made);
	return *ret ? 0 : -ENOMEM;
}

/* Reads a value that consists of the next `n` bytes. */
static int read_data(struct graph *g, enum type type, uint32_t n,
		     struct node **ret)
{
	struct node made = {.type = type, .n = n};

	made.data = take(g, n);
	return made.data ? finish(g, &made, ret) : -EBADMSG;
}

static int read_sized(struct graph *g, enum type type, struct node **ret)
{
	uint32_t n;
	int r = take_count(g, 1, &n);

	return r < 0 ? r : read_data(g, type, n, ret);
}

/* CPython decodes these types as Latin-1, while we copy the bytes as UTF-8. The
 * two agree for ASCII only. */
static int check_ascii(struct graph *g, const struct node *s)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->data[i] & 0x80)
			return bad(g, "ASCII that is none");
	return 0;
}

static int read_ascii(struct graph *g, struct node **ret)
{
	int r = read_sized(g, TYPE_UNICODE, ret);

	return r < 0 ? r : check_ascii(g, *ret);
}

static int read_short(struct graph *g, struct node **ret)
{
	const uint8_t *n = take(g, 1);
	int r = n ? read_data(g, TYPE_UNICODE, *n, ret) : -EBADMSG;

	return r < 0 ? r : check_ascii(g, *ret);
}

/* A long: le32 number of digits, negative for a negative integer, then digits
 * of 15 bits in two bytes each. */
static int read_long(struct graph *g, struct node **ret)
{
	const uint8_t *p = take(g, 4);
	int64_t n;

	if (!p)
		return -EBADMSG;
	n = (int32_t)px_get_le32(p);
	if (n < 0)
		n = -n;
	if ((uint64_t)n > (g->size - g->at) / 2)
		return bad(g, "an integer larger than the rest of the data");
	g->at -= 4;
	return read_data(g, TYPE_LONG, (uint32_t)(4 + n * 2), ret);
}

static bool is_nan(const uint8_t *bits)
{
	const uint64_t v = px_get_le64(bits);

	return (v & 0x7fffffffffffffff) > 0x7ff0000000000000;
}

static int read_float(struct graph *g, enum type type, uint32_t n,
		      struct node **ret)
{
	struct node made = {.type = type, .n = n};

	made.data = take(g, n);
	if (!made.data)
		return -EBADMSG;
	if (!is_nan(made.data) && !(n == 16 && is_nan(made.data + 8)))
		return finish(g, &made, ret);
	made.unordered = true;
	*ret = px_graph_add(g, &made);
	return *ret ? 0 : -ENOMEM;
}

static bool is_number(const struct node *n)
{
	return n->type == TYPE_INT || n->type == TYPE_LONG ||
	       n->type == TYPE_TRUE || n->type == TYPE_FALSE ||
	       n->type == TYPE_BINARY_FLOAT || n->type == TYPE_BINARY_COMPLEX;
}

static int compare_kids(const void *a, const void *b)
{
	return px_node_compare(*(struct node *const *)a,
			       *(struct node *const *)b);
}

static int sort_set(struct graph *g, struct node *set)
{
	uint32_t i;

	for (i = 0; i < set->n && is_number(set->kids[i]); i++)
		;
	if (i == set->n)
		return 0;
	if (set->unordered)
		return bad(g, "NaN or code in a frozenset");
	qsort(set->kids, set->n, sizeof(*set->kids), compare_kids);
	return 0;
}

static int read_kids(struct graph *g, enum type type, uint32_t n,
		     unsigned depth, struct node **ret)
{
	struct node made = {.type = type, .n = n};
	uint32_t i;
	int r;

	g->claimed += n;
	if (g->claimed > g->size)
		return bad(g, "more objects than the data has bytes");
	if (n > 0) {
		made.kids = px_graph_alloc(g, n * sizeof(*made.kids));
		if (!made.kids)
			return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		r = read_object(g, depth, &made.kids[i]);
		if (r == 0)
			r = adopt(g, &made, made.kids[i]);
		if (r < 0)
			return r;
	}
	r = type == TYPE_FROZENSET ? sort_set(g, &made) : 0;
	return r == 0 ? finish(g, &made, ret) : r;
}

static int read_many(struct graph *g, enum type type, unsigned depth,
		     struct node **ret)
{
	uint32_t n;
	int r = take_count(g, 1, &n);

	return r < 0 ? r : read_kids(g, type, n, depth, ret);
}

static int read_small_tuple(struct graph *g, unsigned depth, struct node **ret)
{
	const uint8_t *n = take(g, 1);

	if (!n)
		return -EBADMSG;
	if (*n > g->size - g->at)
		return bad(g, "a tuple larger than the rest of the data");
	return read_kids(g, TYPE_TUPLE, *n, depth, ret);
}

/* Reads one kid of a container whose type is not followed by a count. */
static int read_kid(struct graph *g, struct node *made, unsigned depth,
		    struct node **ret)
{
	int r;

	if (++g->claimed > g->size)
		return bad(g, "more objects than the data has bytes");
	r = read_object(g, depth, ret);
	return r == 0 ? adopt(g, made, *ret) : r;
}

static int read_slice(struct graph *g, unsigned depth, struct node **ret)
{
	struct node made = {.type = TYPE_SLICE, .n = 3};
	uint32_t i;
	int r;

	made.kids = px_graph_alloc(g, made.n * sizeof(*made.kids));
	if (!made.kids)
		return -ENOMEM;
	for (i = 0; i < made.n; i++) {
		r = read_kid(g, &made, depth, &made.kids[i]);
		if (r < 0)
			return r;
	}
	return finish(g, &made, ret);
}

/* Items keep their order, because the program can see it. Two frozendicts with
 * the same items in another order therefore are different nodes, although
 * Python calls them equal. */
static int read_frozendict(struct graph *g, unsigned depth, struct node **ret)
{
	struct node made = {.type = TYPE_FROZENDICT};
	struct px_buf kids = {.max = SIZE_MAX};
	struct node *kid;
	int r = 0;

	while (r == 0 && g->at < g->size &&
	       (made.n % 2 != 0 || g->data[g->at] != TYPE_NULL)) {
		r = read_kid(g, &made, depth, &kid);
		if (r == 0)
			r = px_buf_add(&kids, &kid, sizeof(struct node *));
		made.n++;
	}
	if (r == 0 && !take(g, 1))
		r = -EBADMSG;
	made.kids = px_graph_alloc(g, kids.size + 1);
	if (r == 0 && !made.kids)
		r = -ENOMEM;
	if (r == 0 && kids.size > 0)
		memcpy(made.kids, kids.data, kids.size);
	px_buf_fini(&kids);
	return r == 0 ? finish(g, &made, ret) : r;
}

/* Whether CPython interns this str when it is a constant: all_name_chars of
 * Objects/codeobject.c, which accepts the empty string. */
static bool is_name_like(const struct node *s)
{
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		const uint8_t c = s->data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

/* As intern_string_constants of Objects/codeobject.c. On a tuple or frozenset,
 * `interned` marks that it has been visited. */
static void intern_constants(struct node *n)
{
	uint32_t i;

	if (n->type == TYPE_UNICODE && is_name_like(n))
		n->interned = true;
	if (n->type != TYPE_TUPLE && n->type != TYPE_FROZENSET)
		return;
	if (n->interned) /* visited before */
		return;
	n->interned = true;
	for (i = 0; i < n->n; i++)
		intern_constants(n->kids[i]);
}

static int intern_names(struct graph *g, struct node *tuple)
{
	uint32_t i;

	if (tuple->type != TYPE_TUPLE)
		return bad(g, "names that are no tuple");
	for (i = 0; i < tuple->n; i++) {
		if (tuple->kids[i]->type != TYPE_UNICODE)
			return bad(g, "a name that is no str");
		tuple->kids[i]->interned = true;
	}
	return 0;
}

static int make_filename(struct graph *g, struct node **name)
{
	struct node made = **name;

	if (made.type != TYPE_UNICODE)
		return bad(g, "a co_filename that is no str");
	made.type = KIND_FILENAME;
	made.interned = false;
	return finish(g, &made, name);
}

/* Checks that one field of a code object has the right type, and applies what
 * CPython does with it when it loads the code object. */
static int use_field(struct graph *g, char field, struct node **kid)
{
	struct node *n = *kid;

	switch (field) {
	case 'b':
		return n->type == TYPE_STRING ? 0 : bad(g, "no bytes here");
	case 'c':
		if (n->type != TYPE_TUPLE)
			return bad(g, "constants that are no tuple");
		intern_constants(n);
		return 0;
	case 'n':
		return intern_names(g, n);
	case 'f':
		return make_filename(g, kid);
	case 'q':
		if (n->type != TYPE_UNICODE)
			return bad(g, "a co_name that is no str");
		if (g->layout->interns_names || is_name_like(n))
			n->interned = true;
		return 0;
	default:
		return bad(g, "an unknown field");
	}
}

static int read_code(struct graph *g, unsigned depth, struct node **ret)
{
	struct node made = {.type = TYPE_CODE, .unordered = true};
	uint8_t *longs = px_graph_alloc(g, (MAX_LONGS + 1) * 4);
	size_t n_longs = 0;
	const uint8_t *p;
	const char *f;
	int r;

	made.kids = px_graph_alloc(g, MAX_KIDS * sizeof(*made.kids));
	if (!longs || !made.kids)
		return -ENOMEM;
	for (f = g->layout->fields; *f; f++) {
		if (*f == 'l') {
			p = take(g, 4);
			if (!p)
				return -EBADMSG;
			memcpy(longs + 4 * n_longs++, p, 4);
			continue;
		}
		r = read_object(g, depth, &made.kids[made.n]);
		if (r == 0)
			r = adopt(g, &made, made.kids[made.n]);
		if (r == 0)
			r = use_field(g, *f, &made.kids[made.n]);
		if (r < 0)
			return r;
		made.n++;
	}
	made.data = longs;
	*ret = px_graph_add(g, &made);
	return *ret ? 0 : -ENOMEM;
}

static int read_ref(struct graph *g, struct node **ret)
{
	const uint8_t *p = take(g, 4);
	uint32_t i;

	if (!p)
		return -EBADMSG;
	i = px_get_le32(p);
	if (i >= g->n_refs || !g->refs[i])
		return bad(g, "a reference to nothing");
	*ret = g->refs[i];
	return 0;
}

static int read_type(struct graph *g, uint8_t type, unsigned depth,
		     struct node **ret)
{
	switch (type) {
	case TYPE_NONE:
	case TYPE_FALSE:
	case TYPE_TRUE:
	case TYPE_STOPITER:
	case TYPE_ELLIPSIS:
		return read_data(g, (enum type)type, 0, ret);
	case TYPE_INT:
		return read_data(g, TYPE_INT, 4, ret);
	case TYPE_LONG:
		return read_long(g, ret);
	case TYPE_BINARY_FLOAT:
		return read_float(g, TYPE_BINARY_FLOAT, 8, ret);
	case TYPE_BINARY_COMPLEX:
		return read_float(g, TYPE_BINARY_COMPLEX, 16, ret);
	case TYPE_STRING:
		return read_sized(g, TYPE_STRING, ret);
	case TYPE_UNICODE:
	case TYPE_INTERNED:
		return read_sized(g, TYPE_UNICODE, ret);
	case TYPE_ASCII:
	case TYPE_ASCII_INTERNED:
		return read_ascii(g, ret);
	case TYPE_SHORT_ASCII:
	case TYPE_SHORT_ASCII_INTERNED:
		return read_short(g, ret);
	case TYPE_TUPLE:
		return read_many(g, TYPE_TUPLE, depth, ret);
	case TYPE_SMALL_TUPLE:
		return read_small_tuple(g, depth, ret);
	case TYPE_FROZENSET:
		return read_many(g, TYPE_FROZENSET, depth, ret);
	case TYPE_SLICE:
		if (g->layout->version < 5)
			break;
		return read_slice(g, depth, ret);
	case TYPE_FROZENDICT:
		if (g->layout->version < 6)
			break;
		return read_frozendict(g, depth, ret);
	case TYPE_CODE:
		return read_code(g, depth, ret);
	case TYPE_REF:
		return read_ref(g, ret);
	default:
		break;
	}
	return bad(g, "a type that does not occur in code");
}

/* An object gets its number before the objects inside of it, as in CPython's
 * r_ref_reserve. */
static int reserve_ref(struct graph *g, size_t *ret)
{
	struct node **refs;

	if (g->n_refs == g->refs_capacity) {
		const size_t n = g->refs_capacity ? g->refs_capacity * 2 : 64;

		refs = reallocarray(g->refs, n, sizeof(struct node *));
		if (!refs)
			return -ENOMEM;
		g->refs = refs;
		g->refs_capacity = n;
	}
	g->refs[g->n_refs] = NULL;
	*ret = g->n_refs++;
	return 0;
}

/* CPython's r_object gives none of these a number, whether FLAG_REF is set or
 * not. */
static bool is_unnumbered(uint8_t type)
{
	return type == TYPE_NONE || type == TYPE_TRUE || type == TYPE_FALSE ||
	       type == TYPE_ELLIPSIS || type == TYPE_STOPITER ||
	       type == TYPE_REF;
}

static int read_object(struct graph *g, unsigned depth, struct node **ret)
{
	const uint8_t *byte = take(g, 1);
	size_t ref = 0;
	bool flagged;
	int r;

	if (!byte)
		return -EBADMSG;
	if (depth >= MAX_DEPTH)
		return bad(g, "nested too deeply");
	flagged = *byte & FLAG_REF;
	if (flagged) {
		if (is_unnumbered(*byte & (uint8_t)~FLAG_REF))
			return bad(g, "a flag where CPython reads none");
		r = reserve_ref(g, &ref);
		if (r < 0)
			return r;
	}
	r = read_type(g, *byte & (uint8_t)~FLAG_REF, depth + 1, ret);
	if (r == 0 && flagged)
		g->refs[ref] = *ret;
	return r;
}

int px_graph_read(struct graph *g, struct node **ret)
{
	int r = read_object(g, 0, ret);

	if (r == 0 && (*ret)->type != TYPE_CODE)
		r = bad(g, "no code object");
	if (r == 0 && g->at != g->size)
		r = bad(g, "something after the code object");
	return r;
}
