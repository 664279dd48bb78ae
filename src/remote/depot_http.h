/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_DEPOT_HTTP_H
#define PX_REMOTE_DEPOT_HTTP_H
/*
 * Objects in a store that speaks HTTP, by way of the program pycfs-remote
 * (courier.h), which is started by the first request, and again by the next one
 * after it has ended.
 *
 * Threads: any; each slot is used by one at a time. Calls block for half a
 * minute at most.
 */

#include "pycfs/chunk.h"

struct px_depot_http;

/* With `s3`, requests are signed for it, and a URL has the region and a blank
 * before it. -ENOMEM. */
int px_depot_http_open(bool s3, struct px_depot_http **ret);
void px_depot_http_close(struct px_depot_http *h); /* NULL is fine */

/* Ends requests that are on the way, and all later ones, with -ECANCELED. */
void px_depot_http_cancel(struct px_depot_http *h);

/* As px_depot_get and px_depot_put; an object by its whole URL. */
int px_depot_http_get(struct px_depot_http *h, unsigned slot, const char *url,
		      struct px_buf *ret, struct px_why *why);
int px_depot_http_put(struct px_depot_http *h, unsigned slot, const char *url,
		      const void *data, size_t n, struct px_why *why);

#endif
