/* SPDX-License-Identifier: MIT */
#ifndef PX_TREE_H
#define PX_TREE_H
/*
 * Read access to the source directory SOURCE. No other module accesses it.
 * Paths are relative to SOURCE, without a leading slash; "" is SOURCE itself.
 * No lookup ever leaves SOURCE, neither by ".." nor through a symlink, and a
 * symlink to a directory is never followed; px_tree_follow makes exceptions,
 * and px_tree_leads_to_modules is one; px_tree_put adds files of our own. A
 * pycfs mount below SOURCE is not entered (-EXDEV): two mounts that show each
 * other would wait for each other forever.
 *
 * Unless stated otherwise a function returns 0 or -errno, and leaves its
 * results unset on failure.
 *
 * Invariant: an open tree holds one descriptor, however many files it has.
 * Threads: any. Calls block only while the file system does.
 */

#include "pycfs/digest.h"
#include "pycfs/util.h"

enum px_type {
	PX_TYPE_REG,
	PX_TYPE_DIR,
	PX_TYPE_LNK,
	PX_TYPE_SPECIAL, /* a device, socket or fifo */
	PX_TYPE_VIEW,	 /* another pycfs mount; in listings only */
};

/* Identifies one version of a file: it differs whenever the content may have
 * changed (but see px_tree_young). */
struct px_fingerprint {
	uint64_t dev;
	uint64_t ino;
	uint64_t size; /* bytes */
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct px_stat {
	enum px_type type;
	/* permission bits 0777 only, without setuid, setgid and sticky */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	struct px_fingerprint fp;
};

struct px_tree;

/* Opens SOURCE, whose path must name a directory. On failure `why` has a
 * sentence for the user. The caller closes *ret with px_tree_close, which
 * accepts NULL. */
int px_tree_open(const char *path, struct px_tree **ret, struct px_why *why);
void px_tree_close(struct px_tree *t);

/* From now on, what symlinks into the directory `path` lead to is treated as if
 * it stood where the link is, directories too. It is opened beneath a
 * descriptor of that directory, which is kept. A link to a directory that it is
 * in itself stays a link. Other links stay what they are. Call it before other
 * threads use the tree. On failure `why` has a sentence. */
int px_tree_follow(struct px_tree *t, const char *path, struct px_why *why);

/* Puts a regular file at `path` that SOURCE does not have, or in place of one
 * that it has: the `n` bytes of `data`, which is copied, with the permissions,
 * the owner and the time of `like`. Directories that SOURCE lacks are there
 * from then on, too. If it is not `listed`, it can be opened, and no listing
 * has it; then its directory need not be there. Call it before other threads
 * use the tree. -ENOTDIR: something else is where a directory has to be;
 * -ENOMEM. */
int px_tree_put(struct px_tree *t, const char *path, const void *data, size_t n,
		const struct px_stat *like, bool listed);

/* Returns the absolute path of SOURCE without symlinks. The tree owns the
 * string. */
const char *px_tree_root(const struct px_tree *t);

/* Describes what `path` itself is, like lstat(2). Errors: -ENOENT, -ENOTDIR,
 * -ELOOP (a directory in `path` is now a symlink), and others of lstat. */
int px_tree_stat(struct px_tree *t, const char *path, struct px_stat *ret);

/* Describes the regular file at `path`, following a symlink at its end as long
 * as every step stays inside SOURCE. Errors are those of px_tree_stat; -EXDEV
 * if the link leads out of SOURCE; -EINVAL if it does not lead to a regular
 * file; -ELOOP after 40 links (the kernel's limit, MAXSYMLINKS in
 * include/linux/namei.h). */
int px_tree_stat_file(struct px_tree *t, const char *path, struct px_stat *ret);

/* Opens the file that px_tree_stat_file would describe, for reading, and
 * describes it in *ret. The caller closes *ret_fd. The errors are the same. */
int px_tree_open_file(struct px_tree *t, const char *path, int *ret_fd,
		      struct px_stat *ret);

/* As px_tree_open_file, for a path that a listing has just shown to be a
 * regular file. It saves a system call by not looking at the file before
 * opening it. */
int px_tree_open_known(struct px_tree *t, const char *path, int *ret_fd,
		       struct px_stat *ret);

/* Reads the whole file that px_tree_stat_file would describe into `b`, whose
 * old content is dropped, and sets *ret to a description with a fingerprint
 * that belongs to exactly these bytes. Errors are those of px_tree_stat_file;
 * -EFBIG if the file is larger than b->max, and then *ret is set; -EAGAIN if
 * the file kept changing while it was being read; -ENOMEM. */
int px_tree_read(struct px_tree *t, const char *path, struct px_buf *b,
		 struct px_stat *ret);

/* Reads the target of the symlink `path` into *ret, which the caller frees.
 * -EINVAL if it is not a symlink. */
int px_tree_readlink(struct px_tree *t, const char *path, char **ret);

/*
 * Whether a file is so young that its fingerprint must not be trusted later:
 * its mtime or ctime is less than PX_TREE_YOUNG_NS (nanoseconds) before
 * `now_ns` (CLOCK_REALTIME, nanoseconds), or after it. Such a file may change
 * again without its fingerprint changing, because kernels stamp files with the
 * time of the last timer tick, and FAT stores times in steps of two seconds.
 */
#define PX_TREE_YOUNG_NS 2000000000LL
bool px_tree_young(const struct px_fingerprint *fp, int64_t now_ns);
bool px_fingerprint_equal(const struct px_fingerprint *a,
			  const struct px_fingerprint *b);

/* Adds all members of the fingerprint to a digest. */
void px_fingerprint_add(struct px_digest *d, const struct px_fingerprint *fp);

/* Where a symlink leads. */
enum px_leads {
	PX_LEADS_UNKNOWN, /* it is no symlink, or nobody can say */
	PX_LEADS_FILE,	  /* to a regular file inside SOURCE */
	PX_LEADS_DIR,	  /* to a directory inside SOURCE */
	PX_LEADS_OUT,	  /* out of SOURCE */
	PX_LEADS_NOWHERE,
	PX_LEADS_CIRCLE,
	PX_LEADS_ELSEWHERE, /* to a device, or to what may not be read */
};

/* One entry of a directory. */
struct px_name {
	const char *name;
	enum px_type type;
	/* Whether this is a symlink to a regular file inside SOURCE. Only set
	 * if the name ends in ".py"; else false. */
	bool leads_to_file;
	/* Attributes of the entry itself; NULL if they were not requested, or
	 * if this is another pycfs mount, which is never asked. */
	const struct px_stat *st;
	enum px_leads leads;
	/* Whether this is a regular file whose name ends in ".py", and somebody
	 * may execute it. */
	bool executable;
	/* The listing leaves these two as they are; mark.h sets them. */
	bool is_script;
	const char *lost;
};

/* The entries of a directory, sorted by name in byte order, without "." and
 * "..". */
struct px_listing {
	/* attributes of the directory, read before its names */
	struct px_stat dir;
	bool young; /* px_tree_young(&dir.fp) at that time */
	size_t n;
	struct px_name *names;
	void *arena;
	struct px_stat *stats;
};

/* What a listing tells of each entry. The more, the longer it takes. */
enum px_list {
	/* Its name, and its type as the directory has it: a pycfs mount is a
	 * directory, and of a symlink it is not known where it leads, except
	 * into the directories of px_tree_follow. */
	PX_LIST_NAMES,
	/* All but the attributes. */
	PX_LIST_KINDS,
	/* Its attributes too, which is cheaper here than one px_tree_stat for
	 * each. */
	PX_LIST_STATS,
};

/* Lists the directory `path`. The caller frees the listing with
 * px_listing_fini. */
int px_tree_list(struct px_tree *t, const char *path, enum px_list what,
		 struct px_listing *ret);
void px_listing_fini(struct px_listing *l);

/* Whether the symlink `path`, which leads out of SOURCE, leads to a directory
 * in which are names that `is_module` accepts, at most three levels down. This
 * is the only function that looks outside; nothing there is opened but
 * directories, and no other pycfs mount is entered. It stops after some
 * thousand names. Returns 1, 0, or -errno: -ENOENT if nothing is there. */
int px_tree_leads_to_modules(struct px_tree *t, const char *path,
			     bool (*is_module)(const char *name));

/* statvfs(3) of the file system of SOURCE, to answer the kernel's STATFS. */
struct statvfs;
int px_tree_statfs(struct px_tree *t, struct statvfs *ret);

#endif
