/* SPDX-License-Identifier: MIT */
#ifndef PX_EXPORT_H
#define PX_EXPORT_H
/*
 * Exports the whole view into a sink, with the names, bytes and attributes that
 * a mount shows, in byte order of the paths. One thread walks the tree and
 * requests modules, worker processes compile them, and the calling thread
 * writes. The amount that waits to be written is bounded.
 *
 * After a module that does not compile nothing more is written, but the walk
 * goes on, so that the summary lists every such module.
 *
 * Threads: any; a sink can be used by one export only.
 */

#include "pycfs/account.h"
#include "pycfs/manifest.h"
#include "pycfs/sink.h"
#include "pycfs/stats.h"

struct px_export_progress {
	/* number of files written so far, without directories */
	uint64_t files;
	uint64_t bytes; /* size of these files */
	uint64_t made;	/* of these files: modules compiled, now or earlier */
};

struct px_export_options {
	struct px_content *content;
	struct px_tree *tree;
	struct px_sink *sink;
	const char *dest; /* name of the sink, for messages */
	unsigned jobs;	  /* number of worker processes */
	/* directory of the sink to write into; "" for its root */
	const char *prefix_dir;
	/* Of these, what is not in the view is written beside it. */
	const struct px_scripts *scripts;
	bool list; /* fill px_export_summary.listed */
	/* write equal files as hard links to one file */
	bool hardlink_dupes;
	/* An archive that gets the source of every module, and a manifest.
	 * NULL: none is wanted. The caller finishes and commits it as it does
	 * `sink`. */
	struct px_sink *sources;
	const struct px_manifest_head *sources_head; /* if `sources` */
	/* As px_walk_options.pycache_tag, for px_export_summary.pip_bytes. */
	const char *pycache_tag;
	/* Gets every file and link that is written. NULL: it is not wanted. */
	struct px_account *account;
	/* Called from the calling thread after each entry, and every 100 ms
	 * while there is nothing to write. If it returns false, the export ends
	 * with -ECANCELED. */
	bool (*tick)(void *arg, const struct px_export_progress *p);
	/* Called from the calling thread when an error has ended the export, so
	 * that modules still being compiled can be abandoned. */
	void (*give_up)(void *arg);
	void *tick_arg; /* passed to both functions */
};

/* A module that does not compile. */
struct px_export_fault {
	struct px_export_fault *next; /* next in byte order of paths */
	/* its error; a reference that the list owns */
	struct px_blob *why;
	char path[]; /* of the source, relative to SOURCE */
};

/* The totals of one top-level name of the view. `bytes` are uncompressed and
 * count hard links as 0. */
struct px_export_part {
	char *name;
	uint64_t files;
	uint64_t bytes;
};

struct px_export_summary {
	struct px_export_progress total;
	/* What `du -sb` says of the output if it is a directory: files, targets
	 * of links, and 4,096 bytes for each directory, as ext4 and xfs have
	 * it. */
	uint64_t du_bytes;
	/* What these files have as pip leaves them: sources in place of
	 * modules, and the .pyc files that SOURCE has in its own __pycache__.
	 * 0: it has not one for each module, so that nobody knows. */
	uint64_t pip_bytes;
	uint64_t stripped;	 /* files that were stripped */
	uint64_t stripped_bytes; /* what that has taken off them */
	uint64_t dirs;
	uint64_t links;
	uint64_t hardlinks;
	/* of the files: those that Python can import, compiled here or not */
	uint64_t modules;
	struct px_export_part *parts;
	size_t n_parts;
	struct px_export_fault *faults;
	size_t n_faults;
	/* with px_export_options.list: the source of each file and link, each
	 * with a NUL at its end */
	struct px_buf listed;
};

/*
 * Runs an export and blocks until it is done. Everything in `o` is borrowed.
 * Returns 0 if everything has been written (the caller then finishes and
 * commits the sink); -ENOEXEC if modules do not compile, which *ret lists;
 * -ECANCELED if tick returned false or the pool was stopped; -errno. On failure
 * `why` has a sentence. Call px_export_summary_fini in any case.
 */
int px_export(const struct px_export_options *o, struct px_export_summary *ret,
	      struct px_why *why);
void px_export_summary_fini(struct px_export_summary *s);

/* Checks a value for px_export_options.prefix_dir. Returns 0, or -EINVAL unless
 * it is a relative path of names that are not empty, "." or "..". */
int px_export_check_prefix(const char *dir);

#endif
