/* SPDX-License-Identifier: MIT */
#include "inode_node.h"

#include <limits.h>

void px_inode_fini(struct px_inode *i)
{
	free(i->path);
}

int px_inodes_new(struct px_inodes **ret)
{
	struct px_inodes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->next_id = PX_INODE_ROOT;
	t->root = px_inodes_new_node("", "", PX_KIND_DIR);
	if (!t->root || px_inodes_add(t, t->root, NULL) < 0) {
		free(t->root);
		px_inodes_free(t);
		return -ENOMEM;
	}
	t->root->number = PX_INODE_ROOT;
	*ret = t;
	return 0;
}

void px_inodes_free(struct px_inodes *t)
{
	struct px_map_node *n, *next;

	if (!t)
		return;
	for (n = px_map_each(&t->by_id, NULL); n; n = next) {
		next = px_map_each(&t->by_id, n);
		px_inodes_free_node(PX_CONTAINER(n, struct node, by_id));
	}
	px_map_fini(&t->by_id);
	px_map_fini(&t->by_name);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* The path of the node's source, written backwards to the end of `buf`. NULL if
 * it does not fit. */
static const char *build_path(const struct node *n, char *buf, size_t size)
{
	char *p = buf + size - 1;

	*p = '\0';
	for (; n->parent; n = n->parent) {
		const char *name = n->names + n->source;
		size_t length = strlen(name);
		size_t slash = *p ? 1 : 0;

		/* A generated __pycache__ has the path of the directory that
		 * it is in. */
		if (length == 0)
			continue;
		if ((size_t)(p - buf) < length + slash)
			return NULL;
		if (slash)
			*--p = '/';
		p -= length;
		memcpy(p, name, length);
	}
	return p;
}

static int get_locked(const struct px_inodes *t, uint64_t id,
		      struct px_inode *ret, char *buf, size_t size,
		      const char **ret_path)
{
	const struct node *n = px_inodes_find(t, id);

	if (!n)
		return -ESTALE;
	*ret_path = build_path(n, buf, size);
	if (!*ret_path)
		return -ENAMETOOLONG;
	ret->id = px_inodes_id_of(n);
	ret->number = n->number;
	ret->kind = (enum px_kind)n->kind;
	return 0;
}

int px_inodes_get(struct px_inodes *t, uint64_t id, struct px_inode *ret)
{
	char buf[PATH_MAX];
	const char *path;
	struct px_inode inode;
	int r;

	pthread_mutex_lock(&t->lock);
	r = get_locked(t, id, &inode, buf, sizeof(buf), &path);
	pthread_mutex_unlock(&t->lock);
	if (r < 0)
		return r;
	inode.path = strdup(path);
	if (!inode.path)
		return -ENOMEM;
	*ret = inode;
	return 0;
}

/* Whether node `n` may go on standing for a name that now is entry `e`. */
static bool is_same(const struct node *n, const struct px_entry *e,
		    uint64_t version)
{
	return n->kind == e->kind &&
	       strcmp(n->names + n->source, e->source) == 0 &&
	       (version == 0 || n->version == 0 || n->version == version);
}

static int enter_locked(struct px_inodes *t, uint64_t parent,
			const struct px_entry *e, uint64_t version,
			uint64_t *ret_id)
{
	struct node *dir = px_inodes_find(t, parent);
	struct node *n;

	if (!dir)
		return -ESTALE;
	n = px_inodes_find_name(t, parent, e->name);
	if (!n || !is_same(n, e, version)) {
		struct node *old = n;

		n = px_inodes_new_node(e->name, e->source, e->kind);
		if (!n)
			return -ENOMEM;
		if (old)
			px_inodes_take_name(t, old);
		n->number = px_inode_number(dir->number, e->name);
		/* Cannot fail, as the root is in the table. */
		(void)px_inodes_add(t, n, dir);
	}
	if (version != 0)
		n->version = version;
	n->n_lookups++;
	*ret_id = px_inodes_id_of(n);
	return 0;
}

int px_inodes_enter(struct px_inodes *t, uint64_t parent,
		    const struct px_entry *e, uint64_t version,
		    uint64_t *ret_id)
{
	int r;

	pthread_mutex_lock(&t->lock);
	r = enter_locked(t, parent, e, version, ret_id);
	pthread_mutex_unlock(&t->lock);
	return r;
}

uint64_t px_inodes_version(struct px_inodes *t, uint64_t parent,
			   const char *name)
{
	const struct node *n;
	uint64_t version;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find_name(t, parent, name);
	version = n ? n->version : 0;
	pthread_mutex_unlock(&t->lock);
	return version;
}

bool px_inodes_update_attr(struct px_inodes *t, uint64_t id, uint64_t version,
			   struct px_attr *attr)
{
	struct node *n;
	bool same = false;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	if (n) {
		same = n->version == 0 || n->version == version;
		if (same) {
			n->version = version;
			n->attr = *attr;
			n->has_attr = true;
		} else if (n->has_attr) {
			*attr = n->attr;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return same;
}

bool px_inodes_matches_version(struct px_inodes *t, uint64_t id,
			       uint64_t version)
{
	const struct node *n;
	bool same;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	same = n && (n->version == 0 || n->version == version);
	pthread_mutex_unlock(&t->lock);
	return same;
}

bool px_inodes_get_attr(struct px_inodes *t, uint64_t id, struct px_attr *ret)
{
	const struct node *n;
	bool found;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	found = n && n->has_attr;
	if (found)
		*ret = n->attr;
	pthread_mutex_unlock(&t->lock);
	return found;
}

void px_inodes_forget(struct px_inodes *t, uint64_t id, uint64_t n)
{
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = px_inodes_find(t, id);
	if (node) {
		node->n_lookups -= n < node->n_lookups ? n : node->n_lookups;
		px_inodes_drop_unused(t, node);
	}
	pthread_mutex_unlock(&t->lock);
}

int px_inodes_get_view(struct px_inodes *t, uint64_t id, struct px_view **ret,
		       struct px_fingerprint *ret_fp)
{
	const struct node *n;
	int r = -ENOENT;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	if (n && n->listed) {
		*ret = px_view_ref(n->listed->view);
		*ret_fp = n->listed->fp;
		r = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

void px_inodes_set_view(struct px_inodes *t, uint64_t id, struct px_view *v,
			const struct px_fingerprint *fp)
{
	struct listed *l = v ? malloc(sizeof(*l)) : NULL;
	struct node *n;

	if (l)
		*l = (struct listed){px_view_ref(v), *fp};
	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	if (n) {
		struct listed *old = n->listed;

		n->listed = l;
		l = old;
	}
	pthread_mutex_unlock(&t->lock);
	px_inodes_free_listed(l);
}

bool px_inodes_update_tag(struct px_inodes *t, uint64_t id, uint64_t tag)
{
	struct node *n;
	bool same = false;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	if (n) {
		same = n->has_tag && n->tag == tag;
		n->has_tag = true;
		n->tag = tag;
	}
	pthread_mutex_unlock(&t->lock);
	return same;
}

unsigned px_inodes_mark_read(struct px_inodes *t, uint64_t id,
			     uint64_t *ret_dir)
{
	unsigned count = 0;
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, id);
	if (n && n->parent && !n->read) {
		n->read = true;
		count = n->parent->read ? 0 : ++n->parent->n_read;
		*ret_dir = px_inodes_id_of(n->parent);
	}
	pthread_mutex_unlock(&t->lock);
	return count;
}

bool px_inodes_claim_push(struct px_inodes *t, uint64_t dir)
{
	struct node *n;
	bool first;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find(t, dir);
	first = n && !n->read;
	if (first)
		n->read = true;
	pthread_mutex_unlock(&t->lock);
	return first;
}

bool px_inodes_child(struct px_inodes *t, uint64_t dir, const char *name,
		     uint64_t *ret_id)
{
	const struct node *n;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find_name(t, dir, name);
	if (n)
		*ret_id = px_inodes_id_of(n);
	pthread_mutex_unlock(&t->lock);
	return n != NULL;
}

bool px_inodes_claim_unread(struct px_inodes *t, uint64_t dir, const char *name,
			    uint64_t *ret_id)
{
	struct node *n;
	bool unread;

	pthread_mutex_lock(&t->lock);
	n = px_inodes_find_name(t, dir, name);
	unread = n && !n->read;
	if (unread) {
		n->read = true;
		*ret_id = px_inodes_id_of(n);
	}
	pthread_mutex_unlock(&t->lock);
	return unread;
}

size_t px_inodes_count(struct px_inodes *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->by_id.n;
	pthread_mutex_unlock(&t->lock);
	return n;
}
