/* SPDX-License-Identifier: MIT */
/*
 * A look at where a link out of SOURCE leads: at names, and at nothing else. It
 * takes the way of every other look, beneath a descriptor, here that of "/", so
 * that no mount of pycfs is asked.
 */
#include "tree_path.h"

#define MAX_DEPTH 3
#define MAX_NAMES 5000

struct look {
	struct px_tree *all; /* "/" */
	bool (*is_module)(const char *name);
	size_t n; /* names seen so far */
};

static bool has_modules(struct look *k, const char *dir, int depth)
{
	struct px_listing l;
	bool found = false;
	size_t i;

	if (px_tree_list(k->all, dir, PX_LIST_KINDS, &l) < 0)
		return false;
	k->n += l.n;
	for (i = 0; i < l.n && !found; i++)
		found = l.names[i].type != PX_TYPE_DIR &&
			k->is_module(l.names[i].name);
	for (i = 0; i < l.n && !found; i++) {
		PX_AUTOFREE char *below = NULL;

		if (l.names[i].type != PX_TYPE_DIR || depth >= MAX_DEPTH ||
		    k->n > MAX_NAMES)
			continue;
		below = px_path_join(dir, l.names[i].name);
		found = below && has_modules(k, below, depth + 1);
	}
	px_listing_fini(&l);
	return found;
}

/* Finds what the target of the link `path` is, taken as text. */
static int find(struct px_tree *t, struct px_tree *all, const char *path,
		struct px_place *ret, struct stat *st)
{
	PX_AUTOFREE char *target = NULL;
	PX_AUTOFREE char *parent = px_path_parent(path);
	PX_AUTOFREE char *dir = parent ? px_path_join(t->root, parent) : NULL;
	PX_AUTOFREE char *whole = NULL;
	int r = dir ? px_tree_readlink(t, path, &target) : -ENOMEM;

	if (r < 0)
		return r;
	whole = *target == '/' ? strdup(target) : px_path_join(dir, target);
	return whole ? px_tree_resolve_absolute(all, whole, ret, st) : -ENOMEM;
}

int px_tree_leads_to_modules(struct px_tree *t, const char *path,
			     bool (*is_module)(const char *name))
{
	PX_AUTOFREE struct px_place *place = malloc(sizeof(*place));
	struct look k = {.is_module = is_module};
	struct stat st;
	int r = place ? px_tree_open("/", &k.all, NULL) : -ENOMEM;

	if (r < 0)
		return r;
	r = find(t, k.all, path, place, &st);
	if (r == 0)
		r = S_ISDIR(st.st_mode) && has_modules(&k, place->path, 1);
	px_tree_close(k.all);
	return r;
}
