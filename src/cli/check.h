/* SPDX-License-Identifier: MIT */
#ifndef PX_CLI_CHECK_H
#define PX_CLI_CHECK_H
/*
 * The parts of `pycfs check`: making the layer that is checked, looking for
 * rules that cure what was found, and printing.
 *
 * Threads: the main thread.
 */

#include "pycfs/check.h"
#include "pycfs/choose.h"
#include "pycfs/engine.h"

#include <stdio.h>

/* One check, from its beginning to its end. */
struct px_checking {
	const struct px_opt *o;
	const char *source;
	int signal_fd;
	bool shows;		  /* progress, on stderr */
	bool stopped;		  /* by a signal */
	int64_t started;	  /* px_now_ms */
	int64_t shown;		  /* when progress was */
	struct px_engine *engine; /* while a layer is written; else NULL */
	char *compiler;		  /* path of pycfs-compiler */
	struct px_choice choice;
	char *temp;    /* our directory, in which the next two are */
	char *scratch; /* where the processes may write */
	char *layer;   /* what is checked: a path without links */
	char confined[64];
	struct px_check_result result;
};

/* Writes the view of SOURCE with these options to the directory `dest`, which
 * must not be there. The first time it sets the compiler and the Python, too.
 * -EADDRINUSE as px_engine_start, -ECANCELED after a signal, -errno; with a
 * sentence in `why`. */
int px_check_write_layer(struct px_checking *c, const struct px_opt *o,
			 const char *dest, struct px_why *why);

/* Shows progress, and looks for a signal. False: stop. */
bool px_check_tick(struct px_checking *c, const char *what, size_t done,
		   size_t total);
void px_check_end_progress(const struct px_checking *c);

/* Tries what is in `only` (NULL: everything) in the source and in `layer`,
 * which is run with -O if `level` is 1 and -OO if it is 2. As px_check_run. */
int px_check_try(struct px_checking *c, const char *layer, unsigned level,
		 const struct px_check_result *only,
		 struct px_check_result *ret, struct px_why *why);

/* The check that another verb does first, of what it would ship: prints what
 * was found on stderr. Returns 0, or the exit status. */
int px_check_first(const struct px_opt *o);

/* Looks for rules that cure what was found, by trying them, and prints them on
 * stdout as a rules file. Returns 0, also if it finds none for something; else
 * -errno with a sentence in `why`. */
int px_check_suggest(struct px_checking *c, struct px_why *why);

struct px_check_shown {
	const char *source;
	const char *layer; /* as the user named it; NULL: the view of SOURCE */
	const struct px_choice *choice;
	const char *confinement; /* of px_check_confinement */
	double seconds;		 /* that the check took */
	const struct px_check_result *result;
};

void px_check_print(const struct px_check_shown *s, FILE *to);
void px_check_print_json(const struct px_check_shown *s, FILE *to);
/* As JUnit's XML: a test case for each finding, and one for all that works. */
void px_check_print_junit(const struct px_check_shown *s, FILE *to);

#endif
