/* SPDX-License-Identifier: MIT */
/*
 * Pushing has a thread of its own. The kernel locks a page while a READ for it
 * is under way, and storing into that page waits for the lock: a thread that
 * answers READs would wait for itself.
 */
#include "push.h"
#include "node.h"

#include <fcntl.h>
#include <pthread.h>

/* Bytes. A larger file is not pushed: it is read in large pieces, where a round
 * trip for each costs little. */
#define MAX_FILE (1u << 20)
/* Directories are pushed when they are listed as long as the score is at least
 * this. It falls by one for each directory that is listed and not pushed, and
 * rises by two when the first file of a directory is read. */
#define EAGER_SCORE 8
#define MAX_SCORE   16
/* One of so many listed directories is not pushed all the same, as a pushed one
 * does not change the score. */
#define PROBE_EVERY 16
/* Directories that wait to be pushed. Further ones are not pushed: their reader
 * is faster than we are. */
#define MAX_WAITING 64

struct px_push {
	struct px_fuse *f;
	pthread_t thread;
	uint8_t *buffer; /* MAX_FILE bytes; used by the thread only */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under lock: */
	bool stop;
	uint64_t waiting[MAX_WAITING];
	unsigned head, n_waiting; /* of that ring */
	unsigned score;
	unsigned n_listed;
};

/* Puts all of a file into the page cache of node `id`. */
static int store(struct px_push *p, uint64_t id, const void *data, size_t n)
{
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(n);

	v.buf[0].mem = (void *)(uintptr_t)data;
	px_stats_add(p->f->o.stats, PX_COUNT_pushed, 1);
	return fuse_lowlevel_notify_store(p->f->session, id, 0, &v, 0);
}

static int push_module(struct px_push *p, uint64_t id, const char *path,
		       const struct px_entry *e)
{
	struct px_module m;
	int r;

	r = px_content_peek(p->f->o.content, path, e->st, e->kind,
			    PX_WANT_BYTES, &m);
	if (r < 0)
		return 0;
	if (m.kind == PX_BLOB_CODE && m.blob->size <= MAX_FILE &&
	    px_inodes_matches_version(p->f->inodes, id, m.tag))
		r = store(p, id, m.blob->data, m.blob->size);
	px_blob_unref(m.blob);
	return r;
}

static int push_file(struct px_push *p, uint64_t id, const char *path,
		     const struct px_entry *e)
{
	PX_AUTOCLOSE int fd = -1;
	struct px_stat st;
	uint64_t size;
	ssize_t n;

	if (px_content_open(p->f->o.content, path, e->st != NULL, &fd, &st,
			    &size) < 0 ||
	    size > MAX_FILE || size == 0 ||
	    !px_inodes_matches_version(p->f->inodes, id,
				       px_content_source(&st.fp)))
		return 0;
	n = px_read_full(fd, p->buffer, (size_t)size);
	if (n != (ssize_t)size)
		return 0;
	return store(p, id, p->buffer, (size_t)n);
}

static void ignore(PX_UNUSED void *arg, PX_UNUSED int err,
		   PX_UNUSED const struct px_module *m)
{
}

/* Generating a large RECORD takes a walk through its package, so it is started
 * before somebody asks; the content then caches it. */
static void start_records(struct px_push *p, const char *dir,
			  const struct px_view *v)
{
	size_t i;

	for (i = 0; i < px_view_count(v); i++) {
		const struct px_entry *e = px_view_at(v, i);
		PX_AUTOFREE char *path = NULL;

		if (e->kind != PX_KIND_RECORD)
			continue;
		path = px_path_join(dir, e->source);
		if (path)
			px_content_get(p->f->o.content, path, NULL, e->kind,
				       PX_WANT_SIZE, ignore, NULL);
	}
}

/* Lists subdirectory `e`, so that its view is cached when a reader comes to it.
 */
static void look_ahead(struct px_push *p, const struct px_inode *dir,
		       const struct px_entry *e)
{
	PX_AUTO(px_inode_fini) struct px_inode below = {0};
	struct px_view *v;
	uint64_t id;

	if (!px_inodes_child(p->f->inodes, dir->id, e->name, &id) ||
	    px_fuse_dir(p->f, id, &below) < 0 ||
	    px_fuse_view(p->f, &below, &v) < 0)
		return;
	start_records(p, below.path, v);
	px_view_unref(v);
}

/* 0, or -ENODEV: it is not mounted any more. */
static int push_entry(struct px_push *p, const struct px_inode *dir,
		      const struct px_entry *e)
{
	PX_AUTOFREE char *path = NULL;
	uint64_t id;
	int r = 0;

	if (e->kind == PX_KIND_DIR)
		look_ahead(p, dir, e);
	if (e->kind != PX_KIND_FILE && e->kind != PX_KIND_MODULE &&
	    e->kind != PX_KIND_KEPT)
		return 0;
	/* Nothing to do if the kernel has no such node, or has read from it. */
	if (!px_inodes_claim_unread(p->f->inodes, dir->id, e->name, &id))
		return 0;
	path = px_path_join(dir->path, e->source);
	if (!path)
		return 0;
	if (e->kind == PX_KIND_FILE)
		r = push_file(p, id, path, e);
	else
		r = push_module(p, id, path, e);
	/* Other errors, such as a node that was forgotten meanwhile, concern
	 * this file only. */
	return r == -ENODEV ? r : 0;
}

static int push_dir(struct px_push *p, uint64_t id)
{
	PX_AUTO(px_inode_fini) struct px_inode dir = {0};
	struct px_view *v;
	bool stop = false;
	size_t i;
	int r = 0;

	if (px_fuse_dir(p->f, id, &dir) < 0 || px_fuse_view(p->f, &dir, &v) < 0)
		return 0;
	for (i = 0; i < px_view_count(v) && r == 0 && !stop; i++) {
		r = push_entry(p, &dir, px_view_at(v, i));
		pthread_mutex_lock(&p->lock);
		stop = p->stop;
		pthread_mutex_unlock(&p->lock);
	}
	px_view_unref(v);
	return r;
}

static void *run(void *arg)
{
	struct px_push *p = arg;
	uint64_t id;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && r == 0) {
		if (p->n_waiting == 0) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		id = p->waiting[p->head];
		p->head = (p->head + 1) % MAX_WAITING;
		p->n_waiting--;
		pthread_mutex_unlock(&p->lock);
		r = push_dir(p, id);
		pthread_mutex_lock(&p->lock);
	}
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Under lock. Drops `dir` if the ring is full. */
static void enqueue(struct px_push *p, uint64_t dir)
{
	if (p->n_waiting == MAX_WAITING)
		return;
	p->waiting[(p->head + p->n_waiting++) % MAX_WAITING] = dir;
	pthread_cond_signal(&p->changed);
}

void px_push_listed(struct px_push *p, uint64_t dir)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	/* Who lists the root nearly always goes on to read. */
	if (dir == PX_INODE_ROOT ||
	    (p->score >= EAGER_SCORE && p->n_listed++ % PROBE_EVERY != 0)) {
		if (px_inodes_claim_push(p->f->inodes, dir))
			enqueue(p, dir);
	} else if (p->score > 0) {
		p->score--;
	}
	pthread_mutex_unlock(&p->lock);
}

void px_push_read(struct px_push *p, uint64_t id)
{
	unsigned n;
	uint64_t dir;

	if (!p)
		return;
	n = px_inodes_mark_read(p->f->inodes, id, &dir);
	if (n != 1 && n != 2)
		return;
	pthread_mutex_lock(&p->lock);
	if (n == 1)
		p->score = p->score + 2 < MAX_SCORE ? p->score + 2 : MAX_SCORE;
	if (n == 2 && px_inodes_claim_push(p->f->inodes, dir))
		enqueue(p, dir);
	pthread_mutex_unlock(&p->lock);
}

int px_push_start(struct px_fuse *f, struct px_push **ret)
{
	struct px_push *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->f = f;
	p->buffer = malloc(MAX_FILE);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	r = p->buffer ? px_thread_start(&p->thread, run, p) : -ENOMEM;
	if (r == 0)
		pthread_setname_np(p->thread, "pycfs-push");
	if (r != 0) {
		pthread_mutex_destroy(&p->lock);
		pthread_cond_destroy(&p->changed);
		free(p->buffer);
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void px_push_stop(struct px_push *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p->buffer);
	free(p);
}
