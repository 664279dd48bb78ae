/* SPDX-License-Identifier: MIT */
/*
 * Mounting, the loop that serves requests, and unmounting.
 */
#include "flush.h"
#include "handle.h"
#include "ops.h"
#include "push.h"
#include "recent.h"

#include "pycfs/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* How long the kernel may answer from its own cache where the source may
 * change. */
#define LIVE_TIMEOUT_S 1.0
/* The same for an immutable source: longer than any build takes. */
#define IMMUTABLE_TIMEOUT_S 86400.0
/* Requests are short, or parked: the second thread is for a slow disk read,
 * which must not hold up the others. More threads take the CPU from the
 * readers: copying a tree took half as long again with four. */
#define MAX_THREADS 2
/* Most source files held open, which is more than most processes load. */
#define MAX_HELD 256

PX_PRINTF(2, 0)
static void log_line(enum fuse_log_level level, const char *fmt, va_list args)
{
	px_vlog(level <= FUSE_LOG_ERR	    ? PX_LOG_ERROR
		: level <= FUSE_LOG_WARNING ? PX_LOG_WARNING
					    : PX_LOG_DEBUG,
		fmt, args);
}

PX_PRINTF(2, 0)
static void to_stderr(enum fuse_log_level level, const char *fmt, va_list args)
{
	(void)level;
	vfprintf(stderr, fmt, args);
}

/*
 * libfuse and fusermount3 explain a failed mount on stderr, in lines of their
 * own. While a mount is tried, stderr is a file in memory; what was written to
 * it becomes part of our own message.
 */
struct capture {
	int saved_fd;
	int memory_fd;
};

static void capture_begin(struct capture *o)
{
	o->saved_fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
	o->memory_fd = memfd_create("pycfs-stderr", MFD_CLOEXEC);
	if (o->saved_fd >= 0 && o->memory_fd >= 0)
		dup2(o->memory_fd, 2);
	fuse_set_log_func(to_stderr);
}

static void capture_end(struct capture *o, char *buf, size_t size)
{
	ssize_t n = 0;
	char *p;

	fuse_set_log_func(log_line);
	if (o->saved_fd >= 0 && o->memory_fd >= 0) {
		dup2(o->saved_fd, 2);
		n = pread(o->memory_fd, buf, size - 1, 0);
	}
	buf[n > 0 ? n : 0] = '\0';
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	for (p = buf; (p = strchr(p, '\n')); p++)
		*p = ' ';
	if (o->saved_fd >= 0)
		close(o->saved_fd);
	if (o->memory_fd >= 0)
		close(o->memory_fd);
}

/* The end of messages for a build that is not allowed to mount. */
#define OR_EXPORT "; or use 'pycfs export', which mounts nothing"

/* Finds out before mounting what libfuse would say less well afterwards. */
static int check_device(struct px_why *why)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == EACCES)
		return px_because(
			why, -EACCES,
			"no permission to open "
			"/dev/fuse: ask for mode 0666 on it" OR_EXPORT);
	if (errno == EPERM)
		return px_because(why, -EPERM,
				  "the container may not use "
				  "/dev/fuse: give it --device /dev/fuse "
				  "--cap-add SYS_ADMIN" OR_EXPORT);
	return px_because(why, -ENODEV,
			  "no usable /dev/fuse (%s): load the "
			  "fuse module, or give the container --device "
			  "/dev/fuse --cap-add SYS_ADMIN" OR_EXPORT,
			  strerror(errno));
}

static int add_arg(struct fuse_args *args, const char *a)
{
	return fuse_opt_add_arg(args, a) < 0 ? -ENOMEM : 0;
}

/* A comma ends a mount option, a backslash escapes it. */
static int add_fsname(struct fuse_args *args, const char *source)
{
	PX_AUTOFREE char *text = malloc(strlen(source) * 2 + 16);
	char *p;

	if (!text)
		return -ENOMEM;
	p = stpcpy(text, "fsname=");
	for (; *source; source++) {
		if (*source == ',' || *source == '\\')
			*p++ = '\\';
		*p++ = *source;
	}
	*p = '\0';
	return add_arg(args, "-o") < 0 ? -ENOMEM : add_arg(args, text);
}

static int make_args(const struct px_fuse_options *o, struct fuse_args *args)
{
	int r = add_arg(args, "pycfs");

	if (r == 0)
		r = add_arg(args, "-oro,nosuid,nodev,default_permissions,"
				  "subtype=pycfs");
	if (r == 0)
		r = add_fsname(args, px_tree_root(o->tree));
	if (r == 0 && *o->mount_options) {
		r = add_arg(args, "-o");
		if (r == 0)
			r = add_arg(args, o->mount_options);
	}
	if (r == 0 && o->debug)
		r = add_arg(args, "-d");
	return r;
}

static int mount_session(struct px_fuse *f, struct fuse_args *args,
			 struct px_why *why)
{
	struct capture o;
	char said[512];
	int r = 0;

	capture_begin(&o);
	f->session =
		fuse_session_new(args, &px_fuse_ops, sizeof(px_fuse_ops), f);
	if (!f->session)
		r = -EINVAL;
	else if (fuse_session_mount(f->session, f->o.mountpoint) != 0)
		r = -EIO;
	capture_end(&o, said, sizeof(said));
	if (r == -EINVAL)
		return px_because(why, r, "bad mount options '%s': %s",
				  f->o.mount_options, said);
	if (r < 0 && geteuid() != 0 && access("/usr/bin/fusermount3", X_OK))
		return px_because(why, r,
				  "cannot mount on %s: an ordinary "
				  "user needs fusermount3: install the package "
				  "fuse3 (%s)",
				  f->o.mountpoint, said);
	if (r < 0)
		return px_because(why, r, "cannot mount on %s: %s%s",
				  f->o.mountpoint, said,
				  strstr(said, "not permitted")
					  ? ": mounting needs CAP_SYS_ADMIN "
					    "(--cap-add SYS_ADMIN)" OR_EXPORT
					  : "");
	return 0;
}

/* At most a quarter of the descriptors that we may have. */
static unsigned max_held(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	return l.rlim_cur / 4 < MAX_HELD ? (unsigned)(l.rlim_cur / 4)
					 : MAX_HELD;
}

static void free_all(struct px_fuse *f)
{
	px_inodes_free(f->inodes);
	px_recent_free(f->recent);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

bool px_fuse_is_built(void)
{
	return true;
}

int px_fuse_mount(const struct px_fuse_options *o, struct px_fuse **ret,
		  struct px_why *why)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct px_fuse *f;
	int r;

	r = check_device(why);
	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f)
		return px_because(why, -ENOMEM, "out of memory");
	pthread_mutex_init(&f->lock, NULL);
	f->o = *o;
	f->timeout = o->immutable ? IMMUTABLE_TIMEOUT_S : LIVE_TIMEOUT_S;
	f->max_held = max_held();
	f->recent = px_recent_new();
	r = f->recent ? px_inodes_new(&f->inodes) : -ENOMEM;
	if (r == 0)
		r = make_args(o, &args);
	if (r < 0)
		px_because(why, r, "out of memory");
	else
		r = mount_session(f, &args, why);
	fuse_opt_free_args(&args);
	if (r < 0) {
		if (f->session)
			fuse_session_destroy(f->session);
		free_all(f);
		return r;
	}
	*ret = f;
	return 0;
}

int px_fuse_loop(struct px_fuse *f)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	sigset_t ends;
	int r;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_clone_fd(config, 0);
	/* Without the thread nothing is pushed, which is only slower. */
	if (f->o.immutable && px_push_start(f, &f->push) < 0)
		f->push = NULL;
	if (px_flush_start(f, &f->flush) < 0)
		f->flush = NULL;
	r = fuse_set_signal_handlers(f->session);
	if (r == 0) {
		sigemptyset(&ends);
		sigaddset(&ends, SIGTERM);
		sigaddset(&ends, SIGINT);
		sigaddset(&ends, SIGHUP);
		pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
		r = fuse_session_loop_mt(f->session, config);
		fuse_remove_signal_handlers(f->session);
	}
	px_flush_stop(PX_STEAL(f->flush));
	px_push_stop(PX_STEAL(f->push));
	fuse_loop_cfg_destroy(config);
	/* An unmount may abort the connection before a thread that reads from
	 * it gets -ENODEV (fs/fuse/dev.c, fuse_dev_do_read). If the connection
	 * was aborted for another reason, there still is a mount, and the guard
	 * removes it. */
	if (r == -ECONNABORTED)
		r = 0;
	/* Positive: the number of the signal that ended it, as it should. */
	return r < 0 ? r : 0;
}

void px_fuse_unmount(struct px_fuse *f)
{
	if (!f)
		return;
	fuse_session_unmount(f->session);
	fuse_session_destroy(f->session);
	while (f->handles)
		px_handle_free(f, f->handles);
	free_all(f);
}
