/* SPDX-License-Identifier: MIT */
#include "tree_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statvfs.h>

/* How often an operation is tried again when a file, or a link and its target,
 * has changed between two of its system calls. If they change this often in a
 * row, it is no coincidence, and the operation fails. */
#define MAX_TRIES 5

/* ------------------------------------------------------------ attributes */

static enum px_type type_of(mode_t mode)
{
	if (S_ISREG(mode))
		return PX_TYPE_REG;
	if (S_ISDIR(mode))
		return PX_TYPE_DIR;
	if (S_ISLNK(mode))
		return PX_TYPE_LNK;
	return PX_TYPE_SPECIAL;
}

/* File systems can store times that 64 bits of nanoseconds cannot represent;
 * those become the nearest possible value. */
static int64_t to_ns(const struct timespec *ts)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)ts->tv_sec, 1000000000, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)ts->tv_nsec, &ns))
		return ts->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

static void fill_stat(const struct stat *st, struct px_stat *ret)
{
	ret->type = type_of(st->st_mode);
	ret->mode = st->st_mode & 0777;
	ret->uid = st->st_uid;
	ret->gid = st->st_gid;
	ret->fp.dev = st->st_dev;
	ret->fp.ino = st->st_ino;
	ret->fp.size = (uint64_t)st->st_size;
	ret->fp.mtime_ns = to_ns(&st->st_mtim);
	ret->fp.ctime_ns = to_ns(&st->st_ctim);
}

static int stat_fd(int fd, struct px_stat *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	fill_stat(&st, ret);
	return 0;
}

static bool young_stamp(int64_t stamp_ns, int64_t now_ns)
{
	int64_t age;

	if (__builtin_sub_overflow(now_ns, stamp_ns, &age))
		return stamp_ns > now_ns;
	return age < PX_TREE_YOUNG_NS;
}

bool px_tree_young(const struct px_fingerprint *fp, int64_t now_ns)
{
	return young_stamp(fp->mtime_ns, now_ns) ||
	       young_stamp(fp->ctime_ns, now_ns);
}

void px_fingerprint_add(struct px_digest *d, const struct px_fingerprint *fp)
{
	px_digest_u64(d, "dev", fp->dev);
	px_digest_u64(d, "ino", fp->ino);
	px_digest_u64(d, "size", fp->size);
	px_digest_u64(d, "mtime", (uint64_t)fp->mtime_ns);
	px_digest_u64(d, "ctime", (uint64_t)fp->ctime_ns);
}

bool px_fingerprint_equal(const struct px_fingerprint *a,
			  const struct px_fingerprint *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* --------------------------------------------------------------- SOURCE */

static int open_error(const char *path, int err, struct px_why *why)
{
	switch (err) {
	case -ENOENT:
		return px_because(why, err, "%s: there is no such directory",
				  path);
	case -ENOTDIR:
		return px_because(why, err, "%s: is not a directory", path);
	case -EACCES:
		return px_because(why, err, "%s: may not be read by this user",
				  path);
	default:
		return px_because(why, err, "%s: %s", path,
				  strerrordesc_np(-err));
	}
}

int px_tree_open(const char *path, struct px_tree **ret, struct px_why *why)
{
	PX_AUTOFREE struct px_tree *t = calloc(1, sizeof(*t));
	PX_AUTOFREE char *root = NULL;

	if (!t)
		return open_error(path, -ENOMEM, why);
	root = realpath(path, NULL);
	if (!root)
		return open_error(path, -errno, why);
	t->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 || px_mounts_device(t->fd, "", &t->dev) < 0)
		return open_error(path, -errno, why);
	t->root = PX_STEAL(root);
	*ret = PX_STEAL(t);
	return 0;
}

void px_tree_close(struct px_tree *t)
{
	if (!t)
		return;
	close(t->fd);
	free(t->root);
	free(t);
}

const char *px_tree_root(const struct px_tree *t)
{
	return t->root;
}

int px_tree_statfs(struct px_tree *t, struct statvfs *ret)
{
	return fstatvfs(t->fd, ret) < 0 ? -errno : 0;
}

/* ---------------------------------------------------------------- files */

int px_tree_stat(struct px_tree *t, const char *path, struct px_stat *ret)
{
	struct stat st;
	int r = px_tree_lstat(t, path, &st);

	if (r < 0)
		return r;
	fill_stat(&st, ret);
	return 0;
}

static int try_stat_file(struct px_tree *t, const char *path,
			 struct px_stat *ret)
{
	struct px_stat st;
	int r = px_tree_stat(t, path, &st);

	if (r < 0)
		return r;
	if (st.type == PX_TYPE_LNK)
		return -ELOOP;
	if (st.type != PX_TYPE_REG)
		return -EINVAL;
	*ret = st;
	return 0;
}

static int open_regular(struct px_tree *t, const char *path, int *ret_fd,
			struct px_stat *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st = {.mode = 0};
	int r;

	r = px_tree_open_path(t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
	if (r < 0)
		return r == -ENXIO ? -EINVAL : r;
	r = stat_fd(fd, &st);
	if (r < 0)
		return r;
	if (st.type != PX_TYPE_REG)
		return -EINVAL;
	*ret = st;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

/* Checks the type before opening, because merely opening a device can have
 * effects. If the file is replaced between the check and the open, O_NONBLOCK
 * keeps the open from blocking. */
static int try_open_file(struct px_tree *t, const char *path, int *ret_fd,
			 struct px_stat *ret)
{
	struct px_stat st;
	int r = try_stat_file(t, path, &st);

	return r < 0 ? r : open_regular(t, path, ret_fd, ret);
}

/* Finds the regular file that `path` is or leads to, and opens it unless ret_fd
 * is NULL. */
static int find_file(struct px_tree *t, const char *path, int *ret_fd,
		     struct px_stat *ret)
{
	PX_AUTOFREE char *real = NULL;
	const char *p = path;
	struct stat st;
	int r = -ELOOP;

	for (int i = 0; i < MAX_TRIES; i++) {
		r = ret_fd ? try_open_file(t, p, ret_fd, ret)
			   : try_stat_file(t, p, ret);
		if (r != -ELOOP)
			return r;
		/* -ELOOP: either the last name is a symlink, or a directory
		 * above it has become one. Only the former is followed. */
		r = px_tree_lstat(t, path, &st);
		if (r < 0)
			return r;
		px_freep(&real);
		real = NULL;
		p = path;
		if (!S_ISLNK(st.st_mode))
			continue;
		r = px_tree_resolve(t, path, &real);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0)
			p = real;
	}
	return r;
}

int px_tree_stat_file(struct px_tree *t, const char *path, struct px_stat *ret)
{
	return find_file(t, path, NULL, ret);
}

int px_tree_open_file(struct px_tree *t, const char *path, int *ret_fd,
		      struct px_stat *ret)
{
	return find_file(t, path, ret_fd, ret);
}

int px_tree_open_known(struct px_tree *t, const char *path, int *ret_fd,
		       struct px_stat *ret)
{
	int r = open_regular(t, path, ret_fd, ret);

	return r == -ELOOP ? find_file(t, path, ret_fd, ret) : r;
}

static int try_read(struct px_tree *t, const char *path, struct px_buf *b,
		    struct px_stat *ret)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat before;
	struct px_stat after = {.mode = 0};
	ssize_t n;
	int r = px_tree_open_file(t, path, &fd, &before);

	if (r < 0)
		return r;
	b->size = 0;
	if (before.fp.size > b->max) {
		*ret = before;
		return -EFBIG;
	}
	r = px_buf_reserve(b, (size_t)before.fp.size);
	if (r < 0)
		return r;
	n = px_read_full(fd, b->data, (size_t)before.fp.size);
	if (n < 0)
		return (int)n;
	b->size = (size_t)n;
	r = stat_fd(fd, &after);
	if (r < 0)
		return r;
	if (b->size != after.fp.size ||
	    !px_fingerprint_equal(&before.fp, &after.fp))
		return -EAGAIN;
	*ret = after;
	return 0;
}

int px_tree_read(struct px_tree *t, const char *path, struct px_buf *b,
		 struct px_stat *ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < MAX_TRIES && r == -EAGAIN; i++)
		r = try_read(t, path, b, ret);
	if (r < 0)
		b->size = 0;
	return r;
}

/* -------------------------------------------------------------- listing */

/* A listing that is being read. While `text` may still be moved by growing,
 * names are stored as offsets into it. */
struct lister {
	struct px_tree *t;
	const char *path;
	DIR *dir;
	dev_t dev; /* device number of `dir` */
	bool stats;
	struct px_buf text;
	struct px_buf items; /* struct item */
};

struct item {
	size_t name;
	enum px_type type;
	bool leads_to_file;
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

/* Determines the type of an entry, and its attributes if they are wanted.
 * Returns 0; -ENOENT if the entry has vanished since; -errno. */
static int look_at(const struct lister *l, const struct dirent *e,
		   struct item *item)
{
	struct stat st;
	int r;

	/* Only directories can be pycfs mount points. If this is one, it must
	 * not receive a request, so fstatat is not called. */
	if (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) {
		dev_t dev = l->dev;

		r = px_tree_cross(dirfd(l->dir), e->d_name, &dev);
		if (r == -EXDEV)
			item->type = PX_TYPE_VIEW;
		if (r < 0)
			return r == -EXDEV ? 0 : r;
	}
	if (e->d_type != DT_UNKNOWN && !l->stats) {
		item->type = type_of(DTTOIF(e->d_type));
		return 0;
	}
	if (fstatat(dirfd(l->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fill_stat(&st, &item->st);
	item->type = item->st.type;
	item->stat_known = true;
	return 0;
}

/* Whether this error of px_tree_stat_file means that a link does not lead to a
 * regular file inside SOURCE. Any other error (such as EMFILE or EIO) tells
 * nothing about the link and must make the listing fail, or else a module would
 * be shown as a link. */
static bool leads_elsewhere(int r)
{
	static const int all[] = {ENOENT, ENOTDIR, ELOOP,  EXDEV,
				  EINVAL, EACCES,  EAGAIN, ENAMETOOLONG};

	for (size_t i = 0; i < PX_ARRAY_LEN(all); i++)
		if (r == -all[i])
			return true;
	return false;
}

/* Returns 1 if the symlink `name` leads to a regular file inside SOURCE, 0 if
 * it does not, or -errno. */
static int link_leads_to_file(const struct lister *l, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];
	size_t n = strlen(l->path);
	struct px_stat st;
	int r;

	memcpy(path, l->path, n);
	if (n > 0)
		path[n++] = '/';
	memcpy(path + n, name, strlen(name) + 1);
	r = px_tree_stat_file(l->t, path, &st);
	if (r < 0 && !leads_elsewhere(r))
		return r;
	return r == 0;
}

static int lister_add(struct lister *l, const struct dirent *e)
{
	struct item item = {.name = l->text.size};
	int r = look_at(l, e, &item);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (item.type == PX_TYPE_LNK && px_ends_in(e->d_name, ".py")) {
		r = link_leads_to_file(l, e->d_name);
		if (r < 0)
			return r;
		item.leads_to_file = r > 0;
	}
	r = px_buf_add(&l->text, e->d_name, strlen(e->d_name) + 1);
	if (r < 0)
		return r;
	return px_buf_add(&l->items, &item, sizeof(item));
}

static bool is_dot_or_dotdot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int lister_read(struct lister *l)
{
	for (;;) {
		const struct dirent *e;
		int r;

		errno = 0;
		e = readdir(l->dir);
		if (!e)
			return -errno;
		if (is_dot_or_dotdot(e->d_name))
			continue;
		r = lister_add(l, e);
		if (r < 0)
			return r;
	}
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
	struct px_stat *stats = l->stats ? calloc(n + 1, sizeof(*stats)) : NULL;

	if (!names || (l->stats && !stats)) {
		free(names);
		free(stats);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct item item;

		memcpy(&item, l->items.data + i * sizeof(item), sizeof(item));
		names[i].name = (const char *)l->text.data + item.name;
		names[i].type = item.type;
		names[i].leads_to_file = item.leads_to_file;
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

int px_tree_list(struct px_tree *t, const char *path, bool stats,
		 struct px_listing *ret)
{
	PX_AUTO(lister_fini)
	struct lister l = {
		.t = t,
		.path = path,
		.stats = stats,
		.text.max = SIZE_MAX,
		.items.max = SIZE_MAX,
	};
	PX_AUTOCLOSE int fd = -1;
	struct px_listing listing = {.n = 0};
	/* The time is read before the directory, so that a change in between
	 * makes the directory count as young. */
	int64_t now_ns = px_wall_ns();
	int r = px_tree_open_path(t, path, O_RDONLY | O_DIRECTORY, &fd);

	if (r < 0)
		return r;
	r = stat_fd(fd, &listing.dir);
	if (r < 0)
		return r;
	l.dev = listing.dir.fp.dev;
	listing.young = px_tree_young(&listing.dir.fp, now_ns);
	l.dir = fdopendir(fd);
	if (!l.dir)
		return -errno;
	px_steal_fd(&fd);
	r = lister_read(&l);
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
