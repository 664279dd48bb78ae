/* SPDX-License-Identifier: MIT */
#include "pycfs/native.h"

#include <stdio.h>

/* What an ending such as ".cpython-314t-x86_64-linux-gnu.so" begins with
 * (SOABI of CPython 3.14, configure.ac). After the number, letters name the
 * ABI, of which only "t", free-threaded, keeps a module from being loaded. */
#define TAG ".cpython-"

/* Directories that are still to be read, in the order in which they were
 * found. */
struct queue {
	char *path[PX_NATIVE_MAX_DIRS];
	size_t n, done;
};

struct search {
	struct px_tree *tree;
	const struct px_rules *rules;
	char wanted[24];
	struct queue queue;
	struct px_native *ret;
};

bool px_native_version(const char *name, char ret[24])
{
	static const char digits[] = "0123456789";
	const char *p = NULL, *next = name;
	size_t n, letters;

	if (!px_ends_in(name, ".so"))
		return false;
	while ((next = strstr(next, TAG)))
		p = next += strlen(TAG);
	if (!p || *p != '3')
		return false;
	n = strspn(++p, digits);
	letters = strspn(p + n, "tdmu");
	if (n == 0 || n > 3 || (p[n + letters] != '-' && p[n + letters] != '.'))
		return false;
	snprintf(ret, 24, "3.%.*s%s", (int)n, p,
		 memchr(p + n, 't', letters) ? "t" : "");
	return true;
}

/* Adds a directory, if there is room for it. */
static int add_dir(struct queue *q, const char *path)
{
	if (q->n == PX_NATIVE_MAX_DIRS)
		return 0;
	q->path[q->n] = strdup(path);
	return q->path[q->n++] ? 0 : -ENOMEM;
}

static int look_at(struct search *s, const char *dir, const struct px_name *e)
{
	const bool is_dir = e->type == PX_TYPE_DIR;
	PX_AUTOFREE char *path = NULL;
	char version[24];

	if (is_dir ? strcmp(e->name, "__pycache__") == 0
		   : !px_native_version(e->name, version))
		return 0;
	path = px_path_join(dir, e->name);
	if (!path)
		return -ENOMEM;
	if (px_rules_excluded(s->rules, path, is_dir))
		return 0;
	if (is_dir)
		return add_dir(&s->queue, path);
	if (strcmp(version, s->wanted) == 0) {
		s->ret->fits = true;
	} else if (!s->ret->other) {
		s->ret->other = PX_STEAL(path);
		memcpy(s->ret->version, version, sizeof(version));
	}
	return 0;
}

static int look_in(struct search *s, const char *dir)
{
	struct px_listing l;
	int r = 0;

	if (px_tree_list(s->tree, dir, PX_LIST_NAMES, &l) < 0)
		return 0;
	for (size_t i = 0; i < l.n && r == 0 && !s->ret->fits; i++)
		r = look_at(s, dir, &l.names[i]);
	px_listing_fini(&l);
	return r;
}

int px_native_look(struct px_tree *tree, const struct px_rules *rules,
		   unsigned minor, bool free_threaded, struct px_native *ret)
{
	PX_AUTOFREE struct search *s = calloc(1, sizeof(*s));
	int r;

	*ret = (struct px_native){.other = NULL};
	if (!s)
		return -ENOMEM;
	s->tree = tree;
	s->rules = rules;
	s->ret = ret;
	snprintf(s->wanted, sizeof(s->wanted), "3.%u%s", minor,
		 free_threaded ? "t" : "");
	r = add_dir(&s->queue, "");
	while (r == 0 && !ret->fits && s->queue.done < s->queue.n)
		r = look_in(s, s->queue.path[s->queue.done++]);
	for (size_t i = 0; i < s->queue.n; i++)
		free(s->queue.path[i]);
	if (r < 0)
		free(PX_STEAL(ret->other));
	return r;
}
