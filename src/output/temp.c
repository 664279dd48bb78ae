/* SPDX-License-Identifier: MIT */
/*
 * Creating a file under a temporary name, and moving it to its destination.
 */
#include "parents.h"

#include "pycfs/log.h"
#include "pycfs/sink.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define MARK	  ".pycfs-"
#define LETTERS	  "abcdefghijklmnopqrstuvwxyz234567"
#define N_LETTERS 6
#define MAX_TRIES 100
#define MAX_DEPTH PATH_MAX /* levels of directories that remove_at enters */

static int remove_at(int parent, const char *name, unsigned depth);

/* Removes everything in the directory open as `fd`, and closes `fd`. */
static int empty_dir(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;
	int r = 0;

	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = remove_at(dirfd(dir), e->d_name, depth + 1);
	closedir(dir);
	return r;
}

int px_temp_remove(const char *path)
{
	return remove_at(AT_FDCWD, path, 0);
}

/* Removes a file or a whole directory. Symlinks are not followed. */
static int remove_at(int parent, const char *name, unsigned depth)
{
	int fd, r;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* unlink of a directory fails with EPERM in POSIX and with EISDIR on
	 * Linux. */
	if ((errno != EISDIR && errno != EPERM) || depth > MAX_DEPTH)
		return -errno;
	/* The directory may have a mode copied from the source that forbids
	 * deleting in it. AT_SYMLINK_NOFOLLOW: if the directory already has
	 * another owner, that user may have replaced it with a symlink. */
	if (fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fd = openat(parent, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = empty_dir(fd, depth);
	if (r < 0)
		return r;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static bool is_temp_name(const char *name, const char *target)
{
	const size_t n = strlen(target);

	return name[0] == '.' && strncmp(name + 1, target, n) == 0 &&
	       strncmp(name + 1 + n, MARK, strlen(MARK)) == 0 &&
	       strlen(name) == 1 + n + strlen(MARK) + N_LETTERS &&
	       strspn(name + 1 + n + strlen(MARK), LETTERS) == N_LETTERS;
}

/* Removes what exports to the same destination have left behind when they were
 * killed. If the lock is free, the process that held it is gone. */
static void sweep(const struct px_temp *t)
{
	const int fd =
		openat(t->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;
		int left;

		if (!is_temp_name(e->d_name, t->target))
			continue;
		left = openat(t->parent, e->d_name,
			      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (left < 0)
			continue;
		if (fstat(left, &st) == 0 && st.st_uid == geteuid() &&
		    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		    flock(left, LOCK_EX | LOCK_NB) == 0)
			remove_at(t->parent, e->d_name, 0);
		close(left);
	}
	closedir(dir);
}

/* Sets t->parent to a descriptor of the directory of `dest`, and t->target to
 * its name there. */
static int find_place(struct px_temp *t, const char *dest, struct px_why *why)
{
	PX_AUTOFREE char *parent = NULL;
	PX_AUTOFREE char *name = NULL;
	int r;

	if (px_path_split(dest, &parent, &name) < 0)
		return px_because(why, -ENOMEM, "out of memory");
	if (!px_path_is_name(name))
		return px_because(why, -EINVAL,
				  "%s: the destination needs a name of its "
				  "own, other than /, . and ..",
				  dest);
	/* The temporary name must fit into NAME_MAX too. */
	if (strlen(name) + 1 + strlen(MARK) + N_LETTERS > NAME_MAX)
		return px_because(why, -ENAMETOOLONG,
				  "%s: the name is too long", dest);
	t->target = PX_STEAL(name);
	r = px_parents_open(&t->parents, parent, &t->parent);
	if (r < 0)
		return px_because(why, r, "%s: cannot open or make %s: %s",
				  dest, parent, strerror(-r));
	if (t->parents.made)
		px_log(PX_LOG_INFO, "%s was missing and is made", parent);
	return 0;
}

/* Returns 1 if the directory is empty, 0 if it is not, or -errno. */
static int is_empty(int parent, const char *name)
{
	const int fd = openat(parent, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int n = 0;

	if (!dir) {
		const int err = errno;

		if (fd >= 0)
			close(fd);
		return -err;
	}
	while (n <= 2 && readdir(dir))
		n++;
	closedir(dir);
	return n <= 2;
}

/* Returns 0 if the destination does not exist or may be replaced, else -errno
 * with a sentence in `why`. */
static int check_target(const struct px_temp *t, const char *dest,
			struct px_why *why)
{
	struct stat st;
	int r;

	if (fstatat(t->parent, t->target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : px_because(why, -errno, "%s: %s", dest,
						    strerror(errno));
	if (!t->is_dir) {
		if (S_ISREG(st.st_mode))
			return 0;
		return px_because(why, -EEXIST,
				  "%s exists and is not a regular file", dest);
	}
	if (!S_ISDIR(st.st_mode))
		return px_because(why, -EEXIST,
				  "%s exists and is not a directory (the name "
				  "of an archive ends in " PX_SINK_ENDINGS ")",
				  dest);
	r = is_empty(t->parent, t->target);
	if (r < 0)
		return px_because(why, r, "%s: %s", dest, strerror(-r));
	if (r == 0 && !t->force)
		return px_because(why, -EEXIST,
				  "%s is not empty: --force replaces it", dest);
	return 0;
}

int px_temp_mkdir(int parent, const char *name, int *ret_fd)
{
	PX_AUTOCLOSE int fd = -1;
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0)
		return -errno;
	fd = openat(parent, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return -ENOTDIR;
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

static int make_dir(struct px_temp *t, const char *name)
{
	int r = px_temp_mkdir(t->parent, name, &t->lock);

	if (r == -ENOENT) /* removed by the sweep of another process */
		return -EEXIST;
	/* Somebody may have exchanged it for another directory of the same
	 * user, so it must also be empty. */
	return r == 0 && is_empty(t->lock, ".") != 1 ? -ENOTDIR : r;
}

static int make_file(struct px_temp *t, const char *name)
{
	t->lock = openat(t->parent, name,
			 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0666);
	return t->lock < 0 ? -errno : 0;
}

static int make_named(struct px_temp *t, char *name)
{
	struct stat st;
	int r = t->is_dir ? make_dir(t, name) : make_file(t, name);

	if (r < 0)
		return r;
	/* The sweep of another process may have removed the file before it was
	 * locked, or may hold the lock and be about to remove it. Try another
	 * name then. */
	if (flock(t->lock, LOCK_EX | LOCK_NB) < 0 || fstat(t->lock, &st) < 0 ||
	    st.st_nlink == 0) {
		px_closep(&t->lock);
		t->lock = -1;
		return -EEXIST;
	}
	t->name = strdup(name);
	return t->name ? 0 : -ENOMEM;
}

static int make(struct px_temp *t)
{
	PX_AUTOFREE char *name = NULL;
	uint8_t random[N_LETTERS];
	unsigned tries, i;
	int r = -EEXIST;

	for (tries = 0; r == -EEXIST && tries < MAX_TRIES; tries++) {
		if (getrandom(random, sizeof(random), 0) < 0)
			return -errno;
		free(PX_STEAL(name));
		if (asprintf(&name, ".%s" MARK "%*s", t->target, N_LETTERS,
			     "") < 0)
			return -ENOMEM;
		for (i = 0; i < N_LETTERS; i++)
			name[strlen(name) - 1 - i] = LETTERS[random[i] % 32];
		r = make_named(t, name);
	}
	return r;
}

int px_temp_make(struct px_temp *t, const char *dest, bool is_dir, bool force,
		 struct px_why *why)
{
	int r;

	*t = (struct px_temp){
		.parent = -1,
		.lock = -1,
		.is_dir = is_dir,
		.force = force,
		.parents.base = -1,
	};
	r = find_place(t, dest, why);
	if (r == 0)
		r = check_target(t, dest, why);
	if (r < 0)
		return r;
	sweep(t);
	r = make(t);
	if (r == -ENOTDIR)
		return px_because(why, r,
				  "cannot write beside %s: the directory just "
				  "created there was exchanged for another, "
				  "so choose a place that only you can write "
				  "to",
				  dest);
	if (r < 0)
		return px_because(why, r, "cannot write beside %s: %s", dest,
				  strerror(-r));
	return 0;
}

/* Moves the temporary directory to its destination. A destination that is not
 * empty is atomically exchanged with it; t->name is kept then, so that
 * px_temp_fini removes the old directory, which now has the temporary name. */
static int replace_dir(struct px_temp *t)
{
	if (renameat(t->parent, t->name, t->parent, t->target) == 0) {
		free(PX_STEAL(t->name));
		return 0;
	}
	if ((errno != ENOTEMPTY && errno != EEXIST) || !t->force)
		return -errno;
	if (renameat2(t->parent, t->name, t->parent, t->target,
		      RENAME_EXCHANGE) < 0)
		return -errno;
	return 0;
}

int px_temp_commit(struct px_temp *t, struct px_why *why)
{
	int r = 0;

	if (t->is_dir)
		r = replace_dir(t);
	else if ((fsync(t->lock) < 0 && errno != EINVAL) ||
		 renameat(t->parent, t->name, t->parent, t->target) < 0)
		r = -errno;
	else
		free(PX_STEAL(t->name));
	if (r == 0)
		px_parents_keep(&t->parents);
	if (r == -EBUSY)
		return px_because(why, r,
				  "%s is a mount point and cannot be replaced: "
				  "name something in it",
				  t->target);
	if (r == -ENOTEMPTY || r == -EEXIST)
		return px_because(why, r, "%s is no longer empty", t->target);
	if (r == -EXDEV || r == -EINVAL)
		return px_because(why, r,
				  "this file system cannot replace the "
				  "directory %s at once: remove it first",
				  t->target);
	if (r < 0)
		return px_because(why, r,
				  "cannot rename the finished output to %s: %s",
				  t->target, strerror(-r));
	return 0;
}

void px_temp_fini(struct px_temp *t)
{
	if (t->name)
		remove_at(t->parent, t->name, 0);
	px_parents_remove(&t->parents);
	if (t->lock >= 0)
		close(t->lock);
	if (t->parent >= 0)
		close(t->parent);
	free(t->name);
	free(t->target);
}
