/* SPDX-License-Identifier: MIT */
#include "code.h"

struct writer {
	struct graph *g;
	struct px_buf *out;
	uint32_t n_refs;
	bool nameless;
	size_t name_at; /* offset in `out`; 0: no name was written yet */
};

/* CPython never numbers these singletons (w_object of Python/marshal.c). */
static bool is_singleton(const struct node *n)
{
	return n->type == TYPE_NONE || n->type == TYPE_TRUE ||
	       n->type == TYPE_FALSE || n->type == TYPE_ELLIPSIS ||
	       n->type == TYPE_STOPITER;
}

/* A shared object is written once, and so are its kids; so they are counted on
 * the first visit only. */
static void count_uses(struct node *n)
{
	uint32_t i;

	if (n->uses++ > 0 || !px_node_has_kids(n))
		return;
	for (i = 0; i < n->n; i++)
		count_uses(n->kids[i]);
}

static int put_byte(struct writer *w, unsigned byte)
{
	const uint8_t b = (uint8_t)byte;

	return px_buf_add(w->out, &b, 1);
}

static int put_data(struct writer *w, const struct node *n)
{
	return n->n ? px_buf_add(w->out, n->data, n->n) : 0;
}

static bool is_ascii(const struct node *n)
{
	uint32_t i;

	for (i = 0; i < n->n; i++)
		if (n->data[i] & 0x80)
			return false;
	return true;
}

static int put_str(struct writer *w, const struct node *n, unsigned flag)
{
	const bool ascii = is_ascii(n), is_short = ascii && n->n < 256;
	unsigned type;
	int r;

	if (is_short)
		type = n->interned ? TYPE_SHORT_ASCII_INTERNED
				   : TYPE_SHORT_ASCII;
	else if (ascii)
		type = n->interned ? TYPE_ASCII_INTERNED : TYPE_ASCII;
	else
		type = n->interned ? TYPE_INTERNED : TYPE_UNICODE;
	r = put_byte(w, type | flag);
	if (r == 0)
		r = is_short ? put_byte(w, n->n)
			     : px_buf_add_le32(w->out, n->n);
	return r == 0 ? put_data(w, n) : r;
}

static int put_object(struct writer *w, struct node *n);

static int put_kids(struct writer *w, const struct node *n, unsigned flag)
{
	const bool small = n->type == TYPE_TUPLE && n->n < 256;
	uint32_t i;
	int r;

	r = put_byte(w, (small ? TYPE_SMALL_TUPLE : n->type) | flag);
	if (r == 0)
		r = small ? put_byte(w, n->n) : px_buf_add_le32(w->out, n->n);
	for (i = 0; i < n->n && r == 0; i++)
		r = put_object(w, n->kids[i]);
	return r;
}

/* Writes a container without a count: a slice always has three kids, and a
 * frozendict ends with TYPE_NULL. */
static int put_uncounted(struct writer *w, const struct node *n, unsigned flag)
{
	uint32_t i;
	int r = put_byte(w, n->type | flag);

	for (i = 0; i < n->n && r == 0; i++)
		r = put_object(w, n->kids[i]);
	return r == 0 && n->type == TYPE_FROZENDICT ? put_byte(w, TYPE_NULL)
						    : r;
}

static int put_code(struct writer *w, const struct node *n, unsigned flag)
{
	const uint8_t *next_long = n->data;
	struct node *const *kid = n->kids;
	const char *f;
	int r = put_byte(w, TYPE_CODE | flag);

	for (f = w->g->layout->fields; *f && r == 0; f++) {
		if (*f == 'l') {
			r = px_buf_add(w->out, next_long, 4);
			next_long += 4;
		} else {
			r = put_object(w, *kid++);
		}
	}
	return r;
}

static int put_filename(struct writer *w, const struct node *n, unsigned flag)
{
	if (!w->nameless)
		return put_str(w, n, flag);
	/* Offset 0 is the type of the code object that the name belongs to. */
	if (w->name_at != 0) {
		w->g->fault = (struct px_fault){w->g->at, "two co_filenames"};
		return -EBADMSG;
	}
	w->name_at = w->out->size;
	return put_byte(w, KIND_FILENAME | flag);
}

static int put_value(struct writer *w, const struct node *n, unsigned flag)
{
	int r;

	switch (n->type) {
	case TYPE_UNICODE:
		return put_str(w, n, flag);
	case KIND_FILENAME:
		return put_filename(w, n, flag);
	case TYPE_STRING:
		r = put_byte(w, TYPE_STRING | flag);
		if (r == 0)
			r = px_buf_add_le32(w->out, n->n);
		return r == 0 ? put_data(w, n) : r;
	case TYPE_TUPLE:
	case TYPE_FROZENSET:
		return put_kids(w, n, flag);
	case TYPE_SLICE:
	case TYPE_FROZENDICT:
		return put_uncounted(w, n, flag);
	case TYPE_CODE:
		return put_code(w, n, flag);
	/* Numbers and singletons are written as they were read. */
	case TYPE_NONE:
	case TYPE_FALSE:
	case TYPE_TRUE:
	case TYPE_STOPITER:
	case TYPE_ELLIPSIS:
	case TYPE_INT:
	case TYPE_LONG:
	case TYPE_BINARY_FLOAT:
	case TYPE_BINARY_COMPLEX:
		r = put_byte(w, n->type | flag);
		return r == 0 ? put_data(w, n) : r;
	case TYPE_REF:
	case TYPE_NULL:
	case TYPE_SMALL_TUPLE:
	case TYPE_INTERNED:
	case TYPE_ASCII:
	case TYPE_ASCII_INTERNED:
	case TYPE_SHORT_ASCII:
	case TYPE_SHORT_ASCII_INTERNED:
		break; /* encodings that no node has as its type */
	}
	return -EBADMSG;
}

static int put_object(struct writer *w, struct node *n)
{
	unsigned flag = 0;
	int r;

	if (n->ref != 0) {
		r = put_byte(w, TYPE_REF);
		return r == 0 ? px_buf_add_le32(w->out, n->ref - 1) : r;
	}
	if (n->uses > 1 && !is_singleton(n)) {
		n->ref = ++w->n_refs;
		flag = FLAG_REF;
	}
	return put_value(w, n, flag);
}

int px_graph_write(struct graph *g, struct node *root, struct px_buf *out,
		   size_t *ret_name_at)
{
	struct writer w = {
		.g = g,
		.out = out,
		.nameless = ret_name_at != NULL,
	};
	int r;

	count_uses(root);
	r = put_object(&w, root);
	if (r == 0 && ret_name_at)
		*ret_name_at = w.name_at;
	return r;
}
