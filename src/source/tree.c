/* SPDX-License-Identifier: MIT */
#include "tree_path.h"

#include <fcntl.h>
#include <sys/statvfs.h>

/* How often an operation is tried again when a file, or a link and its target,
 * has changed between two of its system calls. If they change this often in a
 * row, it is no coincidence, and the operation fails. */
#define MAX_TRIES 5

/* ------------------------------------------------------------ attributes */

enum px_type px_type_of(mode_t mode)
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

void px_stat_fill(const struct stat *st, struct px_stat *ret)
{
	ret->type = px_type_of(st->st_mode);
	ret->mode = st->st_mode & 0777;
	ret->uid = st->st_uid;
	ret->gid = st->st_gid;
	ret->fp.dev = st->st_dev;
	ret->fp.ino = st->st_ino;
	ret->fp.size = (uint64_t)st->st_size;
	ret->fp.mtime_ns = to_ns(&st->st_mtim);
	ret->fp.ctime_ns = to_ns(&st->st_ctim);
}

int px_stat_fd(int fd, struct px_stat *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	px_stat_fill(&st, ret);
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

/* px_tree.given. NULL: out of memory. */
static char *make_given(const char *path, const char *root)
{
	char *given = strdup(*path == '/' && !strstr(path, "..") ? path : root);
	size_t n = given ? strlen(given) : 0;

	while (n > 1 && given[n - 1] == '/')
		given[--n] = '\0';
	return given;
}

int px_tree_open(const char *path, struct px_tree **ret, struct px_why *why)
{
	PX_AUTOFREE struct px_tree *t = calloc(1, sizeof(*t));
	PX_AUTOFREE char *root = NULL;
	PX_AUTOFREE char *given = NULL;

	if (!t)
		return open_error(path, -ENOMEM, why);
	root = realpath(path, NULL);
	if (!root)
		return open_error(path, -errno, why);
	given = make_given(path, root);
	if (!given)
		return open_error(path, -ENOMEM, why);
	t->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 || px_mounts_device(t->fd, "", &t->dev) < 0)
		return open_error(path, -errno, why);
	t->root = PX_STEAL(root);
	t->given = PX_STEAL(given);
	*ret = PX_STEAL(t);
	return 0;
}

int px_tree_follow(struct px_tree *t, const char *path, struct px_why *why)
{
	struct px_tree **last = &t->roots;

	while (*last)
		last = &(*last)->next;
	return px_tree_open(path, last, why);
}

void px_tree_close(struct px_tree *t)
{
	struct px_tree *next, *root;

	if (!t)
		return;
	for (root = t->roots; root; root = next) {
		next = root->next;
		px_tree_close(root);
	}
	px_made_fini(&t->made);
	close(t->fd);
	free(t->root);
	free(t->given);
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
	const struct px_made *m = px_made_find(&t->made, path);
	struct stat st;
	int r;

	if (m) {
		*ret = *px_made_stat(m);
		return 0;
	}
	r = px_tree_lstat(t, path, &st);
	if (r == 0)
		px_stat_fill(&st, ret);
	return r;
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
	const struct px_made *m = px_made_find(&t->made, path);
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st = {.mode = 0};
	int r;

	if (m) {
		*ret = *px_made_stat(m);
		return px_made_open(m, ret_fd);
	}
	r = px_tree_open_path(t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
	if (r < 0)
		return r == -ENXIO ? -EINVAL : r;
	r = px_stat_fd(fd, &st);
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

/* Follows the link `path` to a regular file. Errors: -EXDEV, -EINVAL and -ELOOP
 * as px_tree_stat_file; -EAGAIN as px_tree_resolve; -errno. */
static int resolve_file(struct px_tree *t, const char *path,
			struct px_place *ret)
{
	struct stat st;
	int r = px_tree_resolve(t, path, ret, &st);

	return r == 0 && !S_ISREG(st.st_mode) ? -EINVAL : r;
}

/* Finds the regular file that `path` is or leads to, and opens it unless ret_fd
 * is NULL. */
static int find_file(struct px_tree *t, const char *path, int *ret_fd,
		     struct px_stat *ret)
{
	PX_AUTOFREE struct px_place *place = NULL;
	struct px_tree *in = t;
	const char *p = path;
	struct stat st;
	int r = -ELOOP;

	for (int i = 0; i < MAX_TRIES; i++) {
		r = ret_fd ? try_open_file(in, p, ret_fd, ret)
			   : try_stat_file(in, p, ret);
		if (r != -ELOOP)
			return r;
		/* -ELOOP: either the last name is a symlink, or a directory
		 * above it has become one. Only the former is followed. */
		r = px_tree_lstat(t, path, &st);
		if (r < 0)
			return r;
		in = t;
		p = path;
		if (!S_ISLNK(st.st_mode))
			continue;
		if (!place)
			place = malloc(sizeof(*place));
		if (!place)
			return -ENOMEM;
		r = resolve_file(t, path, place);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0) {
			in = place->tree;
			p = place->path;
		}
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
	after = before;
	if (!px_made_find(&t->made, path))
		r = px_stat_fd(fd, &after);
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

/* ---------------------------------------------------------- files of our own
 */

/* Sees to it that directory `path` is there, in SOURCE or made. */
static int put_dir(struct px_tree *t, const char *path)
{
	PX_AUTOFREE char *parent = NULL;
	struct px_stat st;
	int r = px_tree_stat(t, path, &st);

	if (r == 0)
		return st.type == PX_TYPE_DIR ? 0 : -ENOTDIR;
	if (r != -ENOENT)
		return r;
	parent = px_path_parent(path);
	r = parent ? put_dir(t, parent) : -ENOMEM;
	if (r == 0)
		r = px_tree_stat(t, parent, &st);
	if (r < 0)
		return r;
	st.mode = 0755;
	return px_made_put(&t->made, path, &st, NULL, 0, true);
}

int px_tree_put(struct px_tree *t, const char *path, const void *data, size_t n,
		const struct px_stat *like, bool listed)
{
	PX_AUTOFREE char *parent = px_path_parent(path);
	int r = px_tree_check_path(path);

	if (r == 0 && !parent)
		r = -ENOMEM;
	if (r == 0 && listed)
		r = put_dir(t, parent);
	if (r < 0)
		return r;
	return px_made_put(&t->made, path, like, data, n, listed);
}
