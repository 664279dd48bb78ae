/* SPDX-License-Identifier: MIT */
/*
 * What somebody else has made of SOURCE: where in it the modules are, and
 * whether they can be imported here.
 */
#include "pycfs/check.h"

#include "pycfs/native.h"
#include "pycfs/set.h"
#include "pycfs/tree.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>

/* How many directories are read at most, in search of one thing. */
#define MAX_DIRS 3000

/* Directories that are still to be read, in the order in which they were found.
 */
struct queue {
	char *path[MAX_DIRS];
	size_t n, done;
};

static void queue_free(struct queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->n; i++)
		free(q->path[i]);
	free(q);
}

static void queue_freep(struct queue **q)
{
	queue_free(*q);
}

static int queue_add(struct queue *q, const char *dir, const char *name)
{
	if (q->n == MAX_DIRS)
		return 0;
	q->path[q->n] = px_path_join(dir, name);
	return q->path[q->n] ? (q->n++, 0) : -ENOMEM;
}

/* A hash of the name by which something is imported: what is before its first
 * dot. 0: it is nothing that could be. */
static uint64_t module_hash(const struct px_name *e)
{
	const size_t n = strcspn(e->name, ".");

	if (n == 0 || (e->type == PX_TYPE_DIR && e->name[n]) ||
	    strncmp(e->name, "__pycache__", n) == 0)
		return 0;
	if (e->type != PX_TYPE_DIR && !px_ends_in(e->name, ".py") &&
	    !px_ends_in(e->name, ".pyc") && !px_ends_in(e->name, ".so"))
		return 0;
	return px_hash64(0, e->name, n) | 1;
}

/* ------------------------------------------------------------- the place */

static int take_names(struct px_tree *source, struct px_set *names, size_t *n)
{
	struct px_listing l;
	int r = px_tree_list(source, "", PX_LIST_NAMES, &l);

	if (r < 0)
		return r;
	*n = 0;
	for (size_t i = 0; i < l.n; i++) {
		const uint64_t hash = module_hash(&l.names[i]);

		if (hash)
			*n += px_set_add(names, hash);
	}
	px_listing_fini(&l);
	return 0;
}

/* How many of these names directory `dir` has. Those that are below it are put
 * into the queue. */
static int count_names(struct px_tree *layer, const char *dir,
		       const struct px_set *names, struct queue *q)
{
	struct px_listing l;
	int r = 0, found = 0;

	if (px_tree_list(layer, dir, PX_LIST_NAMES, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.n && r == 0; i++) {
		const uint64_t hash = module_hash(&l.names[i]);

		found += hash && px_set_has(names, hash);
		if (l.names[i].type == PX_TYPE_DIR)
			r = queue_add(q, dir, l.names[i].name);
	}
	px_listing_fini(&l);
	return r < 0 ? r : found;
}

/* The directory with the most of SOURCE's names. One that has half of them is
 * taken at once. */
static int find(struct px_tree *layer, struct px_tree *source, char **ret)
{
	PX_AUTO(px_set_fini) struct px_set names = {0};
	PX_AUTO(queue_freep) struct queue *q = calloc(1, sizeof(*q));
	size_t n = 0;
	int r, best = 0, found;

	if (!q)
		return -ENOMEM;
	r = take_names(source, &names, &n);
	if (r == 0)
		r = queue_add(q, "", "");
	while (r == 0 && q->done < q->n && (size_t)best * 2 < n + !best) {
		const char *dir = q->path[q->done++];

		found = count_names(layer, dir, &names, q);
		if (found < 0)
			return found;
		if (found <= best)
			continue;
		best = found;
		free(*ret);
		*ret = px_path_join(px_tree_root(layer), dir);
		if (!*ret)
			r = -ENOMEM;
	}
	return r < 0 ? r : best > 0 ? 0 : -ENOENT;
}

/* -------------------------------------------------------- what it is for */

struct look {
	const struct px_check_target *target;
	struct px_tree *tree;
	bool saw_pyc, saw_native;
	struct px_why *why;
};

static ssize_t read_head(struct px_tree *t, const char *path, uint8_t *head,
			 size_t n)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;

	if (px_tree_open_file(t, path, &fd, &st) < 0)
		return 0;
	return px_read_full(fd, head, n);
}

static int look_at_pyc(struct look *k, const char *path)
{
	uint8_t head[4];

	if (k->saw_pyc || read_head(k->tree, path, head, 4) != 4)
		return 0;
	k->saw_pyc = true;
	if (px_get_le32(head) == k->target->magic)
		return 0;
	return px_because(k->why, -ENOTSUP,
			  "cannot be checked here: %s is for another Python "
			  "than 3.%u (magic number %u, not %u): name the one "
			  "that it is for, with --python",
			  path, k->target->minor, px_get_le32(head) & 0xffff,
			  k->target->magic & 0xffff);
}

/* The machine of an ELF file, and its class; 0: it is none. */
static unsigned machine_of(const uint8_t head[20])
{
	if (memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0;
	return (unsigned)head[EI_CLASS] << 16 | (unsigned)head[18] |
	       (unsigned)head[19] << 8;
}

static int look_at_native(struct look *k, const char *path)
{
	PX_AUTOCLOSE int own = -1;
	uint8_t head[20], ours[20];

	if (k->saw_native || read_head(k->tree, path, head, 20) != 20 ||
	    machine_of(head) == 0)
		return 0;
	k->saw_native = true;
	own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (own < 0 || px_read_full(own, ours, 20) != 20 ||
	    machine_of(ours) == machine_of(head))
		return 0;
	return px_because(k->why, -ENOTSUP,
			  "cannot be checked here: %s is for another machine: "
			  "check it on one of that kind",
			  path);
}

static int look_in(struct look *k, const char *dir, struct queue *q)
{
	struct px_listing l;
	int r = 0;

	if (px_tree_list(k->tree, dir, PX_LIST_NAMES, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.n && r == 0; i++) {
		const char *name = l.names[i].name;
		PX_AUTOFREE char *path = px_path_join(dir, name);

		if (!path)
			r = -ENOMEM;
		else if (l.names[i].type == PX_TYPE_DIR &&
			 strcmp(name, "__pycache__") != 0)
			r = queue_add(q, dir, name);
		else if (px_ends_in(name, ".pyc"))
			r = look_at_pyc(k, path);
		else if (px_ends_in(name, ".so"))
			r = look_at_native(k, path);
	}
	px_listing_fini(&l);
	return r;
}

static int look(const char *site, const struct px_check_target *target,
		struct px_why *why)
{
	struct look k = {.target = target, .why = why};
	PX_AUTO(queue_freep) struct queue *q = calloc(1, sizeof(*q));
	struct px_native native = {.other = NULL};
	int r;

	if (!q)
		return px_because(why, -ENOMEM, "out of memory");
	r = px_tree_open(site, &k.tree, why);
	if (r < 0)
		return r;
	r = queue_add(q, "", "");
	while (r == 0 && q->done < q->n && !(k.saw_pyc && k.saw_native))
		r = look_in(&k, q->path[q->done++], q);
	if (r == 0)
		r = px_native_look(k.tree, NULL, target->minor,
				   target->free_threaded, &native);
	if (r == 0 && native.other && !native.fits)
		r = px_because(why, -ENOTSUP,
			       "cannot be checked here: %s is for Python %s: "
			       "name that one, with --python",
			       native.other, native.version);
	else if (r == -ENOMEM)
		px_because(why, r, "out of memory");
	free(native.other);
	px_tree_close(k.tree);
	return r;
}

int px_check_layer(const char *layer, const char *source,
		   const struct px_check_target *target, char **ret,
		   struct px_why *why)
{
	struct px_tree *l = NULL, *s = NULL;
	PX_AUTOFREE char *site = NULL;
	int r = px_tree_open(layer, &l, why);

	if (r == 0)
		r = px_tree_open(source, &s, why);
	if (r == 0) {
		r = find(l, s, &site);
		if (r == -ENOENT)
			px_because(why, r,
				   "%s has no module of %s, as far as %d "
				   "directories tell",
				   layer, source, MAX_DIRS);
		else if (r < 0)
			px_because(why, r, "%s: %s", layer, strerror(-r));
	}
	px_tree_close(s);
	px_tree_close(l);
	if (r == 0)
		r = look(site, target, why);
	if (r == 0)
		*ret = PX_STEAL(site);
	return r;
}
