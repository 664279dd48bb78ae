/* SPDX-License-Identifier: MIT */
#include "code.h"

/*
 * The magic numbers of each series, from its first release candidate to its end
 * (Lib/importlib/_bootstrap_external.py up to 3.13). Numbers between two series
 * belong to alpha releases, whose layout is not stable.
 */
static const struct layout layouts[] = {
	/* 3.8, 3.9, 3.10 */
	{3413, 3413, "llllllbcnnnnfqlb", true, 4},
	{3425, 3425, "llllllbcnnnnfqlb", true, 4},
	{3439, 3439, "llllllbcnnnnfqlb", true, 4},
	/* 3.11, 3.12: co_localsplusnames, then the kinds of these variables as
	 * bytes */
	{3495, 3495, "lllllbcnnbfqqlbb", false, 4},
	{3531, 3531, "lllllbcnnbfqqlbb", false, 4},
	/* 3.13 interns co_name and co_qualname in every case again */
	{3571, 3571, "lllllbcnnbfqqlbb", true, 4},
	/* 3.14 and 3.15, from their first release candidates on
	 * (Include/internal/pycore_magic_number.h). Free-threaded builds have
	 * the same numbers and the same code objects. */
	{3625, 3627, "lllllbcnnbfqqlbb", true, 5},
	{3666, 3666, "lllllbcnnbfqqlbb", true, 6},
};

const struct layout *px_marshal_layout(uint32_t magic)
{
	size_t i;

	/* The two bytes after the number are "\r\n". */
	if (magic >> 16 != 0x0a0d)
		return NULL;
	for (i = 0; i < PX_ARRAY_LEN(layouts); i++)
		if ((magic & 0xffff) >= layouts[i].first_magic &&
		    (magic & 0xffff) <= layouts[i].last_magic)
			return &layouts[i];
	return NULL;
}

bool px_marshal_knows(uint32_t magic)
{
	return px_marshal_layout(magic) != NULL;
}

/* `ret_name_at` as in px_graph_write. */
static int rewrite(uint32_t magic, const uint8_t *data, size_t n,
		   struct px_buf *out, size_t *ret_name_at,
		   struct px_fault *fault)
{
	struct graph g = {
		.layout = px_marshal_layout(magic),
		.data = data,
		.size = n,
	};
	const size_t before = out->size;
	struct node *root;
	int r;

	if (!g.layout)
		return -EPROTONOSUPPORT;
	r = px_graph_read(&g, &root);
	if (r == 0)
		r = px_graph_write(&g, root, out, ret_name_at);
	if (r < 0)
		out->size = before;
	if (r == -EBADMSG && fault)
		*fault = g.fault;
	px_graph_fini(&g);
	return r;
}

int px_marshal_canonical(uint32_t magic, const uint8_t *data, size_t n,
			 struct px_buf *out, struct px_fault *fault)
{
	return rewrite(magic, data, n, out, NULL, fault);
}

int px_marshal_nameless(uint32_t magic, const uint8_t *data, size_t n,
			struct px_buf *out, size_t *ret_at,
			struct px_fault *fault)
{
	return rewrite(magic, data, n, out, ret_at, fault);
}
