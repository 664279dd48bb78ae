/* SPDX-License-Identifier: MIT */
#ifndef PX_STRIP_H
#define PX_STRIP_H
/*
 * ELF files without what nobody needs who runs them: symbols that are not
 * linked by, and debugging information. A tool of the user's does it: GNU
 * strip, llvm-strip or eu-strip. It gets the file in memory, can reach no other
 * one for writing, and what it makes is taken only if a loader finds in it
 * exactly what it found before: the same segments with the same bytes at the
 * same addresses, and so the same dynamic symbols and the same build ID.
 *
 * Threads: any, between px_strip_new and px_strip_free.
 */

#include "pycfs/util.h"

/* The largest file that is stripped, in bytes: it is in memory meanwhile. */
#define PX_STRIP_MAX (512ull << 20)

struct px_strip;

struct px_strip_options {
	/* A path, or a program's name to look for in PATH; NULL: those of the
	 * usual tools that are there, of which the first that can does it. */
	const char *tool;
	const char *compiler; /* path of pycfs-compiler */
};

/* Looks for tools, and asks them for their versions, which blocks for some ms
 * each. 0, or with a sentence in `why`: -ENOENT: there is none; -EISDIR or
 * -EACCES: the one that was named is no program; -EIO: it says no version;
 * -ENOMEM. */
int px_strip_new(const struct px_strip_options *o, struct px_strip **ret,
		 struct px_why *why);
void px_strip_free(struct px_strip *s); /* NULL is fine */

/* The tools in the order in which they are tried, each as the first lines of
 * its
 * --version, with "; " between them. What two of different text make differs.
 */
const char *px_strip_tools(const struct px_strip *s);

enum px_strip_outcome {
	PX_STRIP_DONE = 1,
	PX_STRIP_NOTHING, /* it is no ELF file that is run, or as small as it
			   * can be */
	PX_STRIP_LEFT,	  /* it must not be stripped, or no tool can */
};

#define PX_STRIP_REASON_SIZE 200

struct px_stripped {
	enum px_strip_outcome outcome;
	int fd;	       /* if DONE: the result, from its beginning on; the
			* caller's. Else -1 */
	uint64_t size; /* of the result, in bytes */
	/* It is LEFT because a tool was ended, or could not be started, which
	 * may go well the next time. */
	bool may_pass;
	/* Why it is LEFT, as a sentence goes on behind "not stripped: ". */
	char reason[PX_STRIP_REASON_SIZE];
};

/* Whether what is open as `fd` is an ELF program or library: 1 or 0, or -errno.
 * Of nothing else there is anything to strip. */
int px_strip_concerns(int fd);

/* Copies what is open as `fd`, whose position does not matter and is not
 * changed, into memory that nobody can write to any more: what is looked at and
 * what is stripped are the same. The caller closes *ret. -EFBIG: it is larger
 * than PX_STRIP_MAX; -errno: it cannot be read, or there is no memory for it.
 */
int px_strip_copy(int fd, int *ret);

/* Strips such a copy. 0, or -errno. Blocks until a tool has done it, two
 * minutes at most for each tool. */
int px_strip_file(struct px_strip *s, int copy, struct px_stripped *ret);

#endif
