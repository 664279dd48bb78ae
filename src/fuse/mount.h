/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_MOUNT_H
#define PX_FUSE_MOUNT_H
/*
 * One mount: what every request finds behind fuse_req_userdata(3).
 */

#define FUSE_USE_VERSION 312

#include "pycfs/fuse.h"
#include "pycfs/inode.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

struct px_fuse {
	struct px_fuse_options o;
	struct fuse_session *session;
	struct px_inodes *inodes;
	struct px_recent *recent;
	struct px_push *push;	/* NULL unless immutable */
	struct px_flush *flush; /* NULL: its thread could not be started */
	/* The kernel sends no OPEN (or OPENDIR) requests after the first one
	 * was answered with ENOSYS. That is possible for an immutable source
	 * only: nothing has to be held open to protect a reader from a change.
	 */
	bool no_open;
	bool no_opendir;
	unsigned max_held;  /* most source files kept open at once */
	atomic_uint n_held; /* source files that are open now */
	pthread_mutex_t lock;
	struct handle *handles; /* list of all open handles; under lock */
	double timeout; /* seconds the kernel may cache names and attributes */
};

static inline struct px_fuse *px_fuse_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Agrees with the kernel on what this mount supports. */
void px_op_init(void *userdata, struct fuse_conn_info *conn);
void px_op_statfs(fuse_req_t req, fuse_ino_t ino);

#endif
