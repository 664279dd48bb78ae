/* SPDX-License-Identifier: MIT */
#include "ioctl.h"
#include "flush.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* The ioctl numbers contain the size of their data, so that a daemon of another
 * version, with more or fewer counters or texts, does not know the request. */
#define IOC_STATE _IOR('P', 1, struct px_fuse_state)
#define IOC_FLUSH _IO('P', 2)

PX_PRINTF(3, 4)
static void put(char *to, size_t n, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	px_vshorten(to, n, fmt, args);
	va_end(args);
}

static void reply_state(fuse_req_t req, const struct px_fuse_options *o)
{
	struct px_fuse_state s = {.form = o->form};

	for (int i = 0; i < PX_N_COUNTERS; i++)
		s.counters[i] = px_stats_get(o->stats, (enum px_counter)i);
	snprintf(s.python, sizeof(s.python), "%s", o->python);
	put(s.python_executable, sizeof(s.python_executable), "%s",
	    o->python_executable);
	put(s.python_because, sizeof(s.python_because), "%s",
	    o->python_because);
	put(s.source, sizeof(s.source), "%s", o->source);
	snprintf(s.prefix, sizeof(s.prefix), "%s", o->prefix);
	fuse_reply_ioctl(req, 0, &s, sizeof(s));
}

void px_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
		 struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		 size_t in_size, size_t out_size)
{
	struct px_fuse *f = px_fuse_of(req);

	(void)ino, (void)arg, (void)fi, (void)flags;
	(void)in_buf, (void)in_size;
	if (cmd == IOC_FLUSH) {
		px_flush_request(req);
	} else if (cmd == IOC_STATE &&
		   out_size >= sizeof(struct px_fuse_state)) {
		reply_state(req, &f->o);
	} else {
		fuse_reply_err(req, ENOTTY);
	}
}

static int ask(const char *mountpoint, unsigned long request, void *arg)
{
	PX_AUTOCLOSE int fd =
		open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, request, arg) < 0)
		return errno == ENOSYS || errno == EINVAL ? -ENOTTY : -errno;
	return 0;
}

int px_fuse_query(const char *mountpoint, struct px_fuse_state *ret)
{
	return ask(mountpoint, IOC_STATE, ret);
}

int px_fuse_flush(const char *mountpoint)
{
	return ask(mountpoint, IOC_FLUSH, NULL);
}
