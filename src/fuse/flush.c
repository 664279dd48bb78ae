/* SPDX-License-Identifier: MIT */
#include "flush.h"
#include "park.h"

#include <pthread.h>

struct px_flush {
	struct px_fuse *f;
	pthread_t thread;
	uid_t owner;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under lock: */
	bool stop;
	struct parked *waiting;
};

static void answer(struct parked *p, int err)
{
	struct parked *next;

	for (; p; p = next) {
		next = p->next;
		if (!px_claim(p))
			continue;
		if (err < 0)
			fuse_reply_err(p->req, -err);
		else
			fuse_reply_ioctl(p->req, 0, NULL, 0);
		px_parked_free(p);
	}
}

static void *run(void *arg)
{
	struct px_flush *w = arg;
	struct parked *all;
	int r;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		all = PX_STEAL(w->waiting);
		if (!all && w->stop)
			break;
		if (!all) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		r = px_content_flush(w->f->o.content);
		/* px_fuse_flush documents -EAGAIN; its callers take
		 * -ETIMEDOUT for a daemon that does not answer. */
		answer(all, r == -ETIMEDOUT ? -EAGAIN : r);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void px_flush_request(fuse_req_t req)
{
	struct px_fuse *f = px_fuse_of(req);
	struct px_flush *w = f->flush;
	struct px_inode none = {0};
	const uid_t uid = fuse_req_ctx(req)->uid;
	struct parked *p;

	if (!w || (uid != 0 && uid != w->owner)) {
		fuse_reply_err(req, w ? EPERM : ENOTTY);
		return;
	}
	p = px_park(req, &none);
	if (!p) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&w->lock);
	p->next = w->waiting;
	w->waiting = p;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

int px_flush_start(struct px_fuse *f, struct px_flush **ret)
{
	struct px_flush *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->f = f;
	w->owner = geteuid();
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	r = px_thread_start(&w->thread, run, w);
	if (r < 0) {
		pthread_mutex_destroy(&w->lock);
		pthread_cond_destroy(&w->changed);
		free(w);
		return r;
	}
	pthread_setname_np(w->thread, "pycfs-flush");
	*ret = w;
	return 0;
}

void px_flush_stop(struct px_flush *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}
