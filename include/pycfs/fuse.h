/* SPDX-License-Identifier: MIT */
#ifndef PX_FUSE_H
#define PX_FUSE_H
/*
 * The view as a mounted file system, over libfuse's low-level interface.
 *
 * Invariants: every request gets exactly one reply. No FUSE thread waits for a
 * compile: the request is parked and answered by the completion's callback.
 * Owns: <fuse_lowlevel.h>.
 */

#include "pycfs/content.h"

struct px_fuse;

/* Whether this build can mount. If not, the functions below fail with -ENOSYS,
 * and no directory is a mount of pycfs (-ENOTTY). */
bool px_fuse_is_built(void);

/* What a daemon makes of SOURCE, as its options say. */
struct px_fuse_form {
	uint32_t optimize, run_optimize; /* levels */
	uint32_t n_rules;		 /* the user's */
	uint32_t n_built_in;		 /* the profile's */
	uint32_t mode;			 /* enum px_pyc_mode */
	uint32_t on_error;		 /* enum px_on_error */
	uint8_t safe;			 /* these are truth values */
	uint8_t debug_ranges;
	uint8_t plain_marshal;
	uint8_t immutable;
};

/* What a daemon says of itself. The texts end with a NUL; a longer one is
 * shortened in its middle. */
struct px_fuse_state {
	uint64_t counters[PX_N_COUNTERS];
	struct px_fuse_form form;
	char source[1024];
	/* of file names in tracebacks; a longer one is cut at its end */
	char prefix[256];
	char python[32];	      /* version, such as "3.12.1" */
	char python_executable[1024]; /* path of it, or of its libpython */
	char python_because[1024];    /* why that one (choose.h) */
};

struct px_fuse_options {
	struct px_tree *tree;
	struct px_content *content;
	struct px_stats *stats;
	/* The Python, as px_fuse_state says it. Must live as long as the mount.
	 */
	const char *python, *python_executable, *python_because;
	/* The same of these. */
	struct px_fuse_form form;
	const char *source, *prefix;
	const char *mountpoint;
	const char *mount_options; /* for libfuse, comma separated; "" */
	enum px_on_error on_error;
	bool has_rules; /* so there may be generated __pycache__ directories */
	bool immutable; /* the source does not change: cache without end */
	bool debug;
};

/* Mounts. On failure nothing is left mounted and `why` says why. */
int px_fuse_mount(const struct px_fuse_options *o, struct px_fuse **ret,
		  struct px_why *why);

/* Serves until unmounted or until SIGTERM, SIGINT or SIGHUP, for which it
 * installs handlers and which it unblocks. 0 or -errno. */
int px_fuse_loop(struct px_fuse *f);

/* Unmounts (lazily if busy). Parked requests must have been answered: stop
 * the pool first. NULL is fine. */
void px_fuse_unmount(struct px_fuse *f);

/* Asks the daemon behind `mountpoint` what it says of itself. -ENOTTY if it is
 * no pycfs mount. Every process that may open the mount may ask. This and
 * px_fuse_flush block for as long as the daemon does not answer; bounded.h is
 * for callers that cannot afford that. */
int px_fuse_query(const char *mountpoint, struct px_fuse_state *ret);

/* Asks that daemon to commit what it compiled to its cache, for which it takes
 * 5 s at most: -EAGAIN if that was not enough. -ENOTTY if it is no pycfs mount;
 * -EPERM unless the caller is root or mounted it. */
int px_fuse_flush(const char *mountpoint);

#endif
