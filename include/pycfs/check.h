/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_H
#define PX_CHECK_H
/*
 * Whether a layer does what its source does: every module is imported and every
 * entry point loaded from both, by the target's Python, each top-level name in
 * a process of its own. What fails in the layer alone, again when it is tried
 * anew, is a finding; so is what a module of the layer does not have although
 * that of the source has it each time.
 *
 * It runs code of the source and of the layer, in processes that are confined
 * as far as the system allows (compiler/confine.h).
 *
 * Threads: a check belongs to one thread. px_check_run blocks until it is done.
 */

#include "pycfs/util.h"

enum px_tree_side {
	PX_SIDE_SOURCE,
	PX_SIDE_LAYER,
	PX_N_SIDES
};

struct px_check_progress {
	size_t done, total; /* processes */
};

struct px_check_options {
	const char *compiler; /* path of pycfs-compiler */
	const char *python;   /* path of the interpreter */
	/* Absolute paths of directories without links, as sys.path has them. */
	const char *tree[PX_N_SIDES];
	/* A directory that is there and empty, for what is written; what it has
	 * afterwards is the caller's to remove. */
	const char *scratch;
	bool all; /* every module, and not only those at the top */
	/* Of the interpreter, by tree: 0, 1 (-O) or 2 (-OO). */
	unsigned level[PX_N_SIDES];
	/* Only what these findings are of, each with all that is tried in its
	 * process; NULL: everything. */
	const struct px_check_result *only;
	unsigned jobs;	  /* processes at a time */
	unsigned seconds; /* until one is killed */
	uint64_t memory;  /* bytes of address space of each process */
	/* Called now and then; false: stop, -ECANCELED. */
	bool (*tick)(void *arg, const struct px_check_progress *p);
	void *tick_arg;
};

enum px_finding_kind {
	PX_FINDING_FAILS,   /* an exception, or the end of the process */
	PX_FINDING_DIFFERS, /* it works, and has not what it has to have */
	PX_FINDING_COMMAND, /* the user's program ends in another way */
	PX_FINDING_TEST,    /* a test of it has another outcome */
};

/* Strings are never NULL, and may come from anywhere. */
struct px_finding {
	enum px_finding_kind kind;
	bool is_entry_point;
	char *name;	/* "numpy.linalg"; or the entry point and its module */
	char *owner;	/* the top-level name, or the distribution */
	char *type;	/* of the exception; "" if there was none */
	char *text;	/* what it says; of a difference, one fact a line, with
			 * "-" in front if the source alone has it, else "+" */
	char *file;	/* in the layer; "" if that is not known */
	char *function; /* "" if that is not known */
	/* The files of the layer that were being run, innermost first, one a
	 * line. */
	char *frames;
	unsigned line; /* 0: not known */
};

struct px_check_result {
	struct px_finding *findings;
	size_t n_findings;
	size_t modules, entry_points; /* that were tried */
	size_t failed;		      /* of these, in both alike */
	size_t better;		      /* that fail in the source alone */
	size_t unstable; /* of which two tries in one tree differ */
	/* Top-level names of the source that the layer does not have, in byte
	 * order. */
	char **missing;
	size_t n_missing;
	/* The first line in which the outputs of the user's program differ, by
	 * tree; NULL: they do not. */
	char *output[PX_N_SIDES];
};

/* Returns 0 and *ret, whatever was found; -ECANCELED; -ENOEXEC if the layer has
 * nothing that could be imported; or another -errno; on failure with a sentence
 * in `why`. Call px_check_result_fini in any case. */
int px_check_run(const struct px_check_options *o, struct px_check_result *ret,
		 struct px_why *why);
/* Runs the program `argv`, which ends with NULL, with each tree as PYTHONPATH,
 * in a directory of its own beside the scratch directory, and adds to *ret what
 * differs each time: how it ends, and the outcomes of tests in JUnit XML that
 * it leaves in that directory. Returns 0, -ECANCELED or another -errno, with a
 * sentence in `why`. Blocks until it has ended. */
int px_check_command(const struct px_check_options *o, char *const *argv,
		     struct px_check_result *ret, struct px_why *why);
void px_check_result_fini(struct px_check_result *r);

/* The rules that may cure a finding, as a rules file has them, the narrowest
 * ones first: *ret_n of them, 20 at most. Each is the caller's, as is the list.
 * Returns 0 or -ENOMEM. */
#define PX_MAX_REMEDIES 20
int px_check_remedies(const struct px_finding *f, char ***ret, size_t *ret_n);

/* What a layer has to be made for. */
struct px_check_target {
	uint32_t magic; /* px_python.magic */
	unsigned minor; /* of Python 3 */
	bool free_threaded;
};

/* Finds the directory of `layer` in which the modules of `source` are, at most
 * some levels down: 0 and *ret, a path that the caller frees. Then whether what
 * is there can be imported here. -ENOENT: it has nothing of `source`; -ENOTSUP:
 * it is for another Python or another machine; -errno; each with a sentence in
 * `why`. Both are absolute paths without links. Blocks while it reads
 * directories. */
int px_check_layer(const char *layer, const char *source,
		   const struct px_check_target *target, char **ret,
		   struct px_why *why);

/* Which confinements are in force here: "network files processes ", or fewer of
 * these words, into `ret`. Returns 0 or -errno. */
int px_check_confinement(const char *compiler, char ret[64]);

#endif
