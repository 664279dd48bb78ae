/* SPDX-License-Identifier: MIT */
#ifndef PX_BYTECODE_CODE_H
#define PX_BYTECODE_CODE_H
/*
 * Reading and writing code objects, and the layouts of code objects of the
 * supported Python versions. Private to this folder.
 */

#include "graph.h"

#define MAX_LONGS 6
#define MAX_KIDS  11

/* The layout of a code object: le32 numbers and marshalled objects, in the
 * order that `fields` gives with one letter each:
 *   l  a number           b  a bytes object  c  the tuple of constants
 *   n  a tuple of names   f  co_filename     q  co_name or co_qualname */
struct layout {
	uint16_t first_magic; /* of the Python versions with this layout */
	uint16_t last_magic;
	const char *fields;
	/* Whether loading interns co_name and co_qualname even if they do not
	 * look like identifiers. */
	bool interns_names;
	uint8_t version; /* Py_MARSHAL_VERSION, Include/marshal.h */
};

/* Returns the layout for the Python whose .pyc files start with the le32
 * `magic`, or NULL if it is not supported. */
const struct layout *px_marshal_layout(uint32_t magic);

/* Reads the code object in g->data. On success *ret is its node, which the
 * graph owns. Returns 0; -EBADMSG with details in g->fault; -ENOMEM. */
int px_graph_read(struct graph *g, struct node **ret);

/* Appends the canonical form of `root` to `out`. Unless `ret_name_at` is NULL,
 * a mark (filename.h) takes the place of co_filename, and *ret_name_at is its
 * offset in `out`. Returns 0; -EBADMSG with details in g->fault: a second
 * co_filename; -EFBIG; -ENOMEM. */
int px_graph_write(struct graph *g, struct node *root, struct px_buf *out,
		   size_t *ret_name_at);

#endif
