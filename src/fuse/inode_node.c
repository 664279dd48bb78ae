/* SPDX-License-Identifier: MIT */
#include "inode_node.h"

#include "pycfs/digest.h"

/* The bits of st_ino that are the first bytes of the name; the other 40 are a
 * hash. Of a million __init__.pyc, two have the same number in four trees of
 * ten. They are in different directories, and programs that look for hard links
 * only compare files whose st_nlink is above 1. */
#define NAME_BITS 24

static struct node *of_id(struct px_map_node *n)
{
	return PX_CONTAINER(n, struct node, by_id);
}

static struct node *of_name(struct px_map_node *n)
{
	return PX_CONTAINER(n, struct node, by_name);
}

static uint64_t hash_name(uint64_t parent, const char *name)
{
	return px_hash64(parent, name, strlen(name));
}

uint64_t px_inode_number(uint64_t parent, const char *name)
{
	uint64_t number = hash_name(parent, name) >> NAME_BITS;

	for (int i = 0; i < NAME_BITS / 8 && name[i]; i++)
		number |= (uint64_t)(uint8_t)name[i] << (56 - 8 * i);
	return number > PX_INODE_ROOT ? number : number + 2;
}

struct node *px_inodes_new_node(const char *name, const char *source,
				enum px_kind kind)
{
	size_t n_name = strlen(name) + 1;
	size_t n_source = strlen(source) + 1;
	bool same = strcmp(name, source) == 0;
	struct node *n;

	if (n_name > UINT16_MAX)
		return NULL;
	n = calloc(1, sizeof(*n) + n_name + (same ? 0 : n_source));
	if (!n)
		return NULL;
	n->kind = (uint8_t)kind;
	memcpy(n->names, name, n_name);
	if (!same) {
		n->source = (uint16_t)n_name;
		memcpy(n->names + n_name, source, n_source);
	}
	return n;
}

void px_inodes_free_listed(struct listed *l)
{
	if (l)
		px_view_unref(l->view);
	free(l);
}

void px_inodes_free_node(struct node *n)
{
	px_inodes_free_listed(n->listed);
	free(n);
}

int px_inodes_add(struct px_inodes *t, struct node *n, struct node *parent)
{
	const uint64_t parent_id = parent ? px_inodes_id_of(parent) : 0;

	if (px_map_reserve(&t->by_id) < 0 || px_map_reserve(&t->by_name) < 0)
		return -ENOMEM;
	/* These cannot fail now. */
	(void)px_map_add(&t->by_id, &n->by_id, t->next_id++);
	(void)px_map_add(&t->by_name, &n->by_name,
			 hash_name(parent_id, n->names));
	n->has_name = true;
	n->parent = parent;
	if (parent)
		parent->n_children++;
	return 0;
}

void px_inodes_take_name(struct px_inodes *t, struct node *n)
{
	if (n->has_name)
		px_map_remove(&t->by_name, &n->by_name);
	n->has_name = false;
}

void px_inodes_drop_unused(struct px_inodes *t, struct node *n)
{
	while (n != t->root && n->n_lookups == 0 && n->n_children == 0) {
		struct node *parent = n->parent;

		px_map_remove(&t->by_id, &n->by_id);
		px_inodes_take_name(t, n);
		parent->n_children--;
		px_inodes_free_node(n);
		n = parent;
	}
}

struct node *px_inodes_find(const struct px_inodes *t, uint64_t id)
{
	struct px_map_node *n = px_map_first(&t->by_id, id);

	return n ? of_id(n) : NULL;
}

struct node *px_inodes_find_name(const struct px_inodes *t, uint64_t dir,
				 const char *name)
{
	const struct node *parent = px_inodes_find(t, dir);
	struct px_map_node *n = NULL;

	if (parent)
		n = px_map_first(&t->by_name, hash_name(dir, name));
	while (n && (of_name(n)->parent != parent ||
		     strcmp(of_name(n)->names, name) != 0))
		n = px_map_next(n);
	return n ? of_name(n) : NULL;
}
