/* SPDX-License-Identifier: MIT */
#ifndef PX_MARSHAL_CODE_H
#define PX_MARSHAL_CODE_H
/*
 * The reader and the writer of code objects, and what they must know of the
 * Python that a code object is of.
 */

#include "marshal_graph.h"

#define MAX_LONGS 6
#define MAX_KIDS  11

/* A code object is a run of le32 and objects, in this order:
 *   l  a number           b  bytes          c  the constants
 *   n  a tuple of names   f  co_filename    q  co_name or co_qualname */
struct layout {
	uint16_t first_magic; /* of the versions it holds for */
	uint16_t last_magic;
	const char *fields;
	/* co_name and co_qualname are interned whatever they look like. */
	bool interns_names;
	uint8_t version; /* Py_MARSHAL_VERSION, Include/marshal.h */
};

/* Of the Python whose .pyc begin with `magic`. NULL: of none that is listed. */
const struct layout *px_marshal_layout(uint32_t magic);

/* Reads the object that g->data has; *ret belongs to the graph. 0; -EBADMSG,
 * and g->fault says where; -ENOMEM. */
int px_graph_read(struct graph *g, struct node **ret);

/* Appends `root` in the canonical form. 0, -EFBIG, -ENOMEM. */
int px_graph_write(struct graph *g, struct node *root, struct px_buf *out);

#endif
