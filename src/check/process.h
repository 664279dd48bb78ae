/* SPDX-License-Identifier: MIT */
#ifndef PX_CHECK_PROCESS_H
#define PX_CHECK_PROCESS_H
/*
 * One process of the target's Python that runs imports.py, and the messages
 * that it sends. Whatever runs in it may send anything.
 *
 * Threads: one at a time.
 */

#include "pycfs/check.h"

struct px_process {
	pid_t pid;
	int fd; /* its messages; negative once it has ended */
	int64_t deadline_ms;
	struct px_buf in; /* of it, `used` bytes have been looked at */
	size_t used;
	uint64_t total; /* bytes that it has sent */
};

#define PX_PROCESS_FIELDS 8

/* One message: its fields, "" where it has fewer. They are valid until the next
 * call with that process. */
struct px_message {
	const char *field[PX_PROCESS_FIELDS];
	size_t n;
};

/* Starts `command` in the tree `side`, with `input` on its stdin. *ret is ended
 * with px_process_end. -errno. */
int px_process_start(const struct px_check_options *o, enum px_tree_side side,
		     const char *command, const struct px_buf *input,
		     struct px_process *ret);

/* Starts the user's program in the directory `dir`, in which it may write, with
 * the tree as PYTHONPATH. What it writes to stdout and stderr is read from
 * ret->fd, and is no message. -errno. */
int px_process_command(const struct px_check_options *o, enum px_tree_side side,
		       const char *dir, char *const *argv,
		       struct px_process *ret);

/* Reads what it has sent, without waiting. 1: it sends no more; 0; -ENOMEM;
 * -EBADMSG: it has sent too much. */
int px_process_read(struct px_process *p);

/* The next message of what was read. False: there is none yet. */
bool px_process_next(struct px_process *p, struct px_message *ret);

/* Waits for its end, or ends it, and frees what belongs to it. Writes into
 * `how` how it ended, as "ended with status 3". */
void px_process_end(struct px_process *p, char how[80]);

#endif
