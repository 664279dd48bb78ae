/* SPDX-License-Identifier: MIT */
#ifndef PX_TREE_H
#define PX_TREE_H
/*
 * The source directory: the only code that touches it. Paths are relative to
 * it, without a leading slash; "" is the directory itself. No lookup ever
 * leaves it, neither by ".." nor through a symlink, and no directory symlink
 * is followed at all. A pycfs mount below SOURCE is not entered (-EXDEV): two
 * that show each other would wait for each other for ever.
 *
 * Invariant: holds one descriptor, however many files there are.
 * Threads: any; calls block on the file system and on nothing else.
 */

#include "pycfs/digest.h"
#include "pycfs/util.h"

enum px_type {
	PX_TYPE_REG,
	PX_TYPE_DIR,
	PX_TYPE_LNK,
	PX_TYPE_SPECIAL, /* device, socket, fifo */
	PX_TYPE_VIEW,	 /* another pycfs mount; only in a listing */
};

/* Changes whenever the content may have changed. */
struct px_fingerprint {
	uint64_t dev;
	uint64_t ino;
	uint64_t size; /* bytes */
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct px_stat {
	enum px_type type;
	uint32_t mode; /* rwx only, without setuid, setgid, sticky */
	uint32_t uid;
	uint32_t gid;
	struct px_fingerprint fp;
};

struct px_tree;

/* Opens SOURCE. On failure `why` says what is wrong with it. Free with
 * px_tree_close (NULL is fine). */
int px_tree_open(const char *path, struct px_tree **ret, struct px_why *why);
void px_tree_close(struct px_tree *t);

/* The absolute path of SOURCE, without symlinks; lives as long as `t`. */
const char *px_tree_root(const struct px_tree *t);

/* lstat. -ENOENT, -ENOTDIR, -ELOOP (a directory became a symlink). */
int px_tree_stat(struct px_tree *t, const char *path, struct px_stat *ret);

/* stat of the regular file that `path` is, or leads to through symlinks that
 * stay inside. -EXDEV if it leads outside, -EINVAL if it is no regular file,
 * -ELOOP after 40 links (the kernel's limit, MAXSYMLINKS in
 * include/linux/namei.h). */
int px_tree_stat_file(struct px_tree *t, const char *path, struct px_stat *ret);

/* Opens that same file for reading. The descriptor is the caller's. */
int px_tree_open_file(struct px_tree *t, const char *path, int *ret_fd,
		      struct px_stat *ret);

/* The same for what a listing has just shown to be a regular file: it is not
 * looked at before it is opened. */
int px_tree_open_known(struct px_tree *t, const char *path, int *ret_fd,
		       struct px_stat *ret);

/* Reads all of that same file into `b` (emptied first), and the fingerprint
 * that belongs to exactly these bytes. -EFBIG if larger than b->max,
 * and then *ret says how large; -EAGAIN if it kept changing while being read.
 */
int px_tree_read(struct px_tree *t, const char *path, struct px_buf *b,
		 struct px_stat *ret);

/* The target of a symlink; *ret is the caller's. */
int px_tree_readlink(struct px_tree *t, const char *path, char **ret);

/*
 * A file touched less than this before `now_ns` may be written again without
 * its fingerprint changing: kernels stamp files with the time of the last
 * timer tick, and FAT keeps two seconds. Do not trust such a fingerprint
 * beyond the moment. Also true for times in the future.
 */
#define PX_TREE_YOUNG_NS 2000000000LL
bool px_tree_young(const struct px_fingerprint *fp, int64_t now_ns);
bool px_fingerprint_equal(const struct px_fingerprint *a,
			  const struct px_fingerprint *b);

/* Adds all of it to a digest. */
void px_fingerprint_add(struct px_digest *d, const struct px_fingerprint *fp);

/* One name of a directory. */
struct px_name {
	const char *name;
	enum px_type type;
	/* Only for a symlink whose name ends in ".py": whether it leads to a
	 * regular file inside SOURCE. */
	bool leads_to_file;
	/* What it is itself; NULL unless asked for, or if it is gone. */
	const struct px_stat *st;
};

/* A directory at one moment: names in byte order, without "." and "..". */
struct px_listing {
	struct px_stat dir; /* taken before the names were read */
	bool young;	    /* dir was too young to be trusted then */
	size_t n;
	struct px_name *names;
	void *arena;
	struct px_stat *stats;
};

/* `stats`: also what each name is, which is cheaper here than one by one. */
int px_tree_list(struct px_tree *t, const char *path, bool stats,
		 struct px_listing *ret);
void px_listing_fini(struct px_listing *l);

/* statvfs of SOURCE, for statfs replies. */
struct statvfs;
int px_tree_statfs(struct px_tree *t, struct statvfs *ret);

#endif
