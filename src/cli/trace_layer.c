/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include "pycfs/digest.h"
#include "pycfs/map.h"
#include "pycfs/tree.h"
#include "pycfs/unarchive.h"

#include <limits.h>
#include <sys/stat.h>

/* Bytes of memory for the headers of an archive: a million modules or two. */
#define MAX_MEMORY (256u << 20)
#define CACHED	   "__pycache__"

/* The .pyc of one module of an archive. */
struct pyc {
	struct px_map_node node;
	uint8_t header[PX_PYC_HEADER_SIZE];
	char module[]; /* "pkg/core.py" */
};

struct px_layer {
	struct px_tree *tree; /* a directory; else NULL */
	char *dir;
	struct px_map pycs; /* of an archive: struct pyc, by module */
	size_t memory;
};

/* Converts the path of a .pyc below the top of the modules to that of its
 * source: pkg/core.pyc, or pkg/__pycache__/core.TAG.pyc, is of pkg/core.py.
 * False if it is no .pyc. */
static bool module_of(const char *path, char ret[PATH_MAX])
{
	const size_t parent = px_path_parent_length(path);
	const char *name = px_path_name(path);
	const size_t cached = strlen(CACHED);
	size_t n = strlen(name), dir = parent;
	const char *dot;

	if (n <= strlen(".pyc") || !px_ends_in(name, ".pyc") ||
	    strlen(path) >= PATH_MAX)
		return false;
	n -= strlen(".pyc");
	if (parent >= cached &&
	    memcmp(path + parent - cached, CACHED, cached) == 0 &&
	    (parent == cached || path[parent - cached - 1] == '/')) {
		dot = memrchr(name, '.', n);
		if (!dot || dot == name)
			return false;
		n = (size_t)(dot - name);
		dir = parent == cached ? 0 : parent - cached - 1;
	}
	memcpy(ret, path, dir);
	if (dir > 0)
		ret[dir++] = '/';
	stpcpy(mempcpy(ret + dir, name, n), ".py");
	return true;
}

/* ------------------------------------------------------------- archives */

static uint64_t hash_of(const char *module)
{
	return px_hash64(0, module, strlen(module));
}

static struct pyc *find(const struct px_layer *l, const char *module)
{
	struct px_map_node *n = px_map_first(&l->pycs, hash_of(module));

	for (; n; n = px_map_next(n)) {
		struct pyc *p = PX_CONTAINER(n, struct pyc, node);

		if (strcmp(p->module, module) == 0)
			return p;
	}
	return NULL;
}

/* The part of `path` below the directory of the modules; NULL if it is not
 * there. */
static const char *below(const struct px_layer *l, const char *path)
{
	const size_t n = strlen(l->dir);

	if (n == 0)
		return path;
	return strncmp(path, l->dir, n) == 0 && path[n] == '/' ? path + n + 1
							       : NULL;
}

static int add(struct px_layer *l, const char *module, const uint8_t *header)
{
	const size_t n = strlen(module) + 1;
	struct pyc *p;

	l->memory += sizeof(*p) + n;
	if (l->memory > MAX_MEMORY)
		return -EFBIG;
	p = calloc(1, sizeof(*p) + n);
	if (!p || px_map_add(&l->pycs, &p->node, hash_of(module)) < 0) {
		free(p);
		return -ENOMEM;
	}
	memcpy(p->header, header, sizeof(p->header));
	memcpy(p->module, module, n);
	return 0;
}

static int take(struct px_layer *l, struct px_unarchive *u,
		const struct px_unarchive_entry *e, struct px_why *why)
{
	uint8_t header[PX_PYC_HEADER_SIZE];
	char module[PATH_MAX], target[PATH_MAX];
	const char *path = below(l, e->path), *to = NULL;
	const struct pyc *p = NULL;
	ssize_t got;
	int r;

	if (!path || !module_of(path, module) || find(l, module))
		return 0;
	if (e->hardlink) {
		to = below(l, e->hardlink);
		if (to && module_of(to, target))
			p = find(l, target);
		if (!p)
			return 0;
		memcpy(header, p->header, sizeof(header));
	} else {
		got = px_unarchive_head(u, header, sizeof(header), why);
		if (got < 0)
			return (int)got;
		if (got < (ssize_t)sizeof(header))
			return 0;
	}
	r = add(l, module, header);
	return r < 0 ? px_because(why, r, "too many modules in the layer: %s",
				  strerror(-r))
		     : 0;
}

static int read_archive(struct px_layer *l, const char *path,
			struct px_why *why)
{
	struct px_unarchive_entry e;
	struct px_unarchive *u;
	int r = px_unarchive_open(path, &u, why);

	if (r < 0)
		return r;
	do {
		r = px_unarchive_next(u, &e, why);
		if (r > 0)
			r = take(l, u, &e, why) < 0 ? -EIO : 1;
	} while (r > 0);
	px_unarchive_close(u);
	return r;
}

/* ------------------------------------------------------------ directories */

/* The path of the .pyc of `module` in __pycache__; NULL if there is none. The
 * caller frees it. */
static char *find_cached(struct px_layer *l, const char *module)
{
	PX_AUTOFREE char *parent = px_path_parent(module);
	PX_AUTOFREE char *dir = parent ? px_path_join(parent, CACHED) : NULL;
	PX_AUTOFREE char *full = dir ? px_path_join(l->dir, dir) : NULL;
	char *found = NULL, *path, of[PATH_MAX];
	struct px_listing list;
	size_t i;

	if (!full || px_tree_list(l->tree, full, PX_LIST_KINDS, &list) < 0)
		return NULL;
	for (i = 0; i < list.n && !found; i++) {
		path = px_path_join(dir, list.names[i].name);
		if (path && module_of(path, of) && strcmp(of, module) == 0)
			found = px_path_join(l->dir, path);
		free(path);
	}
	px_listing_fini(&list);
	return found;
}

static int open_pyc(struct px_layer *l, const char *module, int *ret_fd)
{
	const size_t n = strlen(module);
	PX_AUTOFREE char *pyc = malloc(n + 2);
	PX_AUTOFREE char *path = NULL, *cached = NULL;
	struct px_stat st;
	int r;

	if (!pyc)
		return -ENOMEM;
	stpcpy(mempcpy(pyc, module, n), "c");
	path = px_path_join(l->dir, pyc);
	if (!path)
		return -ENOMEM;
	r = px_tree_open_file(l->tree, path, ret_fd, &st);
	if (r != -ENOENT)
		return r;
	cached = find_cached(l, module);
	return cached ? px_tree_open_file(l->tree, cached, ret_fd, &st)
		      : -ENOENT;
}

int px_layer_header(struct px_layer *l, const char *module,
		    uint8_t ret[PX_PYC_HEADER_SIZE])
{
	PX_AUTOCLOSE int fd = -1;
	const struct pyc *p;
	ssize_t got;
	int r;

	if (!l->tree) {
		p = find(l, module);
		if (p)
			memcpy(ret, p->header, PX_PYC_HEADER_SIZE);
		return p ? 0 : -ENOENT;
	}
	r = open_pyc(l, module, &fd);
	if (r < 0)
		return r;
	got = px_read_full(fd, ret, PX_PYC_HEADER_SIZE);
	if (got < 0)
		return (int)got;
	return got == PX_PYC_HEADER_SIZE ? 0 : -EBADMSG;
}

int px_layer_open(const char *path, const char *dir, struct px_layer **ret,
		  struct px_why *why)
{
	struct px_layer *l = calloc(1, sizeof(*l));
	struct stat st;
	int r;

	if (l)
		l->dir = strdup(dir);
	if (!l || !l->dir) {
		px_layer_free(l);
		return px_because(why, -ENOMEM, "out of memory");
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = px_tree_open(path, &l->tree, why);
	else
		r = read_archive(l, path, why);
	if (r < 0) {
		px_layer_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void px_layer_free(struct px_layer *l)
{
	struct px_map_node *n, *next;

	if (!l)
		return;
	for (n = px_map_each(&l->pycs, NULL); n; n = next) {
		next = px_map_each(&l->pycs, n);
		free(PX_CONTAINER(n, struct pyc, node));
	}
	px_map_fini(&l->pycs);
	px_tree_close(l->tree);
	free(l->dir);
	free(l);
}
