/* SPDX-License-Identifier: MIT */
#include "depot_http.h"

#include "pycfs/courier.h"
#include "pycfs/spawn.h"

#include <fcntl.h>
#include <sys/socket.h>

/* Seconds after which an answer will not come: more than the program takes. */
#define PATIENCE 40

struct px_depot_http {
	uint32_t flags; /* of each request's kind */
	pthread_mutex_t lock;
	pid_t pid;		   /* under lock, as what follows; 0: none */
	bool canceled;		   /* for good */
	int fds[PX_COURIER_SLOTS]; /* of each slot; -1: none */
};

int px_depot_http_open(bool s3, struct px_depot_http **ret)
{
	struct px_depot_http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->flags = s3 ? PX_COURIER_S3 : 0;
	pthread_mutex_init(&h->lock, NULL);
	for (unsigned i = 0; i < PX_COURIER_SLOTS; i++)
		h->fds[i] = -1;
	*ret = h;
	return 0;
}

/* Under lock. Descriptors stay: other slots may be reading from them. */
static void end_program(struct px_depot_http *h)
{
	if (h->pid > 0)
		px_spawn_kill(h->pid);
	h->pid = 0;
}

void px_depot_http_cancel(struct px_depot_http *h)
{
	pthread_mutex_lock(&h->lock);
	h->canceled = true;
	end_program(h);
	pthread_mutex_unlock(&h->lock);
}

void px_depot_http_close(struct px_depot_http *h)
{
	if (!h)
		return;
	px_depot_http_cancel(h);
	for (unsigned i = 0; i < PX_COURIER_SLOTS; i++)
		if (h->fds[i] >= 0)
			close(h->fds[i]);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* Makes a pair of sockets for each slot: ours into h->fds, in the place of what
 * was there, which is closed at its other end. */
static int make_sockets(struct px_depot_http *h, int *theirs)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	int fds[2];

	for (unsigned i = 0; i < PX_COURIER_SLOTS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			return -errno;
		setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
		theirs[i] = fds[1];
		if (h->fds[i] < 0)
			h->fds[i] = fds[0];
		else if (dup3(fds[0], h->fds[i], O_CLOEXEC) < 0 ||
			 close(fds[0]) < 0)
			return -errno;
	}
	return 0;
}

/* Under lock. */
static int start_program(struct px_depot_http *h, struct px_why *why)
{
	struct px_spawn s = {
		.argv = (const char *const[]){"pycfs-remote", NULL},
		.dir = "/",
		.fds = {PX_SPAWN_NULL, PX_SPAWN_NULL, PX_SPAWN_NULL},
		.n_fds = PX_COURIER_FD + PX_COURIER_SLOTS,
	};
	PX_AUTOFREE char *program = NULL;
	int *theirs = s.fds + PX_COURIER_FD;
	int r = px_spawn_find("pycfs-remote", &program, why);

	if (r < 0) /* -ENOENT would say that there is no such object */
		return r == -ENOENT ? -ELIBACC : r;
	for (unsigned i = 0; i < PX_COURIER_SLOTS; i++)
		theirs[i] = -1;
	r = make_sockets(h, theirs);
	s.program = program;
	if (r == 0)
		r = px_spawn(&s, &h->pid);
	if (r < 0)
		h->pid = 0;
	if (r == -ENOENT)
		r = px_because(why, -ELIBACC, "%s cannot be run", program);
	for (unsigned i = 0; i < PX_COURIER_SLOTS; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	return r;
}

/* The socket of a slot, and which program is behind it; -errno. */
static int find_socket(struct px_depot_http *h, unsigned slot, pid_t *ret_pid,
		       struct px_why *why)
{
	int r = 0;

	pthread_mutex_lock(&h->lock);
	if (h->canceled)
		r = -ECANCELED;
	else if (h->pid == 0)
		r = start_program(h, why);
	if (r == 0)
		r = h->fds[slot];
	*ret_pid = h->pid;
	pthread_mutex_unlock(&h->lock);
	return r;
}

/* The program has ended, or what it says makes no sense. By now another slot
 * may have started a new one. */
static int lose(struct px_depot_http *h, pid_t pid, struct px_why *why)
{
	int r = -ECANCELED;

	pthread_mutex_lock(&h->lock);
	if (!h->canceled)
		r = px_because(why, -EPIPE, "pycfs-remote has ended");
	if (h->pid == pid)
		end_program(h);
	pthread_mutex_unlock(&h->lock);
	return r;
}

static int send_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		/* Not write: a program that has ended would be SIGPIPE. */
		const ssize_t some = send(fd, p, n, MSG_NOSIGNAL);

		if (some < 0 && errno != EINTR)
			return -errno;
		p += some > 0 ? some : 0;
		n -= some > 0 ? (size_t)some : 0;
	}
	return 0;
}

static int send_request(int fd, uint32_t kind, const char *url,
			const void *body, size_t n)
{
	uint8_t head[PX_COURIER_REQUEST];
	int r;

	px_put_le32(head, kind);
	px_put_le32(head + 4, (uint32_t)strlen(url));
	px_put_le32(head + 8, (uint32_t)n);
	r = send_all(fd, head, sizeof(head));
	if (r == 0)
		r = send_all(fd, url, strlen(url));
	return r == 0 ? send_all(fd, body, n) : r;
}

/* 0 and an answer: its errno in *ret_err and its body, behind what `ret` has.
 */
static int receive(int fd, int *ret_err, struct px_buf *ret)
{
	uint8_t head[PX_COURIER_ANSWER];
	uint32_t n;

	if (px_read_full(fd, head, sizeof(head)) != (ssize_t)sizeof(head))
		return -EPIPE;
	*ret_err = -(int)px_get_le32(head);
	n = px_get_le32(head + 4);
	if (*ret_err > 0 || px_buf_reserve(ret, n) < 0 ||
	    px_read_full(fd, ret->data + ret->size, n) != (ssize_t)n)
		return -EPIPE;
	ret->size += n;
	return 0;
}

static int request(struct px_depot_http *h, unsigned slot, uint32_t kind,
		   const char *url, const void *body, size_t n,
		   struct px_buf *ret, struct px_why *why)
{
	pid_t pid;
	const int fd = find_socket(h, slot, &pid, why);
	int r, err = 0;

	if (fd < 0)
		return fd;
	r = send_request(fd, kind | h->flags, url, body, n);
	if (r == 0)
		r = receive(fd, &err, ret);
	if (r < 0)
		return lose(h, pid, why);
	if (err < 0 && ret->size > 0)
		px_because(why, err, "%.*s",
			   (int)(ret->size < 900 ? ret->size : 900),
			   (const char *)ret->data);
	return err;
}

int px_depot_http_get(struct px_depot_http *h, unsigned slot, const char *url,
		      struct px_buf *ret, struct px_why *why)
{
	return request(h, slot, PX_COURIER_GET, url, NULL, 0, ret, why);
}

int px_depot_http_put(struct px_depot_http *h, unsigned slot, const char *url,
		      const void *data, size_t n, struct px_why *why)
{
	PX_AUTO(px_buf_fini) struct px_buf said = {.max = 4096};

	return request(h, slot, PX_COURIER_PUT, url, data, n, &said, why);
}
