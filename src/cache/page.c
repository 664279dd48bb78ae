/* SPDX-License-Identifier: MIT */
#include "page.h"

#include "pycfs/digest.h"

#include "pages.h"

#include <lmdb.h>

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

size_t px_page_word(const uint8_t *p)
{
	size_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

int px_page_node(size_t page_size, const uint8_t *page, const struct page *p,
		 size_t i, struct node *ret)
{
	const size_t at = get_u16(page + sizeof(*p) + 2 * i);
	size_t room, inside;

	if (at < p->upper || at % 2 != 0 || at + NODE_HEADER > page_size)
		return -EUCLEAN;
	ret->size = get_u16(page + at) | (size_t)get_u16(page + at + 2) << 16;
	ret->flags = get_u16(page + at + 4);
	ret->key_size = get_u16(page + at + 6);
	ret->key = page + at + NODE_HEADER;
	ret->value = ret->key + ret->key_size;
	room = page_size - at - NODE_HEADER;
	if (!(p->flags & PAGE_LEAF)) {
		/* In a branch page the flags are the page number's high bits.
		 */
		ret->child = ret->size;
		if (sizeof(size_t) > 4)
			ret->child |= (size_t)ret->flags << 16 << 16;
		ret->size = 0;
		ret->flags = 0;
	}
	inside = ret->flags & NODE_BIG ? sizeof(size_t) : ret->size;
	if (ret->key_size > KEY_MAX || ret->key_size > room ||
	    inside > room - ret->key_size ||
	    (ret->flags & ~(unsigned)(NODE_BIG | NODE_TABLE)) != 0)
		return -EUCLEAN;
	return (int)((NODE_HEADER + ret->key_size + inside + 1) & ~1u);
}

bool px_page_is_sane(const struct page *p, size_t pgno, bool leaf,
		     size_t page_size)
{
	return p->pgno == pgno &&
	       p->flags == (leaf ? PAGE_LEAF : PAGE_BRANCH) &&
	       p->lower % 2 == 0 && p->lower >= sizeof(*p) + (leaf ? 2 : 4) &&
	       p->lower <= p->upper && p->upper <= page_size;
}

int px_page_compare(const struct node *n, const void *key, size_t size)
{
	const int c =
		memcmp(n->key, key, n->key_size < size ? n->key_size : size);

	return c != 0 ? c : (n->key_size > size) - (n->key_size < size);
}

/* With other flags LMDB would look for structures that are not there, and
 * abort. */
static bool is_root_sane(const struct meta *m, int db, uint16_t flags)
{
	return m->db[db].flags == flags && m->db[db].depth <= DEPTH_MAX &&
	       (m->db[db].root == NO_PAGE || m->db[db].root <= m->last_pgno);
}

bool px_meta_is_sane(const struct meta *m, uint64_t file_bytes)
{
	const uint64_t psize = m->db[0].pad;
	uint64_t need;

	if (m->magic != META_MAGIC || m->version != META_VERSION ||
	    m->txnid > TXNID_MAX || psize < META_PAGE_MIN ||
	    psize > META_PAGE_MAX || (psize & (psize - 1)) != 0 ||
	    !is_root_sane(m, 0, MDB_INTEGERKEY) || !is_root_sane(m, 1, 0))
		return false;
	return !__builtin_add_overflow((uint64_t)m->last_pgno, 1, &need) &&
	       !__builtin_mul_overflow(need, psize, &need) &&
	       need <= file_bytes;
}

bool px_meta_is_newer(const struct meta *m)
{
	/* mdb.c 0.9.90, data version 2: MDB_page has a txnid before its flags,
	 * so that the meta data begins 8 bytes later. */
	return (m->magic == META_MAGIC && m->version > META_VERSION) ||
	       ((uintptr_t)m->address & UINT32_MAX) == META_MAGIC;
}

bool px_pages_is_value_sane(const void *data, size_t size, size_t page_size)
{
	/* mdb.c 0.9.24, me_nodemax: what is larger than half a page, less its
	 * offset, is not kept in it. */
	const size_t node_max =
		((page_size - sizeof(struct page)) / 2 & ~(size_t)1) -
		sizeof(uint16_t);
	struct page p;

	if (NODE_HEADER + PX_DIGEST_SIZE + size <= node_max)
		return true;
	memcpy(&p, (const uint8_t *)data - sizeof(p), sizeof(p));
	return (p.flags & ~PAGE_DIRTY) == PAGE_OVERFLOW &&
	       p.pages == px_page_count_for(page_size, size);
}
