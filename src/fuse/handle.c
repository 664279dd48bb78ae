/* SPDX-License-Identifier: MIT */
/*
 * All handles are in one list, because the kernel need not release them: when
 * the connection ends, px_fuse_unmount frees those that are left.
 */
#include "handle.h"

struct handle *px_handle_new(struct px_fuse *f)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->fd = -1;
	pthread_mutex_lock(&f->lock);
	h->next = f->handles;
	if (h->next)
		h->next->prev = h;
	f->handles = h;
	pthread_mutex_unlock(&f->lock);
	return h;
}

void px_handle_free(struct px_fuse *f, struct handle *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&f->lock);
	if (h->next)
		h->next->prev = h->prev;
	if (h->prev)
		h->prev->next = h->next;
	else
		f->handles = h->next;
	pthread_mutex_unlock(&f->lock);
	if (h->fd >= 0) {
		close(h->fd);
		atomic_fetch_sub(&f->n_held, 1);
	}
	px_inode_fini(&h->dir);
	px_view_unref(h->view);
	px_blob_unref(h->blob);
	free(h);
}
