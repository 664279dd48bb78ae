/* SPDX-License-Identifier: MIT */
/*
 * pycfs-remote: speaks HTTP with a store for pycfs, which starts it
 * (courier.h). It ends when pycfs does.
 */
#include "s3.h"

#include "pycfs/courier.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct slot {
	int fd;
	struct px_buf body; /* of a request, then of its answer */
	char url[PX_COURIER_URL_MAX + 1];
};

/* Gives up all rights that a client of HTTP has no use for. */
static int confine(void)
{
	static const struct rlimit none = {0, 0};
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = {{0}};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 ||
	    syscall(SYS_capset, &header, caps) < 0)
		return -errno;
	return 0;
}

/* Reads the next request. False: there will be none. */
static bool receive(struct slot *s, uint32_t *ret_kind)
{
	uint8_t head[PX_COURIER_REQUEST];
	uint32_t n_url, n_body;

	if (px_read_full(s->fd, head, sizeof(head)) != (ssize_t)sizeof(head))
		return false;
	*ret_kind = px_get_le32(head);
	n_url = px_get_le32(head + 4);
	n_body = px_get_le32(head + 8);
	s->body.size = 0;
	if (n_url > PX_COURIER_URL_MAX ||
	    px_buf_reserve(&s->body, n_body) < 0 ||
	    px_read_full(s->fd, s->url, n_url) != (ssize_t)n_url ||
	    px_read_full(s->fd, s->body.data, n_body) != (ssize_t)n_body)
		return false;
	s->url[n_url] = '\0';
	s->body.size = n_body;
	return true;
}

static bool answer(struct slot *s, int err, const void *body, size_t n)
{
	uint8_t head[PX_COURIER_ANSWER];

	px_put_le32(head, (uint32_t)-err);
	px_put_le32(head + 4, (uint32_t)n);
	return px_write_full(s->fd, head, sizeof(head)) == 0 &&
	       px_write_full(s->fd, body, n) == 0;
}

static int perform(struct px_curl *c, struct slot *s, uint32_t kind,
		   struct px_why *why)
{
	const struct px_buf *b = &s->body;

	switch (kind) {
	case PX_COURIER_GET:
		return px_curl_get(c, s->url, NULL, &s->body, why);
	case PX_COURIER_PUT:
		return px_curl_put(c, s->url, NULL, b->data, b->size, why);
	case PX_COURIER_GET | PX_COURIER_S3:
		return px_s3_get(c, s->url, &s->body, why);
	case PX_COURIER_PUT | PX_COURIER_S3:
		return px_s3_put(c, s->url, b->data, b->size, why);
	default:
		return px_because(why, -EINVAL, "no such request");
	}
}

static void *slot_main(void *arg)
{
	struct slot *s = arg;
	struct px_curl *c = px_curl_new();
	struct px_why why = {""};
	bool alive = c != NULL;
	uint32_t kind;
	int r;

	while (alive && receive(s, &kind)) {
		*why.text = '\0';
		r = perform(c, s, kind, &why);
		if (r < 0)
			alive = answer(s, r, why.text,
				       r == -ENOENT ? 0 : strlen(why.text));
		else
			alive = answer(s, 0, s->body.data,
				       kind & PX_COURIER_GET ? s->body.size
							     : 0);
	}
	close(s->fd);
	return NULL;
}

/* Without libcurl each request is answered so. */
static void *slot_refuses(void *arg)
{
	static const char text[] =
		"libcurl is not installed (Debian: libcurl4)";
	struct slot *s = arg;
	uint32_t kind;

	while (receive(s, &kind) && answer(s, -ELIBACC, text, sizeof(text) - 1))
		;
	close(s->fd);
	return NULL;
}

int main(void)
{
	static struct slot slots[PX_COURIER_SLOTS];
	pthread_t threads[PX_COURIER_SLOTS];
	struct px_why why;
	bool has_curl;
	unsigned n = 0;

	signal(SIGPIPE, SIG_IGN);
	if (confine() < 0)
		return 1;
	has_curl = px_curl_load(&why) == 0;
	for (; n < PX_COURIER_SLOTS; n++) {
		slots[n].fd = PX_COURIER_FD + (int)n;
		slots[n].body.max = PX_COURIER_BODY_MAX;
		if (fcntl(slots[n].fd, F_SETFD, FD_CLOEXEC) < 0 ||
		    px_thread_start(&threads[n],
				    has_curl ? slot_main : slot_refuses,
				    &slots[n]) < 0)
			break;
	}
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return 0;
}
