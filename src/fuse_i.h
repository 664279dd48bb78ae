/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_I_H
#define PX_FUSE_I_H
/*
 * What fuse_ops.c, fuse_dir.c, fuse_file.c (requests) and fuse_session.c
 * (mount, loop) share.
 */

#define FUSE_USE_VERSION 312

#include "pycfs/fuse.h"
#include "pycfs/inode.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

/* The blobs read last, where no open file holds one (fuse_file.c). */
struct px_recent;
struct px_recent *px_recent_new(void);	  /* NULL: ENOMEM */
void px_recent_free(struct px_recent *r); /* NULL is fine */

/* Files given to the kernel unasked (fuse_push.c). All take NULL: none are. */
struct px_push;
int px_push_start(struct px_fuse *f, struct px_push **ret);
void px_push_stop(struct px_push *p);
/* All of a directory that has files was listed. Before its reply is sent. */
void px_push_listed(struct px_push *p, uint64_t dir);
/* A READ of node `id` came. */
void px_push_read(struct px_push *p, uint64_t id);

/* Commits the cache for who asks through PX_IOC_FLUSH (fuse_flush.c). */
struct px_flush;
int px_flush_start(struct px_fuse *f, struct px_flush **ret);
/* Answers who waits; up to 5 s. NULL is fine. */
void px_flush_stop(struct px_flush *w);
/* Answers `req` once what was compiled is in the cache. */
void px_op_flush(fuse_req_t req);

struct px_fuse {
	struct px_fuse_options o;
	struct fuse_session *session;
	struct px_inodes *inodes;
	struct px_recent *recent;
	struct px_push *push;	/* NULL unless immutable */
	struct px_flush *flush; /* NULL: nobody can ask for it */
	/* The kernel sends no OPEN, or OPENDIR, for it was told once that there
	 * is none: the source does not change, so there is nothing to hold. */
	bool no_open;
	bool no_opendir;
	unsigned max_held; /* open files of the source */
	atomic_uint n_held;
	pthread_mutex_t lock;
	struct handle *handles; /* under lock: all that are open */
	double timeout; /* seconds the kernel may keep names and attributes */
};

/* What is open; fi->fh is its address, or 0 for a file of which nothing is
 * held (fuse_handle.c). */
struct handle {
	struct handle *prev, *next;
	struct px_blob *blob; /* of a module */
	int fd;		      /* of a source's file; -1: none */
	uint32_t tag;	      /* of what that was when it was opened */
	struct px_inode dir;  /* of a directory */
	struct px_view *view;
};

/* NULL: ENOMEM. */
struct handle *px_handle_new(struct px_fuse *f);
/* Lets go of all it holds. NULL is fine. */
void px_handle_free(struct px_fuse *f, struct handle *h);

static inline struct handle *px_handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* A request that waits for a module, or for the cache. */
struct parked {
	struct parked *next; /* its owner's */
	fuse_req_t req;
	struct px_fuse *f;
	atomic_int state;      /* of fuse_park.c; 0 at first */
	atomic_bool claimed;   /* somebody answers it */
	struct px_inode inode; /* asked about; for lookup, the directory */
	struct fuse_file_info fi;
	size_t size;	   /* read */
	off_t off;	   /* read */
	enum px_kind kind; /* lookup: of the entry */
	bool by_source;	   /* lookup: X.py was asked, to exist if rejected */
	char *name;	   /* lookup */
	char *source;	   /* lookup: the entry's source name */
};

static inline struct px_fuse *self(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/*
 * Takes `inode` over. NULL: ENOMEM. If the process that asked is killed
 * meanwhile, the request is answered with EINTR; whoever has an answer must
 * claim the request first. False: too late, and `p` is gone.
 */
struct parked *px_park(fuse_req_t req, struct px_inode *inode);
bool px_claim(struct parked *p);
void px_parked_free(struct parked *p);
void px_inode_fini(struct px_inode *i);

mode_t px_fuse_type(enum px_kind kind);
void px_fuse_stat(const struct px_attr *a, uint64_t number, struct stat *ret);
/* A compile that was refused is an error of the file, not of the request. */
int px_fuse_module_errno(int err, const struct px_module *m);
/* The directory as it is now; the reference is the caller's. */
int px_fuse_view(struct px_fuse *f, const struct px_inode *dir,
		 struct px_view **ret);
int px_fuse_dir(struct px_fuse *f, fuse_ino_t ino, struct px_inode *ret);
/* Counts a lookup and fills the entry the kernel gets; `a` is of `version`. */
int px_fuse_enter(struct px_fuse *f, const struct px_inode *dir,
		  const struct px_entry *e, uint64_t version,
		  const struct px_attr *a, struct fuse_entry_param *ret);
/* The same from what is known without compiling or reading. -EINPROGRESS: it
 * takes that, and who asks has to wait. */
int px_fuse_enter_known(struct px_fuse *f, const struct px_inode *dir,
			const struct px_entry *e, struct fuse_entry_param *ret);

void px_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void px_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		   struct fuse_file_info *fi);
void px_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi);
void px_op_releasedir(fuse_req_t req, fuse_ino_t ino,
		      struct fuse_file_info *fi);
void px_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void px_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void px_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

extern const struct fuse_lowlevel_ops px_fuse_ops;

/* Asked of an open directory of the mount. Restricted ioctls carry their size
 * in the number, so another version's request is another number. */
#define PX_IOC_COUNTERS _IOR('P', 1, uint64_t[PX_N_COUNTERS])
#define PX_IOC_FLUSH	_IO('P', 2)

#endif
