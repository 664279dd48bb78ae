/* SPDX-License-Identifier: MIT */
#ifndef PX_COURIER_CURL_H
#define PX_COURIER_CURL_H
/*
 * One request of HTTP at a time. libcurl is loaded when the program starts, so
 * that pycfs is built and runs where it is not installed.
 *
 * Threads: any; a px_curl belongs to one of them. Calls block for 15 s at most,
 * twice if the first try fails.
 */

#include "pycfs/util.h"

struct px_curl;

/* Loads libcurl. -ELIBACC: there is none that can be used, and `why` says so.
 */
int px_curl_load(struct px_why *why);

/* With the credentials of the environment. NULL: no memory. */
struct px_curl *px_curl_new(void);

/* The object at `url` into `ret`, which is emptied first, or stores `n` bytes
 * there. `headers` are further ones, up to a NULL; or it is NULL, and the token
 * of the environment is sent. 0; -ENOENT: there is none; another -errno, with a
 * sentence in `why`. */
int px_curl_get(struct px_curl *c, const char *url, char *const *headers,
		struct px_buf *ret, struct px_why *why);
int px_curl_put(struct px_curl *c, const char *url, char *const *headers,
		const void *data, size_t n, struct px_why *why);

#endif
