/* SPDX-License-Identifier: MIT */
#include "dir.h"

#include "pycfs/io.h"

#include "pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ACQUIRE_MS	5000
#define ACQUIRE_STEP_US 10000

/* A header and 1024 readers of 64 bytes each (mdb.c 0.9.24, MDB_txninfo and
 * MDB_reader), rounded up. */
#define LOCK_FILE_BYTES (68u * 1024)

/* How messages about DIR end. */
#define WAYS_OUT "use another one (--cache DIR) or none (--no-cache)"

/* https://bford.info/cachedir/: the file must begin with this line. */
static const char tag_name[] = "CACHEDIR.TAG";
static const char tag_text[] =
	"Signature: 8a477f597d28d172789f06886806bc55\n"
	"# This directory is a cache of pycfs; it may be deleted.\n";

static int check_data(int sub_fd)
{
	PX_AUTOCLOSE int fd = openat(sub_fd, PX_CACHE_DATA,
				     O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return px_pages_check_metas(fd);
}

/* Makes the parents that are missing, with the mode that mkdir -p gives. */
static int make_parents(char *path)
{
	for (char *p = path + 1; *p; p++) {
		int r;

		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

/* A system call's error as a sentence. Its -EPERM (a file is immutable, a
 * seccomp profile forbids it) becomes -EACCES: -EPERM is kept for a directory
 * that others can write, which the callers treat as an attack. */
static int refuse(struct px_why *why, const char *path, int r)
{
	if (r == -EPERM)
		r = -EACCES;
	return px_because(why, r, "the cache directory %s: %s; " WAYS_OUT, path,
			  strerror(-r));
}

/* Root could put code into the image without the cache. So a directory that
 * belongs to root is no danger, but one that we cannot write to: for example an
 * image builder's cache mount in a step that runs as another user. */
static int check_owner(int fd, const char *path, const char *sub,
		       struct px_why *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(why, path, -errno);
	if (st.st_uid != geteuid() && st.st_uid == 0 &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return px_because(
			why, -EACCES,
			"the cache directory %s%s belongs to root, and user %u "
			"cannot write there: give it to him (a cache mount "
			"takes uid=%u), or " WAYS_OUT,
			path, sub, geteuid(), geteuid());
	if (st.st_uid != geteuid())
		return px_because(
			why, -EPERM,
			"the cache directory %s%s belongs to user %u, not to "
			"user %u who runs this: its owner could put code in "
			"your image; " WAYS_OUT,
			path, sub, st.st_uid, geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return px_because(
			why, -EPERM,
			"the cache directory %s%s can be written by others "
			"(mode %04o), who could put code in your image; run "
			"'chmod go-w %s%s', or " WAYS_OUT,
			path, sub, st.st_mode & 07777, path, sub);
	return 0;
}

/* -EPERM if everybody can replace the entries of a directory that `path` leads
 * through: then `path` is cut off behind that directory. Members of the group
 * are trusted, because many a ~/.cache can be written by its group. */
static int check_way(char *path)
{
	struct stat st;

	for (char *p = path; (p = strchr(p, '/')); p++) {
		const char after = p[1];

		p[1] = '\0';
		if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH) &&
		    !(st.st_mode & S_ISVTX))
			return -EPERM;
		p[1] = after;
	}
	return 0;
}

/* Looks at the path as it was given and at the one without symbolic links: each
 * link on the way lies in a directory, too. */
int px_cache_dir_check_ways(const char *dir, const char *ways_out,
			    struct px_why *why)
{
	PX_AUTOFREE char *said = strdup(dir);
	PX_AUTOFREE char *real = realpath(dir, NULL);
	const char *bad = NULL;

	if (!said || !real)
		return refuse(why, dir, -errno);
	if (check_way(said) < 0)
		bad = said;
	else if (check_way(real) < 0)
		bad = real;
	if (!bad)
		return 0;
	return px_because(
		why, -EPERM,
		"the cache directory %s is below %s, where everybody can "
		"put another in its place, and so code in your image; run "
		"'chmod +t %s', or %s",
		dir, bad, bad, ways_out);
}

int px_cache_dir_private(const char *path, int *ret_fd, struct px_why *why)
{
	PX_AUTOCLOSE int fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return px_because(why, -errno,
				  "the temporary cache %s: %s; set TMPDIR",
				  path, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0 ||
	    faccessat(fd, PX_CACHE_DATA, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return px_because(
			why, -EPERM,
			"the temporary cache %s was exchanged for another "
			"directory as soon as it was made, which could put "
			"code in your image; set TMPDIR to a directory of "
			"yours",
			path);
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

static void write_tag(int dir_fd)
{
	PX_AUTOCLOSE int fd = openat(
		dir_fd, tag_name,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Errors are ignored: without the tag a backup copies more. */
	if (fd >= 0)
		px_write_full(fd, tag_text, sizeof(tag_text) - 1);
}

/* A copy without slashes at the end: with one, open() follows a symbolic link
 * despite O_NOFOLLOW. */
static char *trimmed(const char *path)
{
	char *copy = strdup(path);
	size_t n;

	if (!copy)
		return NULL;
	for (n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	return copy;
}

int px_cache_dir_open(const char *path, int *ret_fd, struct px_why *why)
{
	PX_AUTOFREE char *dir = trimmed(path);
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (!dir)
		return refuse(why, path, -ENOMEM);
	if (!dir[0])
		return px_because(why, -EINVAL, "--cache needs a directory");
	r = make_parents(dir);
	if (r < 0)
		return refuse(why, path, r);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return refuse(why, path, -errno);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return px_because(why, -ENOTDIR,
				  "%s is not a directory, or a symbolic link; "
				  "for the cache " WAYS_OUT,
				  path);
	if (fd < 0)
		return refuse(why, path, -errno);
	r = check_owner(fd, path, "", why);
	if (r == 0)
		r = px_cache_dir_check_ways(dir, WAYS_OUT, why);
	if (r < 0)
		return r;
	write_tag(fd);
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

/* Fails unless the file is missing, or ours and safe from others. */
static int check_file(int sub_fd, const char *path, const char *name,
		      struct px_why *why)
{
	struct stat st;

	if (fstatat(sub_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : refuse(why, path, -errno);
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)) && st.st_nlink == 1)
		return 0;
	return px_because(why, -EPERM,
			  "%s/%s/%s is not a regular file of user %u that "
			  "only he can write and that has no other name; "
			  "delete it, or " WAYS_OUT,
			  path, PX_CACHE_SUBDIR, name, geteuid());
}

int px_cache_dir_sub(int dir_fd, const char *path, int *ret_fd,
		     struct px_why *why)
{
	PX_AUTOCLOSE int fd = -1;
	int r;

	if (mkdirat(dir_fd, PX_CACHE_SUBDIR, 0700) < 0 && errno != EEXIST)
		return refuse(why, path, -errno);
	fd = openat(dir_fd, PX_CACHE_SUBDIR,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return refuse(why, path, -errno);
	r = check_owner(fd, path, "/" PX_CACHE_SUBDIR, why);
	/* DIR may be readable by others, as the user likes; this one not. */
	if (r == 0 && fchmod(fd, 0700) < 0)
		r = refuse(why, path, -errno);
	if (r == 0)
		r = check_file(fd, path, PX_CACHE_DATA, why);
	if (r == 0)
		r = check_file(fd, path, PX_CACHE_LOCK, why);
	if (r < 0)
		return r;
	r = check_data(fd);
	if (r < 0)
		return refuse(why, path, r);
	*ret_fd = px_steal_fd(&fd);
	return 0;
}

/*
 * LMDB makes the lock file sparse and writes to it through a map, which on a
 * full disk raises SIGBUS. So it is written out before LMDB opens it; only one
 * that is new, because closing any descriptor of a lock file in use would drop
 * this process's fcntl locks on it, which LMDB needs.
 */
int px_cache_dir_lock_file(int sub_fd)
{
	static const uint8_t zeros[LOCK_FILE_BYTES];
	PX_AUTOCLOSE int fd = openat(
		sub_fd, PX_CACHE_LOCK,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	r = px_write_full(fd, zeros, sizeof(zeros));
	if (r < 0)
		unlinkat(sub_fd, PX_CACHE_LOCK, 0);
	return r;
}

void px_cache_dir_acquire(int dir_fd)
{
	int64_t until = px_now_ms() + ACQUIRE_MS;

	/* Not for ever, because the holder may be stopped. The worst that can
	 * happen without the lock is that two processes each start an empty
	 * database in place of a damaged one. */
	while (flock(dir_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
	       px_now_ms() < until)
		usleep(ACQUIRE_STEP_US);
}

void px_cache_dir_release(int dir_fd)
{
	flock(dir_fd, LOCK_UN);
}

void px_cache_dir_empty(int sub_fd)
{
	unlinkat(sub_fd, PX_CACHE_DATA, 0);
	unlinkat(sub_fd, PX_CACHE_LOCK, 0);
}

/* Deletes a directory with a database in it. */
static void remove_sub(int dir_fd, const char *name)
{
	PX_AUTOCLOSE int fd = openat(
		dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		px_cache_dir_empty(fd);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static bool is_same(int dir_fd, int sub_fd)
{
	struct stat there;
	struct stat ours;

	return fstatat(dir_fd, PX_CACHE_SUBDIR, &there, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       fstat(sub_fd, &ours) == 0 && there.st_dev == ours.st_dev &&
	       there.st_ino == ours.st_ino;
}

void px_cache_dir_discard(int dir_fd, int sub_fd)
{
	if (sub_fd >= 0 && !is_same(dir_fd, sub_fd))
		return;
	remove_sub(dir_fd, PX_CACHE_BAD);
	/* Renamed first, so that nobody opens a directory half deleted. */
	if (renameat(dir_fd, PX_CACHE_SUBDIR, dir_fd, PX_CACHE_BAD) == 0)
		remove_sub(dir_fd, PX_CACHE_BAD);
}

void px_cache_dir_drop_new(int dir_fd)
{
	remove_sub(dir_fd, PX_CACHE_NEW);
}

int px_cache_dir_make_new(int dir_fd, int *ret_fd)
{
	PX_AUTOCLOSE int sub_fd = -1;
	int fd;

	px_cache_dir_drop_new(dir_fd);
	if (mkdirat(dir_fd, PX_CACHE_NEW, 0700) < 0)
		return -errno;
	sub_fd = openat(dir_fd, PX_CACHE_NEW,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_fd < 0)
		return -errno;
	fd = openat(sub_fd, PX_CACHE_DATA,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int px_cache_dir_take_new(int dir_fd)
{
	/* In one step, because whoever opens the cache between two would begin
	 * an empty one. Not every file system can. */
	if (renameat2(dir_fd, PX_CACHE_NEW, dir_fd, PX_CACHE_SUBDIR,
		      RENAME_EXCHANGE) == 0) {
		px_cache_dir_drop_new(dir_fd);
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	px_cache_dir_discard(dir_fd, -1);
	return renameat(dir_fd, PX_CACHE_NEW, dir_fd, PX_CACHE_SUBDIR) < 0
		       ? -errno
		       : 0;
}
