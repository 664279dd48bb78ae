/* SPDX-License-Identifier: MIT */
#include "pycfs/mark.h"

#include "pycfs/map.h"
#include "pycfs/record.h"
#include "pycfs/set.h"

#include <ctype.h>

/* In bytes; the same limit as in content/record.c. */
#define RECORD_MAX (64u << 20)

/* --------------------------------------------------------- lost to a link */

static const char lost_out[] = "leads out of SOURCE";
static const char lost_nowhere[] = "leads nowhere";
static const char lost_circle[] = "leads in a circle";

/* Returns the length of the identifier at the start of `name`. Bytes beyond
 * ASCII count as letters, as in Python's identifiers most of them are. */
static size_t identifier(const char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || name[n] == '_' ||
	       (unsigned char)name[n] >= 0x80)
		n++;
	return isdigit((unsigned char)*name) ? 0 : n;
}

bool px_mark_is_module(const char *name)
{
	const size_t n = identifier(name);

	if (*name == '.')
		return false;
	if (px_ends_in(name, ".py") || px_ends_in(name, ".pyc"))
		return true;
	if (n == 0 || !px_ends_in(name, ".so") || strncmp(name, "lib", 3) == 0)
		return false;
	return strcmp(name + n, ".so") == 0 ||
	       strncmp(name + n, ".cpython-", 9) == 0 ||
	       strncmp(name + n, ".abi3", 5) == 0;
}

/* Whether a package may have this name. LICENSE and the like are none. */
static bool may_be_package(const char *name)
{
	const size_t n = identifier(name);
	size_t i;

	if (n == 0 || name[n] != '\0')
		return false;
	for (i = 0; i < n; i++)
		if (!isupper((unsigned char)name[i]) && name[i] != '_')
			return true;
	return false;
}

static const char *why_lost(enum px_leads leads)
{
	switch (leads) {
	case PX_LEADS_OUT:
		return lost_out;
	case PX_LEADS_NOWHERE:
		return lost_nowhere;
	case PX_LEADS_CIRCLE:
		return lost_circle;
	case PX_LEADS_UNKNOWN:
	case PX_LEADS_FILE:
	case PX_LEADS_DIR:
	case PX_LEADS_ELSEWHERE:
		break;
	}
	return NULL;
}

/* Whether a directory whose name is that of a link that leads out of SOURCE,
 * nowhere or in a circle would be a package. */
static bool is_lost_package(struct px_tree *t, const char *dir,
			    const struct px_name *e, bool among_modules)
{
	PX_AUTOFREE char *path = NULL;
	int r = -ENOENT;

	if (!may_be_package(e->name))
		return false;
	if (e->leads == PX_LEADS_OUT) {
		path = px_path_join(dir, e->name);
		r = path ? px_tree_leads_to_modules(t, path, px_mark_is_module)
			 : -ENOMEM;
	}
	return r >= 0 ? r > 0 : among_modules;
}

int px_mark_lost(struct px_tree *t, const char *dir, struct px_listing *l)
{
	bool among_modules = *dir == '\0';
	size_t i;

	for (i = 0; i < l->n && !among_modules; i++)
		among_modules = px_mark_is_module(l->names[i].name);
	for (i = 0; i < l->n; i++) {
		struct px_name *e = &l->names[i];
		const char *why =
			e->type == PX_TYPE_LNK ? why_lost(e->leads) : NULL;

		if (why && (px_mark_is_module(e->name) ||
			    is_lost_package(t, dir, e, among_modules)))
			e->lost = why;
	}
	return 0;
}

/* ---------------------------------------------------------------- scripts */

/* The paths that the RECORDs of one directory own, as hashes. Two paths of the
 * same hash would make a script a module, which is what it was before there
 * were scripts. */
struct owned {
	struct px_map_node node;
	struct px_fingerprint fp; /* of the directory */
	struct px_set paths;
	char dir[];
};

struct px_owners {
	pthread_mutex_t lock;
	struct px_map all; /* struct owned, by directory; under lock */
};

int px_owners_new(struct px_owners **ret)
{
	struct px_owners *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	pthread_mutex_init(&o->lock, NULL);
	*ret = o;
	return 0;
}

static void owned_free(struct owned *d)
{
	px_set_fini(&d->paths);
	free(d);
}

void px_owners_free(struct px_owners *o)
{
	struct px_map_node *n, *next;

	if (!o)
		return;
	for (n = px_map_each(&o->all, NULL); n; n = next) {
		next = px_map_each(&o->all, n);
		owned_free(PX_CONTAINER(n, struct owned, node));
	}
	px_map_fini(&o->all);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static uint64_t hash_of(const char *path)
{
	return px_hash64(0, path, strlen(path));
}

/* Adds what the RECORD at `path` owns. One that cannot be read owns nothing. */
static void add_record(struct owned *d, struct px_tree *t, const char *path)
{
	PX_AUTO(px_buf_fini) struct px_buf text = {.max = RECORD_MAX};
	PX_AUTO(px_buf_fini) struct px_buf name = {.max = RECORD_MAX};
	struct px_record_reader reader;
	const char *rest;
	struct px_stat st;
	size_t n_rest;

	if (px_tree_read(t, path, &text, &st) < 0)
		return;
	reader = (struct px_record_reader){(const char *)text.data, text.size,
					   0};
	while (px_record_next(&reader, &name, &rest, &n_rest) > 0)
		if (px_ends_in((const char *)name.data, ".py"))
			px_set_add(&d->paths, hash_of((const char *)name.data));
}

static struct owned *read_owned(struct px_tree *t, const char *dir)
{
	const size_t n = strlen(dir) + 1;
	struct owned *d = calloc(1, sizeof(*d) + n);
	struct px_listing l;
	size_t i;

	if (!d)
		return NULL;
	memcpy(d->dir, dir, n);
	if (px_tree_list(t, dir, PX_LIST_KINDS, &l) < 0)
		return d;
	d->fp = l.dir.fp;
	for (i = 0; i < l.n; i++) {
		PX_AUTOFREE char *info = NULL;
		PX_AUTOFREE char *path = NULL;

		if (l.names[i].type != PX_TYPE_DIR ||
		    !px_ends_in(l.names[i].name, ".dist-info"))
			continue;
		info = px_path_join(dir, l.names[i].name);
		path = info ? px_path_join(info, "RECORD") : NULL;
		if (path)
			add_record(d, t, path);
	}
	px_listing_fini(&l);
	return d;
}

/* Under lock. Returns what the RECORDs in `dir` own, NULL if out of memory. */
static struct owned *owned_in(struct px_owners *o, struct px_tree *t,
			      const char *dir)
{
	struct px_map_node *n = px_map_first(&o->all, hash_of(dir));
	struct owned *d = NULL;
	struct px_stat st;

	for (; n; n = px_map_next(n)) {
		d = PX_CONTAINER(n, struct owned, node);
		if (strcmp(d->dir, dir) == 0)
			break;
	}
	if (n && px_tree_stat(t, dir, &st) == 0 &&
	    px_fingerprint_equal(&st.fp, &d->fp))
		return d;
	if (n) {
		px_map_remove(&o->all, n);
		owned_free(d);
	}
	d = read_owned(t, dir);
	if (d && px_map_add(&o->all, &d->node, hash_of(dir)) < 0) {
		owned_free(d);
		d = NULL;
	}
	return d;
}

/* Whether a RECORD in one of the directories that `path` goes through owns it:
 * its rows are relative to the directory that the .dist-info is in. */
static bool has_owner(struct px_owners *o, struct px_tree *t, const char *path)
{
	PX_AUTOFREE char *dir = px_path_parent(path);
	bool found = false;

	pthread_mutex_lock(&o->lock);
	while (dir && !found) {
		const size_t n = strlen(dir);
		struct owned *d = owned_in(o, t, dir);

		found = d && px_set_has(&d->paths, hash_of(path + n + (n > 0)));
		if (n == 0)
			break;
		dir[px_path_parent_length(dir)] = '\0';
	}
	pthread_mutex_unlock(&o->lock);
	return found;
}

static bool begins_as_script(struct px_tree *t, const char *path)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	char begin[2];

	return px_tree_open_known(t, path, &fd, &st) == 0 &&
	       px_read_full(fd, begin, 2) == 2 && memcmp(begin, "#!", 2) == 0;
}

int px_mark_scripts(struct px_owners *o, struct px_tree *t, const char *dir,
		    struct px_listing *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		PX_AUTOFREE char *path = NULL;

		if (!l->names[i].executable)
			continue;
		path = px_path_join(dir, l->names[i].name);
		if (!path)
			return -ENOMEM;
		l->names[i].is_script =
			begins_as_script(t, path) && !has_owner(o, t, path);
	}
	return 0;
}
