/* SPDX-License-Identifier: MIT */
/*
 * A parked request is answered once: with its result, or with EINTR because the
 * process that asked is being killed, whichever comes first. Whoever changes
 * `claimed` from false to true answers.
 *
 *   state    REGISTERING ---------px_park returns---------> WAITING
 *                 |                                            ^
 *                 +--interrupt--> INTERRUPTED --px_park returns+
 *
 *   claimed  false --px_claim----------------------------> true: the result
 *            false --interrupt while WAITING, or px_park
 *                    finds INTERRUPTED; the process that
 *                    asked is dying----------------------> true: EINTR
 *
 * The struct is freed by whoever comes with the result, even if it was answered
 * before: until then the callback has a pointer to it.
 *
 * libfuse 3.14 calls the interrupt function from inside fuse_req_interrupt_func
 * if the request was interrupted before, and then still uses the request
 * (lib/fuse_lowlevel.c). An answer from inside that call would free the request
 * too early, so an interrupt while REGISTERING is only recorded, and px_park
 * handles it afterwards.
 */
#include "park.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

enum {
	REGISTERING, /* calloc makes it so */
	INTERRUPTED,
	WAITING,
};

void px_parked_free(struct parked *p)
{
	if (!p)
		return;
	free(p->inode.path);
	free(p->name);
	free(p->source);
	free(p);
}

/* The bit of a signal in the masks of /proc/PID/status (proc(5)). */
#define SIGNAL_BIT(sig) (1ULL << ((sig)-1))

/* Signals whose default action does not end a process: it stops, continues, or
 * ignores them (signal(7), "Standard signals"). */
#define HARMLESS                                                           \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | \
	 SIGNAL_BIT(SIGTTOU) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGCHLD) | \
	 SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))

/* Whether process `pid` is about to die: a signal is pending whose default
 * action ends it, and which it neither blocks nor catches nor ignores. To any
 * other process EINTR would be wrong, as programs expect no EINTR from a file
 * system. */
static bool is_dying(pid_t pid)
{
	static const char *const names[] = {
		"SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"};
	unsigned long long mask[PX_ARRAY_LEN(names)] = {0};
	char path[32], text[4096], *at;
	PX_AUTOCLOSE int fd = -1;
	ssize_t n;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : px_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return pid != 0;
	text[n] = '\0';
	for (i = 0; i < PX_ARRAY_LEN(names); i++) {
		at = strstr(text, names[i]);
		if (at)
			mask[i] = strtoull(at + strlen(names[i]), NULL, 16);
	}
	return ((mask[0] | mask[1]) & ~mask[2] & ~mask[3] & ~mask[4] &
		~HARMLESS) != 0;
}

static void answer_interrupt(fuse_req_t req, struct parked *p)
{
	if (is_dying(fuse_req_ctx(req)->pid) &&
	    !atomic_exchange(&p->claimed, true))
		fuse_reply_err(req, EINTR);
}

/* libfuse keeps a reference to the request while this runs, so that `req` stays
 * valid even if another thread answers it. */
static void on_interrupt(fuse_req_t req, void *arg)
{
	struct parked *p = arg;
	int state = REGISTERING;

	if (!atomic_compare_exchange_strong(&p->state, &state, INTERRUPTED))
		answer_interrupt(req, p);
}

struct parked *px_park(fuse_req_t req, struct px_inode *inode)
{
	struct parked *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->req = req;
	p->f = px_fuse_of(req);
	p->inode = *inode;
	inode->path = NULL;
	fuse_req_interrupt_func(req, on_interrupt, p);
	/* If this answers it, px_claim will find it claimed and free `p`. */
	if (atomic_exchange(&p->state, WAITING) == INTERRUPTED)
		answer_interrupt(req, p);
	return p;
}

bool px_claim(struct parked *p)
{
	if (atomic_exchange(&p->claimed, true)) {
		px_parked_free(p);
		return false;
	}
	/* Waits until a running on_interrupt returns; no other begins. */
	fuse_req_interrupt_func(p->req, NULL, NULL);
	return true;
}
