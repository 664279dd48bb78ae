/* SPDX-License-Identifier: MIT */
#include "pycfs/inode.h"
#include "pycfs/digest.h"

#include <limits.h>
#include <pthread.h>

/* Of st_ino, which the name's first bytes are. With the other 40 from a hash,
 * two of a million __init__.pyc are alike in four trees of ten; they are in
 * different directories, and nobody takes files with one link for one. */
#define NAME_BITS     24
#define FIRST_BUCKETS 256 /* a power of two, as all later sizes */

/* What a directory lists. */
struct listed {
	struct px_view *view;
	struct px_fingerprint fp;
};

/* There is one for each name the kernel knows: small ones pay. */
struct node {
	struct node *id_next;	/* same bucket of by_id */
	struct node *name_next; /* same bucket of by_name */
	struct node *parent;	/* counted in its n_children; root: NULL */
	uint64_t id;
	uint64_t number;
	uint64_t name_hash;
	uint64_t n_lookups;
	struct listed *listed; /* NULL: not known */
	uint64_t tag;
	uint64_t version;    /* 0: not known yet */
	struct px_attr attr; /* of that version */
	uint32_t n_children;
	uint32_t n_read; /* files of a directory */
	uint16_t source; /* offset in `names` */
	uint8_t kind;	 /* enum px_kind */
	bool attr_known : 1;
	bool tagged : 1;
	bool read : 1; /* or pushed; of a directory: all of its files */
	/* Found by name; false once another entry has taken the name. */
	bool current : 1;
	char names[]; /* as shipped, then of its source */
};

struct px_inodes {
	pthread_mutex_t lock; /* for everything below and in the nodes */
	struct node **by_id;
	struct node **by_name;
	size_t n_buckets; /* of each table */
	size_t n_nodes;
	uint64_t next_id;
	struct node *root;
};

void px_inode_fini(struct px_inode *i)
{
	free(i->path);
}

/* --------------------------------------------------------------- tables */

static struct node **id_bucket(const struct px_inodes *t, uint64_t id)
{
	/* Ids are handed out in order: their low bits spread them evenly. */
	return &t->by_id[id & (t->n_buckets - 1)];
}

static struct node **name_bucket(const struct px_inodes *t, uint64_t hash)
{
	return &t->by_name[hash & (t->n_buckets - 1)];
}

static struct node *find_id(const struct px_inodes *t, uint64_t id)
{
	struct node *n = *id_bucket(t, id);

	while (n && n->id != id)
		n = n->id_next;
	return n;
}

static uint64_t hash_name(uint64_t parent, const char *name)
{
	return px_hash64(parent, name, strlen(name));
}

static struct node *find_name(const struct px_inodes *t,
			      const struct node *parent, const char *name,
			      uint64_t hash)
{
	struct node *n = *name_bucket(t, hash);

	while (n && (n->name_hash != hash || n->parent != parent ||
		     strcmp(n->names, name) != 0))
		n = n->name_next;
	return n;
}

static void link_id(struct px_inodes *t, struct node *n)
{
	struct node **bucket = id_bucket(t, n->id);

	n->id_next = *bucket;
	*bucket = n;
}

static void link_name(struct px_inodes *t, struct node *n)
{
	struct node **bucket = name_bucket(t, n->name_hash);

	n->name_next = *bucket;
	*bucket = n;
	n->current = true;
}

static void unlink_id(struct px_inodes *t, struct node *n)
{
	struct node **p = id_bucket(t, n->id);

	while (*p != n)
		p = &(*p)->id_next;
	*p = n->id_next;
}

static void unlink_name(struct px_inodes *t, struct node *n)
{
	struct node **p = name_bucket(t, n->name_hash);

	if (!n->current)
		return;
	while (*p != n)
		p = &(*p)->name_next;
	*p = n->name_next;
	n->current = false;
}

/* Longer chains are no reason to fail: without memory all stays as it is. */
static void grow(struct px_inodes *t)
{
	struct node **old_by_id = t->by_id;
	size_t n_old = t->n_buckets;
	size_t n_new = n_old * 2;
	struct node **by_id = calloc(n_new, sizeof(struct node *));
	struct node **by_name = calloc(n_new, sizeof(struct node *));

	if (!by_id || !by_name) {
		free(by_id);
		free(by_name);
		return;
	}
	free(t->by_name);
	t->by_id = by_id;
	t->by_name = by_name;
	t->n_buckets = n_new;
	for (size_t i = 0; i < n_old; i++) {
		struct node *next;

		for (struct node *n = old_by_id[i]; n; n = next) {
			next = n->id_next;
			link_id(t, n);
			if (n->current)
				link_name(t, n);
		}
	}
	free(old_by_id);
}

/* ---------------------------------------------------------------- nodes */

uint64_t px_inode_number(uint64_t parent, const char *name)
{
	uint64_t number = hash_name(parent, name) >> NAME_BITS;

	for (int i = 0; i < NAME_BITS / 8 && name[i]; i++)
		number |= (uint64_t)(uint8_t)name[i] << (56 - 8 * i);
	return number > PX_INODE_ROOT ? number : number + 2;
}

static struct node *node_new(const char *name, const char *source,
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

static void listed_free(struct listed *l)
{
	if (l)
		px_view_unref(l->view);
	free(l);
}

static void node_free(struct node *n)
{
	listed_free(n->listed);
	free(n);
}

static void add(struct px_inodes *t, struct node *n, struct node *parent,
		uint64_t hash)
{
	if (t->n_nodes >= t->n_buckets)
		grow(t);
	n->parent = parent;
	n->name_hash = hash;
	n->id = t->next_id++;
	link_id(t, n);
	link_name(t, n);
	t->n_nodes++;
	if (parent)
		parent->n_children++;
}

/* Removes `n` and every parent that only it kept. */
static void drop_unused(struct px_inodes *t, struct node *n)
{
	while (n != t->root && n->n_lookups == 0 && n->n_children == 0) {
		struct node *parent = n->parent;

		unlink_id(t, n);
		unlink_name(t, n);
		t->n_nodes--;
		parent->n_children--;
		node_free(n);
		n = parent;
	}
}

/* ------------------------------------------------------------ interface */

int px_inodes_new(struct px_inodes **ret)
{
	struct px_inodes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->n_buckets = FIRST_BUCKETS;
	t->next_id = PX_INODE_ROOT;
	t->by_id = calloc(t->n_buckets, sizeof(struct node *));
	t->by_name = calloc(t->n_buckets, sizeof(struct node *));
	t->root = node_new("", "", PX_KIND_DIR);
	if (!t->by_id || !t->by_name || !t->root) {
		free(t->root);
		t->root = NULL;
		px_inodes_free(t);
		return -ENOMEM;
	}
	t->root->number = PX_INODE_ROOT;
	add(t, t->root, NULL, 0);
	*ret = t;
	return 0;
}

void px_inodes_free(struct px_inodes *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->root && i < t->n_buckets; i++) {
		struct node *next;

		for (struct node *n = t->by_id[i]; n; n = next) {
			next = n->id_next;
			node_free(n);
		}
	}
	free(t->by_id);
	free(t->by_name);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Writes the path backwards to the end of `buf`; NULL if it does not fit. */
static const char *build_path(const struct node *n, char *buf, size_t size)
{
	char *p = buf + size - 1;

	*p = '\0';
	for (; n->parent; n = n->parent) {
		const char *name = n->names + n->source;
		size_t length = strlen(name);
		size_t slash = *p ? 1 : 0;

		/* A generated __pycache__: its path is its directory's. */
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
	const struct node *n = find_id(t, id);

	if (!n)
		return -ESTALE;
	*ret_path = build_path(n, buf, size);
	if (!*ret_path)
		return -ENAMETOOLONG;
	ret->id = n->id;
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

/* Whether a node may go on standing for a name that is now `e`. */
static bool still_stands(const struct node *n, const struct px_entry *e,
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
	struct node *dir = find_id(t, parent);
	struct node *n;
	uint64_t hash;

	if (!dir)
		return -ESTALE;
	hash = hash_name(parent, e->name);
	n = find_name(t, dir, e->name, hash);
	if (!n || !still_stands(n, e, version)) {
		struct node *old = n;

		n = node_new(e->name, e->source, e->kind);
		if (!n)
			return -ENOMEM;
		if (old)
			unlink_name(t, old);
		n->number = px_inode_number(dir->number, e->name);
		add(t, n, dir, hash);
	}
	if (version != 0)
		n->version = version;
	n->n_lookups++;
	*ret_id = n->id;
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

static struct node *find_child(struct px_inodes *t, uint64_t dir,
			       const char *name)
{
	const struct node *parent = find_id(t, dir);

	return parent ? find_name(t, parent, name, hash_name(dir, name)) : NULL;
}

uint64_t px_inodes_version(struct px_inodes *t, uint64_t parent,
			   const char *name)
{
	const struct node *n;
	uint64_t version;

	pthread_mutex_lock(&t->lock);
	n = find_child(t, parent, name);
	version = n ? n->version : 0;
	pthread_mutex_unlock(&t->lock);
	return version;
}

bool px_inodes_settle(struct px_inodes *t, uint64_t id, uint64_t version,
		      struct px_attr *attr)
{
	struct node *n;
	bool same = false;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
	if (n) {
		same = n->version == 0 || n->version == version;
		if (same) {
			n->version = version;
			n->attr = *attr;
			n->attr_known = true;
		} else if (n->attr_known) {
			*attr = n->attr;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return same;
}

bool px_inodes_is(struct px_inodes *t, uint64_t id, uint64_t version)
{
	const struct node *n;
	bool same;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
	same = n && (n->version == 0 || n->version == version);
	pthread_mutex_unlock(&t->lock);
	return same;
}

bool px_inodes_get_attr(struct px_inodes *t, uint64_t id, struct px_attr *ret)
{
	const struct node *n;
	bool known;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
	known = n && n->attr_known;
	if (known)
		*ret = n->attr;
	pthread_mutex_unlock(&t->lock);
	return known;
}

void px_inodes_forget(struct px_inodes *t, uint64_t id, uint64_t n)
{
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = find_id(t, id);
	if (node) {
		node->n_lookups -= n < node->n_lookups ? n : node->n_lookups;
		drop_unused(t, node);
	}
	pthread_mutex_unlock(&t->lock);
}

int px_inodes_get_view(struct px_inodes *t, uint64_t id, struct px_view **ret,
		       struct px_fingerprint *ret_fp)
{
	const struct node *n;
	int r = -ENOENT;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
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
	n = find_id(t, id);
	if (n) {
		struct listed *old = n->listed;

		n->listed = l;
		l = old;
	}
	pthread_mutex_unlock(&t->lock);
	listed_free(l);
}

bool px_inodes_same_tag(struct px_inodes *t, uint64_t id, uint64_t tag)
{
	struct node *n;
	bool same = false;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, id);
	if (n) {
		same = n->tagged && n->tag == tag;
		n->tagged = true;
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
	n = find_id(t, id);
	if (n && n->parent && !n->read) {
		n->read = true;
		count = n->parent->read ? 0 : ++n->parent->n_read;
		*ret_dir = n->parent->id;
	}
	pthread_mutex_unlock(&t->lock);
	return count;
}

bool px_inodes_claim_push(struct px_inodes *t, uint64_t dir)
{
	struct node *n;
	bool first;

	pthread_mutex_lock(&t->lock);
	n = find_id(t, dir);
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
	n = find_child(t, dir, name);
	if (n)
		*ret_id = n->id;
	pthread_mutex_unlock(&t->lock);
	return n != NULL;
}

bool px_inodes_unread(struct px_inodes *t, uint64_t dir, const char *name,
		      uint64_t *ret_id)
{
	struct node *n;
	bool unread;

	pthread_mutex_lock(&t->lock);
	n = find_child(t, dir, name);
	unread = n && !n->read;
	if (unread) {
		n->read = true;
		*ret_id = n->id;
	}
	pthread_mutex_unlock(&t->lock);
	return unread;
}

size_t px_inodes_count(struct px_inodes *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->n_nodes;
	pthread_mutex_unlock(&t->lock);
	return n;
}
