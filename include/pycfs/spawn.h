/* SPDX-License-Identifier: MIT */
#ifndef PX_SPAWN_H
#define PX_SPAWN_H
/*
 * Starting another program, and waiting for it.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

#define PX_SPAWN_FDS 20

/* In place of a descriptor: */
#define PX_SPAWN_NULL (-1) /* /dev/null, to read and write */
#define PX_SPAWN_SAME (-2) /* the caller's own of that number */

struct px_spawn {
	const char *program;	 /* a path, or a name to look for in PATH */
	const char *const *argv; /* ends with NULL */
	const char *const *envp; /* NULL: the caller's environment */
	const char *dir; /* the directory it starts in; NULL: the caller's */
	/* The child's descriptors 0, 1 and so on. It gets no others that are
	 * close-on-exec. */
	int fds[PX_SPAWN_FDS];
	unsigned n_fds;
	bool own_group; /* a process group of its own */
	/* It blocks the signals that the calling thread blocks; else none. */
	bool keep_signal_mask;
	/* Where memory runs out, the kernel ends it before all others
	 * (oom_score_adj 1000, proc(5)); where there is no /proc, it chooses as
	 * it likes. */
	bool ends_first;
};

/* Starts it: 0 and *ret, for which somebody has to wait, or -errno. The kernel
 * says -ENOENT also of a program whose loader or interpreter is missing. Does
 * not block for longer than starting takes. */
int px_spawn(const struct px_spawn *s, pid_t *ret);

/* The path of one of pycfs's own programs: beside the one that runs, below the
 * same prefix, or where it was to be installed. The caller frees it. -ENOENT,
 * -ENOMEM, with a sentence in `why`. */
int px_spawn_find(const char *name, char **ret, struct px_why *why);

/* Waits until the child has ended and returns its wait status (wait(2)). At
 * `deadline_ms` of px_now_ms it is killed: -ETIMEDOUT. INT64_MAX: there is no
 * deadline. -errno, with the child left alone, only if it is no child of this
 * process. */
int px_spawn_wait(pid_t pid, int64_t deadline_ms);

/* Kills the child and returns its wait status, which is still that of its own
 * end if it was ending already. -errno as above. */
int px_spawn_kill(pid_t pid);

#endif
