/* SPDX-License-Identifier: MIT */
#include "ioctl.h"
#include "flush.h"

#include <fcntl.h>
#include <sys/ioctl.h>

/* The ioctl numbers contain the size of their data, so that a daemon of another
 * version, with more or fewer counters, does not know the request. */
#define IOC_COUNTERS _IOR('P', 1, uint64_t[PX_N_COUNTERS])
#define IOC_FLUSH    _IO('P', 2)

void px_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
		 struct fuse_file_info *fi, unsigned flags, const void *in_buf,
		 size_t in_size, size_t out_size)
{
	struct px_fuse *f = px_fuse_of(req);
	uint64_t counters[PX_N_COUNTERS];
	int i;

	(void)ino, (void)arg, (void)fi, (void)flags;
	(void)in_buf, (void)in_size;
	if (cmd == IOC_FLUSH) {
		px_flush_request(req);
	} else if (cmd == IOC_COUNTERS && out_size >= sizeof(counters)) {
		for (i = 0; i < PX_N_COUNTERS; i++)
			counters[i] =
				px_stats_get(f->o.stats, (enum px_counter)i);
		fuse_reply_ioctl(req, 0, counters, sizeof(counters));
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

int px_fuse_query(const char *mountpoint, uint64_t ret[PX_N_COUNTERS])
{
	return ask(mountpoint, IOC_COUNTERS, ret);
}

int px_fuse_flush(const char *mountpoint)
{
	return ask(mountpoint, IOC_FLUSH, NULL);
}
