/* SPDX-License-Identifier: MIT */
#ifndef PX_COURIER_S3_H
#define PX_COURIER_S3_H
/*
 * Requests of S3: the same GET and PUT, signed with the credentials of the
 * environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN).
 *
 * Threads: any. Blocks as curl.h does.
 */

#include "curl.h"

/* As px_curl_get and px_curl_put; `where` is the region, a blank and the URL,
 * which has no query. -EACCES: there are no credentials. */
int px_s3_get(struct px_curl *c, const char *where, struct px_buf *ret,
	      struct px_why *why);
int px_s3_put(struct px_curl *c, const char *where, const void *data, size_t n,
	      struct px_why *why);

#endif
