/* SPDX-License-Identifier: MIT */
/*
 * Listing a directory: its names, what each is, and where links lead.
 */
#include "tree_path.h"

#include <dirent.h>
#include <fcntl.h>

/* A listing that is being read. While `text` may still be moved by growing,
 * names are stored as offsets into it. */
struct lister {
	struct px_tree *t;
	const char *path;
	DIR *dir;
	dev_t dev; /* device number of `dir` */
	enum px_list what;
	struct px_buf text;
	struct px_buf items; /* struct item */
};

struct item {
	size_t name;
	enum px_type type;
	enum px_leads leads;
	bool executable;
	bool stat_known;
	struct px_stat st;
};

static void lister_fini(struct lister *l)
{
	if (l->dir)
		closedir(l->dir);
	px_buf_fini(&l->text);
	px_buf_fini(&l->items);
}

static bool is_executable(const char *name, const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 0111) &&
	       px_ends_in(name, ".py");
}

/* Determines the type of an entry, and its attributes if they are wanted.
 * Returns 0; -ENOENT if the entry has vanished since; -errno. */
static int look_at(const struct lister *l, const struct dirent *e,
		   struct item *item)
{
	struct stat st;
	int r;

	/* Only directories can be pycfs mount points. If this is one, it must
	 * not receive a request, so fstatat is not called. */
	if (e->d_type == DT_UNKNOWN ||
	    (e->d_type == DT_DIR && l->what != PX_LIST_NAMES)) {
		dev_t dev = l->dev;

		r = px_tree_cross(dirfd(l->dir), e->d_name, &dev);
		if (r == -EXDEV)
			item->type = PX_TYPE_VIEW;
		if (r < 0)
			return r == -EXDEV ? 0 : r;
	}
	if (e->d_type != DT_UNKNOWN && l->what != PX_LIST_STATS &&
	    (l->what == PX_LIST_NAMES || e->d_type != DT_REG ||
	     !px_ends_in(e->d_name, ".py"))) {
		item->type = px_type_of(DTTOIF(e->d_type));
		return 0;
	}
	if (fstatat(dirfd(l->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	px_stat_fill(&st, &item->st);
	item->type = item->st.type;
	item->stat_known = true;
	item->executable = is_executable(e->d_name, &st);
	return 0;
}

/* What an error of px_tree_resolve says of a link. PX_LEADS_UNKNOWN: nothing,
 * such as EMFILE or EIO. */
static enum px_leads leads_of(int err)
{
	switch (err) {
	case -EXDEV:
		return PX_LEADS_OUT;
	case -ELOOP:
		return PX_LEADS_CIRCLE;
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return PX_LEADS_NOWHERE;
	case -EINVAL:
	case -EACCES:
	case -EAGAIN:
		return PX_LEADS_ELSEWHERE;
	default:
		return PX_LEADS_UNKNOWN;
	}
}

/* Finds out where the symlink `name` leads. If that is a directory of
 * px_tree_follow, the item becomes what is there. An error that tells nothing
 * about the link makes the listing fail where it might be a module, which would
 * be shown as a link. */
static int look_along(const struct lister *l, const char *name,
		      struct item *item)
{
	PX_AUTOFREE char *path = px_path_join(l->path, name);
	PX_AUTOFREE struct px_place *place = malloc(sizeof(*place));
	struct stat st;
	int r;

	if (!path || !place)
		return -ENOMEM;
	r = px_tree_resolve(l->t, path, place, &st);
	if (r < 0) {
		item->leads = leads_of(r);
		return item->leads == PX_LEADS_UNKNOWN &&
				       px_ends_in(name, ".py")
			       ? r
			       : 0;
	}
	if (place->tree != l->t) {
		px_stat_fill(&st, &item->st);
		item->type = item->st.type;
		item->stat_known = true;
		item->executable = is_executable(name, &st);
		return 0;
	}
	item->leads = S_ISREG(st.st_mode)   ? PX_LEADS_FILE
		      : S_ISDIR(st.st_mode) ? PX_LEADS_DIR
					    : PX_LEADS_ELSEWHERE;
	return 0;
}

static int add_item(struct lister *l, const char *name, struct item *item)
{
	int r;

	item->name = l->text.size;
	r = px_buf_add(&l->text, name, strlen(name) + 1);
	return r < 0 ? r : px_buf_add(&l->items, item, sizeof(*item));
}

static int lister_add(struct lister *l, const struct dirent *e)
{
	struct item item = {.name = 0};
	int r = look_at(l, e, &item);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && item.type == PX_TYPE_LNK &&
	    (l->what != PX_LIST_NAMES || l->t->roots))
		r = look_along(l, e->d_name, &item);
	return r < 0 ? r : add_item(l, e->d_name, &item);
}

/* Whether px_tree_put has put something in the place of entry `name`. */
static bool is_made(const struct lister *l, const char *name)
{
	const struct px_made *m;
	size_t at = 0;

	while ((m = px_made_next(&l->t->made, l->path, &at)))
		if (strcmp(px_made_name(m), name) == 0)
			return true;
	return false;
}

static int add_made(struct lister *l)
{
	const struct px_made *m;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (m = px_made_next(&l->t->made, l->path, &at))) {
		const char *name = px_made_name(m);
		struct item item = {
			.type = px_made_stat(m)->type,
			.executable = (px_made_stat(m)->mode & 0111) &&
				      px_ends_in(name, ".py"),
			.stat_known = true,
			.st = *px_made_stat(m),
		};

		r = add_item(l, name, &item);
	}
	return r;
}

static bool is_dot_or_dotdot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int lister_read(struct lister *l)
{
	while (l->dir) {
		const struct dirent *e;
		int r;

		errno = 0;
		e = readdir(l->dir);
		if (!e && errno != 0)
			return -errno;
		if (!e)
			break;
		if (is_dot_or_dotdot(e->d_name) || is_made(l, e->d_name))
			continue;
		r = lister_add(l, e);
		if (r < 0)
			return r;
	}
	return add_made(l);
}

static int compare_names(const void *a, const void *b)
{
	const struct px_name *x = a;
	const struct px_name *y = b;

	return strcmp(x->name, y->name);
}

static int lister_finish(struct lister *l, struct px_listing *ret)
{
	size_t n = l->items.size / sizeof(struct item);
	struct px_name *names = calloc(n + 1, sizeof(*names));
	const bool wanted = l->what == PX_LIST_STATS;
	struct px_stat *stats = wanted ? calloc(n + 1, sizeof(*stats)) : NULL;

	if (!names || (wanted && !stats)) {
		free(names);
		free(stats);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct item item;

		memcpy(&item, l->items.data + i * sizeof(item), sizeof(item));
		names[i].name = (const char *)l->text.data + item.name;
		names[i].type = item.type;
		names[i].leads = item.leads;
		names[i].leads_to_file = item.leads == PX_LEADS_FILE &&
					 px_ends_in(names[i].name, ".py");
		names[i].executable = item.executable;
		if (stats && item.stat_known) {
			stats[i] = item.st;
			names[i].st = &stats[i];
		}
	}
	qsort(names, n, sizeof(*names), compare_names);
	ret->n = n;
	ret->names = names;
	ret->arena = PX_STEAL(l->text.data);
	ret->stats = stats;
	return 0;
}

/* Opens a directory of SOURCE, which no px_tree_put has made. */
static int open_dir(struct lister *l, struct px_listing *ret)
{
	PX_AUTOCLOSE int fd = -1;
	int r = px_tree_open_path(l->t, l->path, O_RDONLY | O_DIRECTORY, &fd);

	if (r == 0)
		r = px_stat_fd(fd, &ret->dir);
	if (r < 0)
		return r;
	l->dev = ret->dir.fp.dev;
	l->dir = fdopendir(fd);
	if (!l->dir)
		return -errno;
	px_steal_fd(&fd);
	return 0;
}

int px_tree_list(struct px_tree *t, const char *path, enum px_list what,
		 struct px_listing *ret)
{
	PX_AUTO(lister_fini)
	struct lister l = {
		.t = t,
		.path = path,
		.what = what,
		.text.max = SIZE_MAX,
		.items.max = SIZE_MAX,
	};
	struct px_listing listing = {.n = 0};
	/* The time is read before the directory, so that a change in between
	 * makes the directory count as young. */
	int64_t now_ns = px_wall_ns();
	int r = px_made_find(&t->made, path)
			? px_tree_stat(t, path, &listing.dir)
			: open_dir(&l, &listing);

	if (r < 0)
		return r;
	listing.young = px_tree_young(&listing.dir.fp, now_ns);
	r = listing.dir.type == PX_TYPE_DIR ? lister_read(&l) : -ENOTDIR;
	if (r < 0)
		return r;
	r = lister_finish(&l, &listing);
	if (r < 0)
		return r;
	*ret = listing;
	return 0;
}

void px_listing_fini(struct px_listing *l)
{
	free(l->names);
	free(l->arena);
	free(l->stats);
	l->stats = NULL;
	l->names = NULL;
	l->arena = NULL;
	l->n = 0;
}
