/* SPDX-License-Identifier: MIT */
#ifndef PX_STRIP_TOOL_H
#define PX_STRIP_TOOL_H
/*
 * One program that strips: where it is, how it is called, and calling it.
 *
 * Threads: any; a tool does not change.
 */

#include "pycfs/util.h"

enum px_tool_kind {
	PX_TOOL_GNU,  /* of binutils, and what is called in its way */
	PX_TOOL_LLVM, /* from stdin to stdout */
	PX_TOOL_ELFUTILS,
};

struct px_tool {
	char *path;    /* absolute */
	char *version; /* of its --version up to the line with the number */
	enum px_tool_kind kind;
};

/* Looks for `name`, a path or a name in PATH, of which only absolute entries
 * count, and asks it for its version. -ENOENT, -EISDIR, -EACCES: no program is
 * there; -EIO: it does not answer; -ENOMEM. Blocks for 10 s at most. */
int px_tool_find(const char *name, struct px_tool *ret);
void px_tool_fini(struct px_tool *t);

/* Has it strip what is in `in`, a descriptor in memory, into `out`, one that is
 * empty. `compiler` is the path of pycfs-compiler, which confines it. 0;
 * -EBADMSG: it did not do it; -EAGAIN: it was ended, or could not be started,
 * which may go well the next time; and `ret` has why, as a sentence; another
 * -errno.
 * Blocks for two minutes at most. */
int px_tool_run(const struct px_tool *t, const char *compiler, int in, int out,
		char *ret, size_t n);

#endif
