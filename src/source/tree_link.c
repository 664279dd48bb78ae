/* SPDX-License-Identifier: MIT */
/*
 * Where symlinks lead. A link is followed name by name, each looked at beneath
 * the descriptor of the directory that it is in: SOURCE, or one of the
 * directories that px_tree_follow has added.
 */
#include "tree_path.h"

#include <fcntl.h>
#include <stdio.h>

#define MAX_LINKS 40 /* MAXSYMLINKS, include/linux/namei.h */

/* The state of following a symlink. `at` is what has been resolved: it has only
 * real directories and, at the end, any file. `rest` is the part of the path
 * that is still to be resolved. */
struct resolver {
	struct px_tree *t;
	struct px_place at;
	char rest[PATH_MAX];
	unsigned n_links;
	struct stat st; /* of `at`, when `rest` is used up */
};

static int lstat_beneath(struct px_tree *t, const char *path, struct stat *ret)
{
	PX_AUTOCLOSE int fd = -1;
	int r = px_tree_open_beneath(t, path, O_PATH, &fd);

	if (r < 0)
		return r;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

/* Reads the target of the symlink `fd` into `ret`, without a NUL byte. Returns
 * the length in bytes; -EINVAL if it is not a symlink; -errno. */
static ssize_t read_link(int fd, char ret[PATH_MAX])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return -EINVAL;
	n = readlinkat(fd, "", ret, PATH_MAX);
	if (n < 0)
		return -errno;
	return n == PATH_MAX ? -ENAMETOOLONG : n;
}

int px_tree_readlink(struct px_tree *t, const char *path, char **ret)
{
	PX_AUTOCLOSE int fd = -1;
	char target[PATH_MAX];
	ssize_t n = px_tree_open_path(t, path, O_PATH, &fd);

	if (n == 0)
		n = read_link(fd, target);
	if (n < 0)
		return (int)n;
	*ret = strndup(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

/* ---------------------------------------------------------------- moving */

/* Returns the part of the absolute path `target` that follows that of `root`,
 * or NULL if it does not lie there. */
static const char *beneath(const char *root, const char *target)
{
	size_t n = strlen(root);

	/* The directory may be "/", which ends in a slash. */
	if (root[n - 1] == '/')
		n--;
	if (strncmp(target, root, n) != 0)
		return NULL;
	if (target[n] != '/' && target[n] != '\0')
		return NULL;
	return target + n;
}

static bool enter(struct resolver *v, struct px_tree *tree, const char *target)
{
	const char *rest = beneath(tree->root, target);

	if (!rest)
		rest = beneath(tree->given, target);
	if (!rest)
		return false;
	v->at.tree = tree;
	v->at.path[0] = '\0';
	memmove(v->rest, rest, strlen(rest) + 1);
	return true;
}

/* Takes "." and ".." out of an absolute path, in place, as text. */
static void simplify(char *path)
{
	char *to = path;
	const char *p = path;

	while (*p) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (n > 1 || (n == 1 && *p != '.')) {
			*to++ = '/';
			memmove(to, p, n);
			to += n;
		}
		p += n;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* Goes on at the absolute path `target`, which must lie in one of the trees. It
 * is compared as text, so that nothing outside of them is looked at. */
static int jump(struct resolver *v, char *target)
{
	struct px_tree *root;
	int i;

	for (i = 0; i < 2; i++) {
		if (enter(v, v->t, target))
			return 0;
		for (root = v->t->roots; root; root = root->next)
			if (enter(v, root, target))
				return 0;
		if (!v->t->roots)
			break;
		simplify(target);
	}
	return -EXDEV;
}

/* Called when ".." leads out of the top of a tree: that may be into another
 * one. */
static int leave(struct resolver *v)
{
	char target[2 * PATH_MAX + 4];

	if (!v->t->roots)
		return -EXDEV;
	if (++v->n_links > MAX_LINKS)
		return -ELOOP;
	snprintf(target, sizeof(target), "%s/..%s", v->at.tree->root, v->rest);
	simplify(target);
	return strlen(target) < PATH_MAX ? jump(v, target) : -ENAMETOOLONG;
}

/* Removes the last name of what has been resolved. */
static void drop_name(struct resolver *v)
{
	v->at.path[px_path_parent_length(v->at.path)] = '\0';
}

static int go_down(struct resolver *v, const char *name, size_t n)
{
	size_t have = strlen(v->at.path);

	if (have + 1 + n >= sizeof(v->at.path))
		return -ENAMETOOLONG;
	if (have > 0)
		v->at.path[have++] = '/';
	memcpy(v->at.path + have, name, n);
	v->at.path[have + n] = '\0';
	return 0;
}

/* Called when `at` is a symlink: puts the link's target in front of `rest`,
 * which is empty or starts with a slash. */
static int follow(struct resolver *v)
{
	PX_AUTOCLOSE int fd = -1;
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t length;
	int n;

	if (++v->n_links > MAX_LINKS)
		return -ELOOP;
	length = px_tree_open_beneath(v->at.tree, v->at.path, O_PATH, &fd);
	if (length == 0)
		length = read_link(fd, target);
	if (length < 0)
		return length == -EINVAL ? -EAGAIN : (int)length;
	n = snprintf(joined, sizeof(joined), "%.*s%s", (int)length, target,
		     v->rest);
	if ((size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	if (joined[0] == '/')
		return jump(v, joined);
	drop_name(v);
	memcpy(v->rest, joined, (size_t)n + 1);
	return 0;
}

/* Resolves the first name of `rest`. Returns 1 if none is left, 0 if more names
 * follow, or -errno. */
static int step(struct resolver *v)
{
	const char *name = v->rest + strspn(v->rest, "/");
	const size_t n = strcspn(name, "/");
	const bool is_up = n == 2 && memcmp(name, "..", 2) == 0;
	const bool last = name[n] == '\0';
	int r = 0;

	if (n > 0 && !is_up && (n != 1 || *name != '.'))
		r = go_down(v, name, n);
	if (r < 0)
		return r;
	memmove(v->rest, name + n, strlen(name + n) + 1);
	if (is_up && v->at.path[0] == '\0')
		return leave(v);
	if (is_up)
		drop_name(v);
	r = lstat_beneath(v->at.tree, v->at.path, &v->st);
	if (r < 0)
		return r;
	if (S_ISLNK(v->st.st_mode))
		return follow(v);
	if (!last && !S_ISDIR(v->st.st_mode))
		return -ENOTDIR;
	return last;
}

static int finish(struct resolver *v, struct px_place *ret, struct stat *st)
{
	int r = 0;

	while (r == 0)
		r = step(v);
	if (r < 0)
		return r;
	*ret = v->at;
	*st = v->st;
	return 0;
}

static int resolve(struct px_tree *t, const char *path, struct px_place *ret,
		   struct stat *st)
{
	PX_AUTOFREE struct resolver *v = NULL;
	int r = px_tree_check_path(path);

	if (r < 0)
		return r;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->t = t;
	v->at.tree = t;
	memcpy(v->at.path, path, strlen(path) + 1);
	/* The directories in `path` itself must not be symlinks: only the
	 * targets of links may go through other links. With px_tree_follow
	 * they may be, so that the way begins at the top. */
	if (t->roots) {
		v->at.path[0] = '\0';
		memcpy(v->rest, path, strlen(path) + 1);
	} else {
		r = follow(v);
	}
	return r < 0 ? r : finish(v, ret, st);
}

/* Whether the directory `a` is `b`, or above it. */
static bool has(const struct px_place *a, const struct px_place *b)
{
	PX_AUTOFREE char *above = px_path_join(a->tree->root, a->path);
	PX_AUTOFREE char *below = px_path_join(b->tree->root, b->path);

	return !above || !below || beneath(above, below) != NULL;
}

/* Whether one of the directories that `path` goes through is the directory
 * `to`, which the link `path` leads to, or is in it, so that a walk would come
 * to it again and again. */
static bool is_circle(struct px_tree *t, const char *path,
		      const struct px_place *to, const struct stat *st)
{
	PX_AUTOFREE struct px_place *place = malloc(sizeof(*place));
	PX_AUTOFREE char *above = strdup(path);
	struct stat other;

	if (!place || !above)
		return true;
	while (*above) {
		above[px_path_parent_length(above)] = '\0';
		if (resolve(t, above, place, &other) < 0)
			continue;
		if (other.st_dev == st->st_dev && other.st_ino == st->st_ino)
			return true;
		if (has(to, place))
			return true;
	}
	return false;
}

int px_tree_resolve(struct px_tree *t, const char *path, struct px_place *ret,
		    struct stat *st)
{
	int r = resolve(t, path, ret, st);

	if (r == 0 && ret->tree != t && S_ISDIR(st->st_mode) &&
	    is_circle(t, path, ret, st))
		r = -ELOOP;
	return r;
}

int px_tree_resolve_absolute(struct px_tree *t, const char *path,
			     struct px_place *ret, struct stat *st)
{
	PX_AUTOFREE struct resolver *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	v->t = t;
	v->at.tree = t;
	memcpy(v->rest, path, strlen(path) + 1);
	return finish(v, ret, st);
}

/* --------------------------------------------------------------- opening */

static bool is_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Finds the place of `path`, of whose directories some may be links, without
 * following its last name. */
static int find_place(struct px_tree *t, const char *path, struct px_place *ret)
{
	PX_AUTOFREE char *parent = px_path_parent(path);
	const char *name = px_path_name(path);
	struct stat st;
	size_t n;
	int r = parent ? resolve(t, parent, ret, &st) : -ENOMEM;

	if (r < 0)
		return r;
	n = strlen(ret->path);
	if (n + 1 + strlen(name) >= sizeof(ret->path))
		return -ENAMETOOLONG;
	if (n > 0 && *name)
		ret->path[n++] = '/';
	memcpy(ret->path + n, name, strlen(name) + 1);
	return 0;
}

int px_tree_open_path(struct px_tree *t, const char *path, int flags,
		      int *ret_fd)
{
	PX_AUTOFREE struct px_place *place = NULL;
	PX_AUTOCLOSE int fd = -1;
	int followed = -1;
	struct stat st;
	int r = px_tree_open_beneath(t, path, flags, &fd);

	if (r == -ELOOP && t->roots) {
		place = malloc(sizeof(*place));
		r = place ? find_place(t, path, place) : -ENOMEM;
		if (r == 0)
			r = px_tree_open_beneath(place->tree, place->path,
						 flags, &fd);
	}
	if (t->roots &&
	    (r == -ELOOP || (r == 0 && (flags & O_PATH) && is_link(fd)))) {
		if (!place)
			place = malloc(sizeof(*place));
		if (!place)
			return -ENOMEM;
		if (px_tree_resolve(t, path, place, &st) == 0 &&
		    place->tree != t) {
			r = px_tree_open_beneath(place->tree, place->path,
						 flags, &followed);
			px_closep(&fd);
			fd = followed;
		}
	}
	if (r < 0)
		return r;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

int px_tree_lstat(struct px_tree *t, const char *path, struct stat *ret)
{
	PX_AUTOCLOSE int fd = -1;
	int r = px_tree_open_path(t, path, O_PATH, &fd);

	if (r < 0)
		return r;
	return fstat(fd, ret) < 0 ? -errno : 0;
}
