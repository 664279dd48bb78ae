/* SPDX-License-Identifier: MIT */
/*
 * A request that waits. It is answered once: with what it waits for, or with
 * EINTR because who asked is about to die, whichever comes first.
 *
 *   REGISTERING --px_park returns--> WAITING --px_claim or EINTR--> claimed
 *        |                              ^
 *        +--interrupt--> INTERRUPTED ---+  px_park then looks at it
 *
 * libfuse 3.14 calls the interrupt function from fuse_req_interrupt_func
 * itself if the request was interrupted before, and goes on to use the request
 * (lib/fuse_lowlevel.c): an answer given from inside that call would free it
 * too early. That is why an interrupt is only noted while it registers.
 */
#include "fuse_i.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

enum {
	REGISTERING,
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

/* Signals that end nobody who does not catch them: they stop a process, or
 * nothing happens at all (signal(7), "Standard signals"). */
#define HARMLESS                                                           \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | \
	 SIGNAL_BIT(SIGTTOU) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGCHLD) | \
	 SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))

/* Whether the process that asked is about to die: a signal is pending that it
 * neither blocks nor catches nor ignores, and that ends it. To answer EINTR to
 * any other would make calls fail that no file system lets fail. */
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

/* libfuse holds the request while this runs, even once it is answered. */
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
	p->f = self(req);
	p->inode = *inode;
	inode->path = NULL;
	fuse_req_interrupt_func(req, on_interrupt, p);
	/* If it is answered here, whoever comes with an answer finds it claimed
	 * and frees `p`. */
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
	/* Waits for an on_interrupt that runs, and no other begins. */
	fuse_req_interrupt_func(p->req, NULL, NULL);
	return true;
}
